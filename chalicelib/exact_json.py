"""JSON whose numbers keep every digit: integers become int, all others Decimal."""

import json
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

import simplejson

#: Text that is JSON already and goes into a document unchanged.
Raw = simplejson.RawJSON

# CPython refuses to turn more digits than this into an int (CVE-2020-10735).
_INT_DIGITS = 4300
#: How deeply arrays and objects may be nested.
MAX_DEPTH = 200


def loads(text: str | bytes) -> Any:
    """Read a JSON document.

    Raises ValueError (UnicodeDecodeError included) if it is not JSON in UTF-8. NaN, Infinity,
    lone surrogates and nesting beyond MAX_DEPTH are not.
    """
    if isinstance(text, bytes):
        text = text.decode()
    try:
        value = json.loads(
            text, parse_float=_decimal, parse_int=_integer, parse_constant=_refuse_constant
        )
        # Fewer brackets than that cannot nest too deeply.
        if text.count("[") + text.count("{") > MAX_DEPTH:
            _check_depth(value)
        if "\\u" in text:
            dumps(value).encode()
    except UnicodeEncodeError:
        raise ValueError("Lone surrogate in a string") from None
    except RecursionError:
        raise ValueError("Nested too deeply") from None
    return value


def dumps(value: Any, *, sort_keys: bool = False) -> str:
    """Write compact JSON; a Decimal keeps exactly its digits."""
    return simplejson.dumps(
        value,
        use_decimal=True,
        ensure_ascii=False,
        allow_nan=False,
        sort_keys=sort_keys,
        separators=(",", ":"),
    )


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [child for item in level for child in _children(item)]
        if not level:
            return
    raise ValueError("Nested too deeply")


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _integer(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= _INT_DIGITS else Decimal(digits)


def _decimal(digits: str) -> Decimal:
    try:
        number = Decimal(digits)
    except InvalidOperation:
        raise ValueError("Number out of range") from None
    return number


def _refuse_constant(name: str) -> None:
    raise ValueError(f"Out of range float values are not JSON compliant: {name!r}")
