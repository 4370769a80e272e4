"""A pair of tokens."""

import pytest

from tests.drivers import Api
from tests.integration.tokens.tools import USER


@pytest.fixture
def pair(api: Api) -> dict[str, str]:
    """The tokens of a user who has just signed in."""
    api.post("/api/register/", USER)
    tokens: dict[str, str] = api.post("/api/token/", USER).json
    return tokens
