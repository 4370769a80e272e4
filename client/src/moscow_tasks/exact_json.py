"""JSON whose numbers keep every digit: integers become int, all others Decimal."""

import json
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import simplejson

# CPython refuses to turn more digits than this into an int (CVE-2020-10735).
_INT_DIGITS = 4300


def loads(text: str | bytes) -> Any:
    """Read a JSON document. Raises ValueError."""
    return json.loads(
        text, parse_float=_decimal, parse_int=_integer, parse_constant=_refuse_constant
    )


def dumps(value: Any, *, indent: int | None = None) -> str:
    """Write JSON; a Decimal keeps exactly its digits, and times are in ISO 8601."""
    return simplejson.dumps(
        value,
        use_decimal=True,
        ensure_ascii=False,
        allow_nan=False,
        indent=indent,
        default=datetime.isoformat,
    )


def _integer(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= _INT_DIGITS else Decimal(digits)


def _decimal(digits: str) -> Decimal:
    try:
        return Decimal(digits)
    except InvalidOperation:
        raise ValueError(f"{digits} is out of range") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
