import pytest

from chalicelib import errors as service
from chalicelib.api import errors
from chalicelib.errors import ServiceError

UNAUTHORIZED = [
    errors.NotAuthenticated(),
    errors.BadAuthorizationHeader(),
    errors.InvalidAccessToken("Token is invalid"),
    service.InvalidToken(),
    service.UserNotFound(),
    service.WrongCredentials(),
]


def name(error: Exception) -> str:
    return type(error).__name__


def headers(error: ServiceError) -> dict[str, str]:
    return errors.ANSWERS[type(error)].headers(error)


def test_every_error_has_a_status() -> None:
    assert set(errors.ANSWERS) == set(ServiceError.__subclasses__())


def test_every_error_says_in_a_line_what_is_wrong() -> None:
    for kind in errors.ANSWERS:
        assert (kind.__doc__ or "").splitlines()[0].endswith("."), kind


@pytest.mark.parametrize("error", UNAUTHORIZED, ids=name)
def test_a_401_names_the_scheme_to_authenticate_with(error: ServiceError) -> None:
    assert errors.ANSWERS[type(error)].status == 401
    assert headers(error) == {"WWW-Authenticate": 'Bearer realm="api"'}


def test_no_other_error_asks_for_authentication() -> None:
    unauthorized = {kind for kind, told in errors.ANSWERS.items() if told.status == 401}
    assert unauthorized == {type(error) for error in UNAUTHORIZED}


@pytest.mark.parametrize(
    ("error", "seconds"), [(service.Throttled(42), "42"), (service.Unavailable(), "1")]
)
def test_a_client_that_should_wait_is_told_how_long(error: ServiceError, seconds: str) -> None:
    assert headers(error) == {"Retry-After": seconds}


def test_a_405_names_the_method() -> None:
    assert errors.MethodNotAllowed("PUT").body()["detail"] == 'Method "PUT" not allowed.'


@pytest.mark.parametrize(
    "error",
    [
        *UNAUTHORIZED,
        errors.ParseError("JSON parse error - x"),
        errors.InvalidIdempotencyKey(),
        errors.MethodNotAllowed("PUT"),
        errors.NotAcceptable(),
        errors.RequestTooLarge(),
        errors.UnsupportedMediaType("text/plain"),
        errors.InternalError("request-1"),
    ],
    ids=name,
)
def test_an_error_tells_its_words_and_its_code(error: ServiceError) -> None:
    assert error.body()["detail"] == error.detail != ""
    assert error.body()["code"] == error.code


def test_an_internal_error_tells_only_where_to_find_it_in_the_log() -> None:
    assert errors.InternalError("request-1").body() == {
        "detail": "Internal server error.",
        "code": "internal",
        "request_id": "request-1",
    }
