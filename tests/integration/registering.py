"""What the tests of accounts have in common."""

from tests.drivers import Answer, Api

USER = {"username": "user", "password": "password"}

TOO_LONG = "Ensure this field has no more than 128 characters."


def register(api: Api, username: str = "user", password: str = USER["password"]) -> Answer:
    return api.post("/api/register/", {"username": username, "password": password})


def sign_in(api: Api, username: str = "user", password: str = USER["password"]) -> Answer:
    return api.post("/api/token/", {"username": username, "password": password})
