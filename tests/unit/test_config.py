from collections.abc import Iterator
from dataclasses import FrozenInstanceError, fields

import pytest

from chalicelib.config import Settings, settings
from tests import cloud

REQUIRED = [
    "TABLE_NAME",
    "QUEUE_URL",
    "QUEUE_ARN",
    "DEAD_LETTER_QUEUE_NAME",
    "SCHEDULE_GROUP",
    "SCHEDULE_ROLE_ARN",
    "SCHEDULE_DEAD_LETTER_ARN",
    "SIGNING_KEYS_ARN",
]
OPTIONAL = [
    "ACCESS_TOKEN_MINUTES",
    "REFRESH_TOKEN_DAYS",
    "REFRESH_GRACE_SECONDS",
    "REGISTRATIONS_PER_HOUR",
    "PASSWORD_POLICY",
]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The environment of the tests; changes last for one test."""
    for name in OPTIONAL:
        monkeypatch.delenv(name, raising=False)
    settings.cache_clear()
    yield monkeypatch
    settings.cache_clear()


def test_every_setting_is_the_variable_of_its_name(environment: pytest.MonkeyPatch) -> None:
    for name in REQUIRED:
        environment.setenv(name, f"value of {name}")
    read = settings()
    assert {name: getattr(read, name.lower()) for name in REQUIRED} == {
        name: f"value of {name}" for name in REQUIRED
    }


def test_these_are_all_settings() -> None:
    assert {one.name.upper() for one in fields(Settings)} == {*REQUIRED, *OPTIONAL}


def test_tokens_and_passwords_have_the_defaults_of_the_contract() -> None:
    read = settings()
    assert (read.access_token_minutes, read.refresh_token_days) == (15, 7)
    assert read.password_policy == "basic"


def test_an_operator_may_choose_lifetimes_and_policy(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ACCESS_TOKEN_MINUTES", "5")
    environment.setenv("REFRESH_TOKEN_DAYS", "30")
    environment.setenv("PASSWORD_POLICY", "strict")
    read = settings()
    assert (read.access_token_minutes, read.refresh_token_days) == (5, 30)
    assert read.password_policy == "strict"


@pytest.mark.parametrize("name", OPTIONAL)
def test_an_empty_variable_means_the_default(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.setenv(name, "")
    (default,) = [one.default for one in fields(Settings) if one.name == name.lower()]
    assert getattr(settings(), name.lower()) == default


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("is_empty", [False, True], ids=["missing", "empty"])
def test_a_variable_that_is_not_set_is_named(
    environment: pytest.MonkeyPatch, name: str, is_empty: bool
) -> None:
    if is_empty:
        environment.setenv(name, "")
    else:
        environment.delenv(name)
    with pytest.raises(RuntimeError, match=f"{name} is not set"):
        settings()


def test_all_faults_are_named_at_once(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("TABLE_NAME")
    environment.delenv("QUEUE_URL")
    environment.setenv("REFRESH_TOKEN_DAYS", "a week")
    environment.setenv("PASSWORD_POLICY", "lax")
    with pytest.raises(RuntimeError) as caught:
        settings()
    assert str(caught.value) == (
        "The environment is not complete: TABLE_NAME is not set; QUEUE_URL is not set; "
        "REFRESH_TOKEN_DAYS must be a whole number from 1 to 5256000; "
        "PASSWORD_POLICY must be 'basic' or 'strict'"
    )


@pytest.mark.parametrize("name", ["ACCESS_TOKEN_MINUTES", "REFRESH_TOKEN_DAYS"])
@pytest.mark.parametrize("text", ["0", "-1", "1.5", "1e3", " 5", "5m", "٣", "²", "True"])
def test_a_lifetime_is_a_whole_number_above_zero(
    environment: pytest.MonkeyPatch, name: str, text: str
) -> None:
    environment.setenv(name, text)
    with pytest.raises(RuntimeError, match=f"{name} must be a whole number from 1 to 5256000"):
        settings()


@pytest.mark.parametrize(
    ("name", "most"), [("REFRESH_GRACE_SECONDS", 300), ("REGISTRATIONS_PER_HOUR", 1_000_000)]
)
def test_a_grace_and_a_limit_may_be_0_and_not_more_than_their_most(
    environment: pytest.MonkeyPatch, name: str, most: int
) -> None:
    for text in ("0", str(most)):
        environment.setenv(name, text)
        settings.cache_clear()
        assert getattr(settings(), name.lower()) == int(text)
    for text in ("-1", str(most + 1), "1.5"):
        environment.setenv(name, text)
        settings.cache_clear()
        with pytest.raises(RuntimeError, match=f"{name} must be a whole number from 0 to {most}"):
            settings()


def test_the_environment_is_read_once(environment: pytest.MonkeyPatch) -> None:
    first = settings()
    environment.setenv("TABLE_NAME", "another")
    assert settings() is first


def test_a_faulty_environment_is_not_remembered(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PASSWORD_POLICY", "lax")
    with pytest.raises(RuntimeError):
        settings()
    environment.setenv("PASSWORD_POLICY", "strict")
    assert settings().password_policy == "strict"


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        settings().table_name = "another"  # type: ignore[misc]


def test_metrics_are_reported_under_the_name_of_the_table() -> None:
    assert settings().service == settings().table_name


def test_the_queue_is_known_by_the_last_part_of_its_arn() -> None:
    assert settings().queue_name == f"tasks-{cloud.STAGE}"
