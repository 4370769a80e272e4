"""The service from the outside: over HTTP, in real time, with nothing replaced."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from infra.gateway import SECURITY_HEADERS
from tests.e2e.conftest import LocalService, Service, wait_for

MOSCOW = ZoneInfo("Europe/Moscow")
SUM = {"task_type": "sum", "input_data": {"values": [1, 2, 3, 10]}}


def in_moscow(**ahead: float) -> str:
    """Return a time in Moscow as people write it: without an offset, to the second."""
    return (datetime.now(MOSCOW) + timedelta(**ahead)).strftime("%Y-%m-%d %H:%M:%S")


def create(client: httpx.Client, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post("/api/tasks/", json=body)
    assert answer.status_code == 201, answer.text
    task: dict[str, Any] = answer.json()
    return task


def finished(client: httpx.Client, task: dict[str, Any], patience: float = 30) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        now: dict[str, Any] = client.get(f"/api/tasks/{task['id']}/").json()
        return now if now["finished_at"] else None

    done: dict[str, Any] = wait_for(look, patience)
    return done


def assert_punctual(task: dict[str, Any]) -> None:
    late = datetime.fromisoformat(task["started_at"]) - datetime.fromisoformat(task["scheduled_at"])
    assert timedelta(0) <= late <= timedelta(seconds=2), task


def test_a_user_hands_over_tasks_and_watches_them_finish(service: Service) -> None:
    ann = service.sign_up("ann")
    soon = create(ann, SUM | {"scheduled_at": in_moscow(seconds=70)})

    assert finished(ann, create(ann, SUM))["result"] == 16

    countdown = create(ann, {"task_type": "countdown", "input_data": {"seconds": 2}})
    progress = wait_for(lambda: ann.get(f"/api/tasks/{countdown['id']}").json().get("progress"))
    assert 0 <= progress["remaining_seconds"] <= 2
    done = finished(ann, countdown)
    assert done["result"] == {"seconds": 2}
    took = datetime.fromisoformat(done["finished_at"]) - datetime.fromisoformat(done["started_at"])
    assert timedelta(seconds=2) <= took <= timedelta(seconds=4)

    near = create(ann, SUM | {"scheduled_at": in_moscow(seconds=4)})
    assert_punctual(finished(ann, near))

    tomorrow = create(ann, SUM | {"scheduled_at": in_moscow(days=1)})
    cancelled = ann.post(f"/api/tasks/{tomorrow['id']}/cancel/")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")

    assert_punctual(finished(ann, soon, patience=90))


def test_the_sixth_active_task_is_refused_and_other_users_are_not_affected(
    service: Service,
) -> None:
    bob, eve = service.sign_up("bob"), service.sign_up("eve")
    tasks = [create(bob, SUM | {"scheduled_at": in_moscow(days=1)}) for _ in range(5)]

    sixth = bob.post("/api/tasks/", json=SUM)
    assert (sixth.status_code, sixth.json()["code"]) == (429, "active_task_limit")
    assert eve.get(f"/api/tasks/{tasks[0]['id']}/").status_code == 404
    assert eve.get("/api/tasks/").json()["count"] == 0
    assert finished(eve, create(eve, SUM))["result"] == 16


def test_pages_of_45_tasks_hold_each_task_once(service: Service) -> None:
    ida = service.sign_up("ida")
    made = [finished(ida, create(ida, SUM))["id"] for _ in range(45)]

    seen: list[str] = []
    url = "/api/tasks/"
    while url:
        page = ida.get(url).json()
        assert page["count"] == 45
        seen += [task["id"] for task in page["results"]]
        url = page["next"]
    assert seen == made[::-1]


def test_200_parallel_creates_give_exactly_five_tasks(service: Service) -> None:
    lea = service.sign_up("lea")
    body = SUM | {"scheduled_at": in_moscow(days=1)}
    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(lambda _: lea.post("/api/tasks/", json=body), range(200)))
    assert Counter(answer.status_code for answer in answers) == {201: 5, 429: 195}
    assert lea.get("/api/tasks/?status=pending").json()["count"] == 5


def test_tasks_that_finish_meanwhile_never_make_more_than_five_active(service: Service) -> None:
    kim = service.sign_up("kim")
    created = [0]
    with ThreadPoolExecutor(50) as threads:
        answers = [threads.submit(kim.post, "/api/tasks/", json=SUM) for _ in range(200)]
        while not all(answer.done() for answer in answers):
            page = kim.get("/api/tasks/").json()
            active = [task for task in page["results"] if task["finished_at"] is None]
            assert len(active) <= 5
            created.append(page["count"])
    statuses = Counter(answer.result().status_code for answer in answers)
    assert set(statuses) == {201, 429}
    wait_for(lambda: kim.get("/api/tasks/?status=success").json()["count"] == statuses[201])


def test_unknown_paths_answer_in_the_shape_of_every_error(service: Service) -> None:
    answer = service.client().get("/api/nothing/here/")
    assert answer.status_code == 404
    assert answer.json() == {"detail": "Not found.", "code": "not_found"}
    assert answer.headers["X-Request-Id"]
    assert {name: answer.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS


def test_data_survives_a_restart(tmp_path_factory: Any) -> None:
    service = LocalService(tmp_path_factory.mktemp("restart"))
    with service.run():
        ann = service.sign_up("ann")
        done = finished(ann, create(ann, SUM))
        later = create(ann, SUM | {"scheduled_at": in_moscow(seconds=12)})
    with service.run():
        ann = service.sign_in("ann")
        assert ann.get(f"/api/tasks/{done['id']}/").json() == done
        assert finished(ann, later)["result"] == 16
        assert datetime.now(UTC) >= datetime.fromisoformat(later["scheduled_at"])
