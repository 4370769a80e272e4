"""Pages of a list over HTTP: numbers, cursors and links, as in DRF."""

import base64
from uuid import UUID

from chalicelib.api.call import Call
from chalicelib.api.routing import query
from chalicelib.errors import NotFound
from chalicelib.listing import Page, Position

# Far beyond the last page of any list, yet small enough to calculate with.
_MAX_NUMBER = 10**9

#: What a list takes as query parameters.
PARAMETERS = [
    query(
        "page",
        {
            "oneOf": [
                {"type": "integer", "minimum": 1, "exclusiveMaximum": _MAX_NUMBER},
                {"const": "last"},
            ],
            "examples": [1, "last"],
        },
        "A number from 1, or `last`.",
    ),
    query(
        "cursor",
        # 17 bytes in base64url, of which the first is 0 or 1.
        {
            "type": "string",
            "pattern": "^A[A-Za-f][A-Za-z0-9_-]{20}[AEIMQUYcgkosw048]$",
            "examples": ["AAGcHZRGwHAAgAAAAAAAAAA"],
        },
        "Taken from `next` and `previous`.",
    ),
]


def read_number(call: Call) -> int | None:
    """Return the number of the page, as Django's paginator reads it; None for the last page.

    Raises NotFound.
    """
    text = call.parameter("page")
    if text is None:
        return 1
    if text == "last":
        return None
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number < _MAX_NUMBER:
        raise _invalid_page()
    return number


def read_position(call: Call) -> Position | None:
    """Return the position that the cursor gives, None without one. Raises NotFound."""
    cursor = call.parameter("cursor")
    if cursor is None:
        return None
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        position = Position(task_id=str(UUID(bytes=raw[1:])), above=bool(raw[0]))
    except (ValueError, IndexError):
        raise _invalid_page() from None
    # base64 skips foreign characters, so only what we would write ourselves is a cursor.
    if _write_cursor(position) != cursor:
        raise _invalid_page()
    return position


def links(call: Call, page: Page) -> dict[str, str | None]:
    """Return the absolute links to the next and the previous page, None where there is none."""
    return {
        "next": _link(call, page.number + 1, page.next),
        "previous": _link(call, page.number - 1, page.previous),
    }


def _link(call: Call, number: int, position: Position | None) -> str | None:
    if position is None:
        return None
    # As in DRF, the link to page 1 has no number.
    page = str(number) if number > 1 else None
    return call.link({"page": page, "cursor": _write_cursor(position)})


def _write_cursor(position: Position) -> str:
    raw = bytes([position.above]) + UUID(position.task_id).bytes
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _invalid_page() -> NotFound:
    return NotFound("Invalid page.")
