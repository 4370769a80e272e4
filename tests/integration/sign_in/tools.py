"""What the tests of sign-ins and registrations have in common."""

from tests.drivers import Answer, Api
from tests.integration.tools import Rows

PASSWORD = "correct horse"

HERE, THERE = "192.0.2.1", "198.51.100.7"


def register(api: Api, username: str = "user") -> Answer:
    return api.post("/api/register/", {"username": username, "password": PASSWORD})


def sign_in(api: Api, username: str = "user", password: str = PASSWORD) -> Answer:
    return api.post("/api/token/", {"username": username, "password": password})


def fail_to_sign_in(api: Api, times: int, username: str = "user") -> None:
    for _ in range(times):
        assert sign_in(api, username, "wrong password").status == 401


def marks(rows: Rows) -> list[int]:
    """Return how many attempts each row counts."""
    return [len(row["marks"]["SS"]) for row in rows() if "marks" in row]
