"""docs/contract.md says what the code does: routes, errors, fields, events and limits."""

import re
from dataclasses import fields
from pathlib import Path

from chalicelib import accounts, exact_json, lifecycle, listing, passwords, tasks
from chalicelib.api import call, routing
from chalicelib.api.errors import ANSWERS
from chalicelib.api.openapi import _path
from chalicelib.api.task_answer import TaskDetail
from chalicelib.config import Settings
from chalicelib.lifecycle import Status
from chalicelib.models import events
from chalicelib.task_types import countdown
from chalicelib.task_types import sum as sum_type

PAGE = (Path(__file__).parents[2] / "docs" / "contract.md").read_text()
#: The same without line breaks, for sentences.
TEXT = " ".join(PAGE.split())


def table(head: str) -> list[list[str]]:
    """Return the rows of the table with this head, without backticks."""
    rows = PAGE.split(f"\n| {head} |\n", 1)[1].split("\n\n", 1)[0].splitlines()[1:]
    return [[cell.strip().replace("`", "") for cell in row[1:-1].split("|")] for row in rows]


def test_it_lists_every_route_with_its_token_and_its_statuses() -> None:
    documented = {
        route: (token == "yes", answers)
        for route, token, answers in table("route | token | success")
    }
    assert documented == {
        f"{method} {_path(path)}": (not route.is_public, ", ".join(map(str, route.answers)))
        for path, methods in routing.routes.items()
        for method, route in methods.items()
        if route.is_documented
    }


def test_it_lists_every_error_with_its_status_and_code() -> None:
    documented = {(int(status), code) for status, code, _ in table("status | code | when")}
    assert documented == {
        # Invalid fields have no code.
        (answer.status, "" if error.code == "invalid" else error.code)
        for error, answer in ANSWERS.items()
    }


def test_it_lists_every_field_of_a_task() -> None:
    documented = [name for names, _ in table("field | meaning") for name in names.split(", ")]
    assert sorted(documented) == sorted(TaskDetail.model_fields)


def test_it_lists_every_event() -> None:
    assert [name for name, _, _ in table("event | when | more")] == list(events.NAMES)


def test_it_lists_every_status() -> None:
    words = [f"`{status}`" for status in Status]
    assert f"{', '.join(words[:-1])} or {words[-1]}" in TEXT


def test_it_has_the_limits_of_the_code() -> None:
    defaults = {one.name: one.default for one in fields(Settings)}
    for promise in (
        f"at most {lifecycle.ACTIVE_LIMIT} active tasks",
        f"of at most {call.MAX_BODY // 1024} KiB",
        f"more than {exact_json.MAX_DEPTH} levels of nesting",
        f"1 to {accounts.USERNAME_LENGTH} letters and digits",
        f"{passwords.MIN_LENGTH} to {passwords.MAX_LENGTH} characters",
        f"register {defaults['registrations_per_hour']} accounts per hour",
        f"An access token lasts {defaults['access_token_minutes']} minutes",
        f"a refresh token {defaults['refresh_token_days']} days",
        f"For {defaults['refresh_grace_seconds']} seconds, the old refresh token",
        f"newest first, {listing.PAGE_SIZE} per page",
        f"more than {listing.NUMBERED_REACH:,} tasks from both ends",
        f"at most {events.MAX_EVENTS}: the first and the newest",
        f"more than {tasks.MAX_AHEAD.days} days ahead",
        f"1 to {sum_type.MAX_VALUES:,} finite numbers",
        f"at most {sum_type.MAX_DIGITS:,} digits",
        f"a whole number from 0 to {countdown.LONGEST:,}",
    ):
        assert promise in TEXT, promise


def test_every_link_leads_to_a_file() -> None:
    root = Path(__file__).parents[2]
    pages = [*root.glob("*.md"), *root.glob("docs/*.md")]
    for page in pages:
        for link in re.findall(r"(?<!!)\[[^\]]*\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / link).exists(), (page.name, link)
