"""GET /api/tasks/{id}/: a task, whether it has changed, and when to look again."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib import security, task_types
from chalicelib.errors import TaskError
from chalicelib.task_types import Retry
from tests.aws_calls import Calls
from tests.drivers import NOON, Api, Clock, Lambdas
from tests.integration.tools import Define, doing, shown, without_events

NOBODYS = "019c1d94-8a80-7000-8000-000000000000"


def path(task: dict[str, Any]) -> str:
    return f"/api/tasks/{task['id']}/"


def tag_of(user: Api, task: dict[str, Any]) -> str:
    return user.get(path(task)).headers["etag"]


def hint(user: Api, task: dict[str, Any]) -> str | None:
    return user.get(path(task)).headers.get("retry-after")


def test_a_task_is_shown_in_one_consistent_read(ann: Api, calls: Calls) -> None:
    task = ann.created()
    calls.clear()
    answer = ann.get(path(task))
    assert (answer.status, without_events(answer.json)) == (200, task)
    assert calls.operations == ["GetItem"]
    assert calls[0].parameters["ConsistentRead"] is True


def test_only_the_detail_of_a_task_has_its_events(ann: Api) -> None:
    task = ann.created()
    [listed] = ann.get("/api/tasks/").json["results"]
    detail = ann.task(task["id"])
    assert detail["events"] == [{"at": task["created_at"], "event": "created"}]
    assert "events" not in task
    assert "events" not in listed
    assert list(detail) == [*task, "events"]


def test_a_finished_task_has_its_result_and_its_times(
    ann: Api, lambdas: Lambdas, clock: Clock
) -> None:
    task = ann.created()
    clock.advance(seconds=1.5)
    lambdas.work_off()
    assert without_events(ann.task(task["id"])) == task | {
        "status": "success",
        "result": 16,
        "attempts": 1,
        "started_at": "2026-02-02T12:00:01.500000+03:00",
        "finished_at": "2026-02-02T12:00:01.500000+03:00",
    }


def test_a_failed_task_says_why(ann: Api, lambdas: Lambdas, define: Define) -> None:
    define(doing(TaskError("There is no such page.", "no_page")))
    task = ann.created("probe", input_data={})
    lambdas.work_off()
    failed = ann.task(task["id"])
    assert (failed["status"], failed["result"]) == ("failure", None)
    assert failed["error"] == {"code": "no_page", "detail": "There is no such page."}


def test_a_running_countdown_shows_its_progress(ann: Api, lambdas: Lambdas, clock: Clock) -> None:
    task = ann.created("countdown", input_data={"seconds": 60})
    assert "progress" not in ann.task(task["id"])
    lambdas.work_off()
    clock.advance(seconds=12.5)
    running = ann.task(task["id"])
    assert running["progress"] == {"remaining_seconds": 48}
    assert list(running) == [*task, "progress", "events"]


def test_a_task_whose_progress_cannot_be_computed_is_shown_without_it(
    ann: Api, lambdas: Lambdas, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    task = ann.created("countdown", input_data={"seconds": 60})
    lambdas.work_off()
    # The type has changed since the task was created, and no longer understands its input.
    changed = replace(
        task_types._types["countdown"], progress=lambda given, _run: {"left": given["minutes"]}
    )
    monkeypatch.setitem(task_types._types, "countdown", changed)
    running = ann.task(task["id"])
    assert (running["status"], "progress" in running) == ("started", False)
    assert "progress_failed" in caplog.messages


def test_progress_never_falls_below_zero(ann: Api, lambdas: Lambdas, clock: Clock) -> None:
    task = ann.created("countdown", input_data={"seconds": 60})
    lambdas.work_off()
    clock.advance(seconds=90)
    assert ann.task(task["id"])["progress"] == {"remaining_seconds": 0}


def test_an_id_in_capitals_is_the_same_id(ann: Api) -> None:
    task = ann.created()
    assert ann.get(f"/api/tasks/{task['id'].upper()}/").json["id"] == task["id"]


def test_the_path_without_its_slash_shows_the_task_as_well(ann: Api) -> None:
    task = ann.created()
    assert ann.get(path(task).rstrip("/")).text == ann.get(path(task)).text


def test_a_task_that_the_user_does_not_have_is_not_found(ann: Api, bob: Api) -> None:
    own, bobs = ann.created()["id"], bob.created()["id"]
    nobodys = [NOBODYS, own[:-1], own + "0", own.replace("-", ""), f"{{{own}}}", f"urn:uuid:{own}"]
    malformed = ["x", "1", "%00", "%F0%9F%98%80", "a" * 2000, f"{own}%20", f"task%23{own}", "*"]
    answers = [ann.get(f"/api/tasks/{task_id}/") for task_id in [bobs, *nobodys, *malformed]]
    assert {answer.status for answer in answers} == {404}
    assert {answer.text for answer in answers} == {
        '{"detail":"No Task matches the given query.","code":"not_found"}'
    }
    headers = [answer.headers | {"x-request-id": ""} for answer in answers]
    assert all(header == headers[0] for header in headers)


def test_an_etag_is_the_same_until_the_task_changes(ann: Api, lambdas: Lambdas) -> None:
    task = ann.created()
    tag = tag_of(ann, task)
    assert tag.startswith('"')
    assert tag_of(ann, task) == tag
    lambdas.work_off()
    assert tag_of(ann, task) != tag


def test_tasks_have_different_etags(ann: Api) -> None:
    assert tag_of(ann, ann.created()) != tag_of(ann, ann.created())


def test_progress_changes_the_etag(ann: Api, lambdas: Lambdas, clock: Clock) -> None:
    task = ann.created("countdown")
    lambdas.work_off()
    tag = tag_of(ann, task)
    clock.advance(seconds=1)
    assert tag_of(ann, task) != tag


@pytest.mark.parametrize(
    "header",
    ["{tag}", "W/{tag}", "*", '"other", {tag}', '"other",W/{tag} , "more"', " {tag} "],
)
def test_a_task_that_the_client_already_has_is_not_sent_again(ann: Api, header: str) -> None:
    task = ann.created()
    tag = tag_of(ann, task)
    answer = ann.get(path(task), headers={"If-None-Match": header.format(tag=tag)})
    assert (answer.status, answer.text) == (304, "")
    assert answer.headers["etag"] == tag
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize("header", ['"other"', "", 'W/"other"', "{bare}", '"*"'])
def test_a_task_that_the_client_has_differently_is_sent(ann: Api, header: str) -> None:
    task = ann.created()
    bare = tag_of(ann, task).strip('"')
    answer = ann.get(path(task), headers={"If-None-Match": header.format(bare=bare)})
    assert (answer.status, without_events(answer.json)) == (200, task)


def test_a_task_that_has_changed_is_sent(ann: Api, lambdas: Lambdas) -> None:
    task = ann.created()
    tag = tag_of(ann, task)
    lambdas.work_off()
    answer = ann.get(path(task), headers={"If-None-Match": tag})
    assert (answer.status, answer.json["status"]) == (200, "success")


def test_a_star_does_not_match_a_missing_task(ann: Api) -> None:
    assert ann.get(f"/api/tasks/{NOBODYS}/", headers={"If-None-Match": "*"}).status == 404


def test_a_head_has_the_same_headers_and_no_body(ann: Api) -> None:
    task = ann.created()
    answer = ann.request("HEAD", path(task))
    assert (answer.status, answer.text) == (200, "")
    assert answer.headers["etag"] == tag_of(ann, task)


def test_clients_should_look_at_a_pending_task_in_a_second(ann: Api, clock: Clock) -> None:
    task = ann.created()
    assert hint(ann, task) == "1"
    clock.advance(minutes=5)
    assert hint(ann, task) == "1"


def test_clients_should_look_at_a_scheduled_task_at_its_time(ann: Api, clock: Clock) -> None:
    task = ann.created(scheduled_at="2026-02-02T12:10")
    assert hint(ann, task) == "600"
    clock.advance(seconds=589.5)
    assert hint(ann, task) == "11"
    clock.advance(seconds=60)
    assert hint(ann, task) == "1"


def test_clients_should_look_at_a_countdown_at_its_end(
    ann: Api, lambdas: Lambdas, clock: Clock
) -> None:
    task = ann.created("countdown", input_data={"seconds": 600})
    lambdas.work_off()
    assert hint(ann, task) == "600"
    clock.move_to(NOON.replace(minute=9, second=59))
    assert hint(ann, task) == "1"


def test_clients_should_look_at_a_running_task_in_a_second(
    ann: Api, lambdas: Lambdas, define: Define
) -> None:
    task = ann.created("probe", input_data={})
    hints = []
    define(lambda: hints.append(hint(ann, task)))
    lambdas.work_off()
    assert hints == ["1"]


def test_clients_should_look_at_a_failed_attempt_when_it_is_tried_again(
    ann: Api, lambdas: Lambdas, clock: Clock, define: Define
) -> None:
    define(doing(Retry(timedelta(seconds=90))))
    task = ann.created("probe", input_data={})
    lambdas.work_off()
    assert hint(ann, task) == "90"
    assert ann.task(task["id"])["events"][-1]["next_try_at"] == shown(NOON + timedelta(seconds=90))
    clock.advance(seconds=89.5)
    assert hint(ann, task) == "1"


def test_clients_need_not_look_at_an_ended_task_again(ann: Api, lambdas: Lambdas) -> None:
    finished, cancelled = ann.created(), ann.created(scheduled_at="2026-02-02T12:10")
    lambdas.work_off()
    ann.post(f"{path(cancelled)}cancel/")
    assert [hint(ann, task) for task in (finished, cancelled)] == [None, None]


def test_a_task_outlives_many_tokens(ann: Api, lambdas: Lambdas, clock: Clock) -> None:
    task = ann.created()
    lambdas.work_off()
    clock.advance(days=300)
    assert ann.get(path(task)).status == 401
    ann.token = security.issue_token(security.ACCESS, ann.user_id, clock.now)
    assert ann.task(task["id"])["result"] == 16
