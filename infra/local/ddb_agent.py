"""A Java agent that does nothing, because LocalStack requires one.

LocalStack downloads an agent that lifts DynamoDB Local's limit on the number of indexes. This
service does not need it and should not download it. The agent is one class with one empty
method; this module assembles it without a compiler.
"""

import struct
import zipfile
from pathlib import Path

_CLASS = "NoAgent"
_MANIFEST = f"Manifest-Version: 1.0\r\nPremain-Class: {_CLASS}\r\n\r\n"

_JAVA_8 = 52
_PUBLIC, _STATIC, _SUPER = 0x0001, 0x0008, 0x0020
_RETURN = b"\xb1"


def write(jar: Path) -> None:
    """Write the agent's jar."""
    with zipfile.ZipFile(jar, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", _MANIFEST)
        archive.writestr(f"{_CLASS}.class", _class_file())


def _class_file() -> bytes:
    """Return `public class NoAgent { public static void premain(String options) {} }`."""
    constants = [
        *(_text(_CLASS), _class(1)),
        *(_text("java/lang/Object"), _class(3)),
        *(_text("premain"), _text("(Ljava/lang/String;)V"), _text("Code")),
    ]
    # No stack, one local variable (the options), the code, no handlers, no attributes.
    code = struct.pack(">HHI", 0, 1, len(_RETURN)) + _RETURN + struct.pack(">HH", 0, 0)
    return b"".join(
        [
            struct.pack(">IHHH", 0xCAFEBABE, 0, _JAVA_8, len(constants) + 1),
            *constants,
            # The class is constant 2 and its parent 4; no interfaces, no fields, one method.
            struct.pack(">HHHHHH", _PUBLIC | _SUPER, 2, 4, 0, 0, 1),
            # The method: its name is constant 5, its type 6, and it has one attribute, 7.
            struct.pack(">HHHH", _PUBLIC | _STATIC, 5, 6, 1),
            struct.pack(">HI", 7, len(code)) + code,
            struct.pack(">H", 0),
        ]
    )


def _text(text: str) -> bytes:
    return struct.pack(">BH", 1, len(text)) + text.encode()


def _class(name: int) -> bytes:
    return struct.pack(">BH", 7, name)
