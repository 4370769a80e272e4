"""What a sweep reports: tasks due, rescued and left over."""

import pytest

from tests import cloud
from tests.drivers import Api, Clock, sweep
from tests.integration.sweeps import lost, reports
from tests.integration.tools import Fail, minutes_pass


def test_a_sweep_reports_what_it_rescued_in_cloudwatchs_metric_format(
    ann: Api, clock: Clock, fail: Fail, capsys: pytest.CaptureFixture[str]
) -> None:
    lost(ann, fail)
    clock.advance(minutes=1)
    reports(capsys)
    sweep()
    [report] = reports(capsys)
    assert report["_aws"]["CloudWatchMetrics"] == [
        {
            "Namespace": "Tasks",
            "Dimensions": [["service"]],
            "Metrics": [{"Name": "SweepRescued", "Unit": "Count"}],
        }
    ]
    assert (report["service"], report["SweepRescued"]) == (cloud.ENVIRONMENT["TABLE_NAME"], [1])


def test_a_sweep_says_how_many_tasks_were_due_were_rescued_and_were_left_over(
    ann: Api, clock: Clock, fail: Fail, caplog: pytest.LogCaptureFixture
) -> None:
    lost(ann, fail)
    ann.post(f"/api/tasks/{lost(ann, fail)['id']}/cancel/")
    clock.advance(minutes=1)
    sweep()
    [line] = [vars(record) for record in caplog.records if record.msg == "sweep_finished"]
    assert (line["due"], line["rescued"], line["left_over"]) == (1, 1, 0)


def test_a_sweep_without_due_tasks_writes_nothing(
    ann: Api, clock: Clock, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    reports(capsys)
    caplog.clear()
    sweep()
    assert (reports(capsys), caplog.messages) == ([], [])


def test_each_rescue_is_logged_with_its_task(
    ann: Api, clock: Clock, fail: Fail, caplog: pytest.LogCaptureFixture
) -> None:
    task = lost(ann, fail)
    minutes_pass(clock, 1)
    [rescue] = [vars(record) for record in caplog.records if record.msg == "task_rescued"]
    assert (rescue["task_id"], rescue["status"]) == (task["id"], "pending")
