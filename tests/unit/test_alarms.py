"""The alarms and the dashboard of infra/resources.yaml watch what exists, and say what to do."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib import lifecycle
from infra import sam_template
from tests import cloud
from tests.unit.resources import (
    CONFIG,
    FUNCTIONS,
    OPERATIONS,
    RESOURCES,
    name_of,
    of_type,
    properties,
    text,
)

ALARMS = {name: one["Properties"] for name, one in of_type("AWS::CloudWatch::Alarm").items()}
#: The metrics that the service emits, with the dimension `service`.
OWN = {
    *("TasksCreated", "TasksFinished", "QueueWaitMs", "LatenessMs", "RunTimeMs"),
    *("Retries", "SweepRescued", "SweepLeftOver", "DeadLetters", "RecordsFailed"),
}


def metrics(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the metrics of an alarm, however many it has."""
    if "MetricName" in alarm:
        return [alarm]
    stats = [one["MetricStat"] for one in alarm["Metrics"] if "MetricStat" in one]
    return [one["Metric"] for one in stats]


def watched(namespace: str, metric: str) -> Iterator[str]:
    """Yield the value of the first dimension of each alarm on a metric."""
    for alarm in ALARMS.values():
        for one in metrics(alarm):
            if (one["Namespace"], one["MetricName"]) == (namespace, metric):
                yield name_of(one["Dimensions"][0]["Value"], "prod")


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_says_what_to_do_first_and_where_to_read_more(name: str) -> None:
    description = ALARMS[name]["AlarmDescription"]
    assert " First " in description
    sections = re.findall(r'See "(.+)" in docs/operations\.md\.$', description)
    assert len(sections) == 1
    assert f"\n### {sections[0]}\n" in OPERATIONS


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_notifies_the_topic(name: str) -> None:
    assert ALARMS[name]["AlarmActions"] == [{"Ref": "AlarmTopic"}]


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_watches_something_that_exists(name: str) -> None:
    table = name_of({"Ref": "Table"}, "prod")
    known = {
        "FunctionName": {f"tasks-prod{suffix}" for suffix in FUNCTIONS.values()},
        "QueueName": {name_of({"Ref": queue}, "prod") for queue in of_type("AWS::SQS::Queue")},
        "ApiName": {CONFIG["app_name"]},
        "Stage": {CONFIG["stages"]["prod"]["api_gateway_stage"]},
        "ScheduleGroup": {name_of({"Ref": "ScheduleGroup"}, "prod")},
        "TableName": {table},
        "GlobalSecondaryIndexName": {
            one["IndexName"] for one in properties("Table")["GlobalSecondaryIndexes"]
        },
        "Operation": {
            *("BatchGetItem", "GetItem", "PutItem", "Query", "TransactWriteItems", "UpdateItem")
        },
        # Powertools' name for the service, which the metrics' code takes from the table.
        "service": {table},
    }
    for metric in metrics(ALARMS[name]):
        for dimension in metric["Dimensions"]:
            assert name_of(dimension["Value"], "prod") in known[dimension["Name"]]


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_on_the_services_metrics_uses_a_name_that_it_emits(name: str) -> None:
    used = {one["MetricName"] for one in metrics(ALARMS[name]) if one["Namespace"] == "Tasks"}
    assert used <= OWN


@pytest.mark.parametrize("name", [name for name, one in ALARMS.items() if "Metrics" in one])
def test_an_alarm_on_a_sum_counts_metrics_without_data_as_zero(name: str) -> None:
    total, *summands = ALARMS[name]["Metrics"]
    assert total["Expression"] == "SUM(FILL(METRICS(), 0))"
    assert all(one["ReturnData"] is False for one in summands)
    assert len({one["Id"] for one in summands}) == len(summands)
    assert len({one["MetricStat"]["Period"] for one in summands}) == 1


def test_the_names_of_alarms_are_unique_and_of_the_stage() -> None:
    names = [text(alarm["AlarmName"], "prod") for alarm in ALARMS.values()]
    assert len(set(names)) == len(names)
    assert all(name.startswith("tasks-prod-") for name in names)


@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
def test_every_function_has_an_alarm_on(metric: str) -> None:
    assert set(watched("AWS/Lambda", metric)) == {
        f"tasks-prod{suffix}" for suffix in FUNCTIONS.values()
    }


@pytest.mark.parametrize("metric", ["LatenessMs", "RecordsFailed", "SweepLeftOver"])
def test_an_alarm_watches_the_services_own(metric: str) -> None:
    assert list(watched("Tasks", metric)) == ["tasks-prod"]


def test_lateness_is_an_alarm_by_its_99th_percentile() -> None:
    assert ALARMS["LatenessAlarm"]["ExtendedStatistic"] == "p99"


def test_a_schedule_that_is_given_up_is_an_alarm() -> None:
    assert list(watched("AWS/Scheduler", "InvocationDroppedCount")) == ["tasks-prod"]


def test_every_dead_letter_queue_has_an_alarm_at_the_first_message() -> None:
    queues = {
        name_of(alarm["Dimensions"][0]["Value"], "prod")
        for alarm in ALARMS.values()
        if alarm.get("Namespace") == "AWS/SQS" and alarm["Threshold"] == 1
    }
    assert queues == {"tasks-prod-dead-letters", "tasks-prod-schedule-dead-letters"}


def test_no_delay_of_a_message_makes_it_look_old() -> None:
    assert ALARMS["OldestMessageAlarm"]["Threshold"] > lifecycle.MAX_DELAY.total_seconds()


def test_a_sweeper_that_stops_notifies_and_one_that_never_ran_does_not() -> None:
    alarm = ALARMS["SweeperStoppedAlarm"]
    assert alarm["TreatMissingData"] == "missing"
    assert alarm["InsufficientDataActions"] == [{"Ref": "AlarmTopic"}]


def test_only_the_sweepers_silence_is_an_alarm() -> None:
    silent = {name for name, one in ALARMS.items() if one["TreatMissingData"] == "notBreaching"}
    assert set(ALARMS) - silent == {"SweeperStoppedAlarm"}


def test_alarms_are_mailed_only_to_a_given_address() -> None:
    assert cloud.template()["Parameters"]["AlarmEmail"]["Default"] == ""
    assert RESOURCES["AlarmSubscription"]["Condition"] == "HasAlarmEmail"


def test_the_alarms_that_end_a_canary_decide_within_its_ten_minutes() -> None:
    for name in {name for names in sam_template.CANARIES.values() for name in names}:
        alarm = ALARMS[name]
        [period] = {
            one["MetricStat"]["Period"] for one in alarm.get("Metrics", []) if "MetricStat" in one
        } or {alarm.get("Period")}
        assert period * alarm["DatapointsToAlarm"] <= 300, name


def widgets() -> list[dict[str, Any]]:
    body = properties("Dashboard")["DashboardBody"]["Fn::Sub"]
    return [widget["properties"] for widget in json.loads(body)["widgets"]]


def test_the_dashboard_is_json_and_refers_to_resources_of_the_stack() -> None:
    body = properties("Dashboard")["DashboardBody"]["Fn::Sub"]
    references = set(re.findall(r"\$\{([A-Za-z]+)(?:\.\w+)?\}", body))
    assert references <= {*RESOURCES, "Stage"}
    titles = [widget["title"] for widget in widgets()]
    assert len(set(titles)) == len(titles)


def test_the_dashboard_shows_every_metric_of_the_service_and_no_other() -> None:
    shown, namespace = set(), ""
    for widget in widgets():
        for row in widget["metrics"]:
            namespace = row[0] if row[0] != "." else namespace
            if namespace == "Tasks" and row[1] != ".":
                shown.add(row[1])
    assert shown == OWN


@pytest.mark.parametrize("subject", ["Wait and lateness", "Outcome", "Cost drivers"])
def test_the_dashboard_shows(subject: str) -> None:
    assert [widget for widget in widgets() if widget["title"].startswith(subject)]
