"""What the tests of the limit have in common."""

from tests.drivers import Api
from tests.integration.tools import (
    Rows,
    row_of,
)


def active_ids(rows: Rows, api: Api) -> set[str]:
    return set(row_of(rows, api, "user").get("active", {"SS": []})["SS"])
