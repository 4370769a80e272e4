"""The processes of `make run`: none stays dead, none outlives it."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import cloud
from tests.e2e.conftest import LocalService, running, wait_for
from tests.e2e.test_walk_through import SUM, create, finished


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def service(data: Path) -> Iterator[LocalService]:
    with LocalService(data).run() as service:
        yield service


def test_a_process_that_is_killed_is_started_again(service: LocalService) -> None:
    ann = service.sign_up("ann")
    all_of_them = service.processes()
    killed = all_of_them - service.processes("aws")
    for process in killed:
        os.kill(process, signal.SIGKILL)
    wait_for(lambda: len(service.processes() - killed) == len(all_of_them))
    assert finished(ann, create(ann, SUM))["result"] == 16


def test_a_killed_run_leaves_no_process_behind_and_keeps_its_data(service: LocalService) -> None:
    ann = service.sign_up("ann")
    done = finished(ann, create(ann, SUM))
    left = service.processes()
    service.kill()
    wait_for(lambda: not left & {process for process, _, _ in running()})

    service.start()
    assert service.sign_in("ann").get(f"/api/tasks/{done['id']}/").json() == done


@pytest.mark.skipif(cloud.IN_LOCALSTACK, reason="LocalStack has its data elsewhere")
def test_the_data_is_readable_only_by_its_owner(service: LocalService, data: Path) -> None:
    assert service.stop() == 0
    modes = {path.stat().st_mode & 0o777 for path in data.rglob("*") if path.is_file()}
    assert (data.stat().st_mode & 0o777, modes) == (0o700, {0o600})
    service.start()
