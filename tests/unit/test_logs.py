"""An exception is logged by its type and its lines, never by its message."""

import re
from pathlib import Path

from botocore.exceptions import ClientError

import chalicelib
from chalicelib.logs import exception_keys


def caught(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except BaseException as raised:
        return raised


def test_an_exception_is_its_type_and_its_lines() -> None:
    keys = exception_keys(caught(ValueError("secret")))
    assert keys["exception_name"] == "ValueError"
    assert re.fullmatch(
        r'File ".*test_logs.py", line \d+, in caught\nbuiltins.ValueError', keys["exception"]
    )


def test_a_cause_comes_before_its_effect() -> None:
    keys = exception_keys(caught(RuntimeError("secret"), caught(OSError("secret"))))
    names = [line for line in keys["exception"].splitlines() if not line.startswith("File")]
    assert names == ["builtins.OSError", "builtins.RuntimeError"]


def test_an_error_of_aws_has_its_code_and_its_operation() -> None:
    answer = {"Error": {"Code": "ThrottlingException", "Message": "secret"}}
    keys = exception_keys(caught(ClientError(answer, "SendMessage")))  # type: ignore[arg-type]
    assert keys["exception"].endswith("ClientError: ThrottlingException (SendMessage)")


def test_a_chain_that_turns_around_ends() -> None:
    first, second = ValueError(), ValueError()
    first.__cause__, second.__cause__ = second, first
    assert exception_keys(first)["exception"] == "builtins.ValueError\nbuiltins.ValueError"


def test_no_code_logs_the_message_of_an_exception() -> None:
    folder = Path(chalicelib.__file__).parent
    files = [*folder.rglob("*.py"), folder.parent / "app.py"]
    guilty = [
        file.name for file in files if re.search(r"log\.exception\(|exc_info", file.read_text())
    ]
    assert guilty == []


def test_operations_md_lists_every_event_with_its_level() -> None:
    package = Path(chalicelib.__file__).parent
    code = "\n".join(file.read_text() for file in package.rglob("*.py"))
    written = re.findall(r'\blog\.(info|warning|error)\(\s*"(\w+)"', code)
    page = (package.parent / "docs" / "operations.md").read_text()
    section = page.split("\n## Logs\n")[1].split("\n## ")[0]
    listed = re.findall(r"^\|[^|]*\| `(\w+)` \| (\w+) \|", section, re.MULTILINE)
    assert sorted(listed) == sorted({(event, level) for level, event in written})
    # Every line is an event, none a sentence.
    assert len(written) == len(re.findall(r"\blog\.(?!thread_safe)\w+\(", code))
