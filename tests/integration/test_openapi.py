"""The OpenAPI document tells the truth: schemas, examples, statuses, headers and links."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from jsonschema import Draft202012Validator

from tests.drivers import Answer, Api, Clock, Lambdas
from tests.integration.tools import OUTAGE, Fail, Finish, SignUp, document, refusal, validator

Document = dict[str, Any]
Operation = dict[str, Any]

TIMES = [
    "2026-03-01",
    "2026-03-01 15:30",
    "2026-03-01T15:30:00",
    "2026-03-01 15:30:00.000001",
    "2026-03-01T15:30:00,5Z",
    "2026-03-01T15:30+03:00",
    "2026-03-01T15:30:00-0300",
]
NO_TIMES: list[Any] = [
    "",
    "soon",
    "2026-13-01",
    "2026-03-32",
    "2026-03-01 24:01",
    "2026-03-01 15:60",
    "2026-03-01T15:30+24:00",
    1772366400,
    {},
]


def test_the_document_accepts_and_refuses_times_as_the_service_does(ann: Api) -> None:
    check = validator(ann, "TaskRequest")
    for time in TIMES:
        request = {"task_type": "sum", "input_data": {"a": 1, "b": 2}, "scheduled_at": time}
        check.validate(request)
        created = ann.post("/api/tasks/", request)
        assert created.status == 201, time
        ann.post(f"/api/tasks/{created.json['id']}/cancel/")
    for time in NO_TIMES:
        request = {"task_type": "sum", "input_data": {"a": 1, "b": 2}, "scheduled_at": time}
        assert not check.is_valid(request), time
        assert ann.post("/api/tasks/", request).status == 400


# By field of an account: what is accepted, and what is refused.
GOOD = {
    "username": ["a", "Anna.B-c+1@d_e", " ann ", "Ольга", "李", "٣", "x" * 150],
    "password": ["12345678", " 12345678\t", "two words", "пароль-пароль", "x" * 128],
}
BAD: dict[str, list[Any]] = {
    "username": ["", " ", "a b", "a/b", "a\x00", "[a]", "a\x7f", "x" * 151, None, 1],
    "password": ["", "1234567", "  1234567  ", "\x1c\x1c123456", "1234\x005678", "x" * 129, None],
}


@pytest.mark.parametrize("field", ["username", "password"])
def test_the_document_accepts_and_refuses_accounts_as_the_service_does(
    api: Api, field: str
) -> None:
    check = validator(api, "Registration")
    for number, value in enumerate(GOOD[field]):
        account = {"username": f"user{number}", "password": "correct horse"} | {field: value}
        check.validate(account)
        assert api.post("/api/register/", account).status == 201, value
    for value in BAD[field]:
        account = {"username": "user", "password": "correct horse"} | {field: value}
        assert not check.is_valid(account), value
        refused = api.post("/api/register/", account)
        assert (refused.status, list(refused.json)) == (400, [field]), value


def test_the_document_accepts_and_refuses_pages_as_the_service_does(
    ann: Api, finish: Finish
) -> None:
    finish(ann, 61)
    parameters = {
        one["name"]: one
        for one in document(ann)["paths"]["/api/tasks/"]["get"]["parameters"]
        if "name" in one
    }
    page, cursor = (Draft202012Validator(parameters[name]["schema"]) for name in ("page", "cursor"))
    middle = ann.get("/api/tasks/?page=2").json
    for link in (middle["next"], middle["previous"]):
        cursor.validate(parse_qs(urlsplit(link).query)["cursor"][0])
    for wrong in ("A" * 22, "A" * 24, "B" + "A" * 22, "A" * 22 + "B", "A" * 22 + "="):
        assert not cursor.is_valid(wrong)
        assert ann.get(f"/api/tasks/?cursor={wrong}").status == 404
    for number in (1, 2, "last"):
        page.validate(number)
        assert ann.get(f"/api/tasks/?page={number}").status == 200
    for number in (0, -1, 10**9, "first"):
        assert not page.is_valid(number)
        assert ann.get(f"/api/tasks/?page={number}").status == 404


def test_an_empty_parameter_counts_as_missing(ann: Api) -> None:
    for one in document(ann)["paths"]["/api/tasks/"]["get"]["parameters"]:
        if one.get("in") == "query":
            assert one["allowEmptyValue"]
            assert ann.get(f"/api/tasks/?{one['name']}=").status == 200


def operations(found: Document) -> Iterator[tuple[str, str, Operation]]:
    """Yield the method, the path and the description of each operation."""
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def resolve(found: Document, described: dict[str, Any]) -> dict[str, Any]:
    """Return what a reference refers to."""
    for part in described.get("$ref", "").split("/")[1:]:
        found = found[part]
    return found if "$ref" in described else described


def assert_documented(found: Document, operation: Operation, answer: Answer) -> None:
    """The status, the body and the headers are as the document has them."""
    response = resolve(found, operation["responses"][str(answer.status)])
    if "content" in response:
        schema = response["content"]["application/json"]["schema"]
        within = {"components": found["components"], "allOf": [schema]}
        Draft202012Validator(within).validate(answer.json)
    described = {
        name.lower(): resolve(found, header) for name, header in response["headers"].items()
    }
    required = {name for name, header in described.items() if header.get("required")}
    sent = set(answer.headers) - {"content-type"}
    assert required <= sent <= set(described)
    for name in sent:
        schema, value = described[name]["schema"], answer.headers[name]
        is_number = schema["type"] == "integer"
        Draft202012Validator(schema).validate(int(value) if is_number else value)


def bodies(found: Document, operation: Operation) -> list[Any]:
    """Return the examples of an operation's body; None where it has no body."""
    if "requestBody" not in operation:
        return [None]
    model = resolve(found, operation["requestBody"]["content"]["application/json"]["schema"])
    forms = [resolve(found, one) for one in model.get("oneOf", [model])]
    return [example for form in forms for example in form.get("examples", [])]


def test_every_example_of_a_body_gets_a_documented_answer(bob: Api) -> None:
    found = document(bob)
    statuses = set()
    for method, path, operation in operations(found):
        examples = bodies(found, operation)
        assert examples, path
        for body in examples:
            answer = bob.request(method, path.replace("{task_id}", "x"), body)
            assert_documented(found, operation, answer)
            statuses.add((path, answer.status))
    assert {("/api/register/", 201), ("/api/token/", 200), ("/api/tasks/", 201)} <= statuses
    assert 400 not in {status for _, status in statuses}


def test_every_example_of_a_parameter_gets_a_documented_answer(bob: Api) -> None:
    found = document(bob)
    for method, path, operation in operations(found):
        # The body of a registration works once.
        body = bodies(found, operation)[0] if "security" in operation else None
        for parameter in (resolve(found, one) for one in operation["parameters"]):
            schema = parameter["schema"]
            for example in schema.get("examples", schema.get("enum")):
                name, url = parameter["name"], path
                if parameter["in"] == "path":
                    url = path.replace(f"{{{name}}}", example)
                if parameter["in"] == "query":
                    url = f"{path}?{name}={example}"
                headers = {name: example} if parameter["in"] == "header" else None
                answer = bob.request(method, url.replace("{task_id}", "x"), body, headers)
                assert answer.status != 400 or "security" not in operation, (path, name)
                assert_documented(found, operation, answer)


def test_every_example_of_a_time_is_ahead(api: Api, sign_up: SignUp, clock: Clock) -> None:
    clock.advance(days=1000)
    ann = sign_up("ann")
    examples = document(api)["components"]["schemas"]["ScheduledAt"]["examples"]
    assert len(examples) == 3
    for example in examples:
        assert ann.create(scheduled_at=example).status == 201


def test_every_answer_about_a_task_is_as_documented(ann: Api, lambdas: Lambdas) -> None:
    found = document(ann)
    described = {(method, path): operation for method, path, operation in operations(found)}
    create, show = described["POST", "/api/tasks/"], described["GET", "/api/tasks/{task_id}/"]
    cancel = described["POST", "/api/tasks/{task_id}/cancel/"]

    created = ann.create(key="1")
    url = f"/api/tasks/{created.json['id']}/"
    active = ann.get(url)
    same = ann.get(url, headers={"If-None-Match": active.headers["etag"]})
    lambdas.work_off()
    finished, uncancelled = ann.get(url), ann.post(f"{url}cancel/")
    answers = [
        (201, create, created),
        (201, create, ann.create(key="1")),
        (422, create, ann.create("countdown", key="1")),
        (200, show, active),
        (304, show, same),
        (200, show, finished),
        (409, cancel, uncancelled),
        *[(201, create, ann.create()) for _ in range(5)],
        (429, create, ann.create()),
    ]
    for status, operation, answer in answers:
        assert answer.status == status
        assert_documented(found, operation, answer)


def test_every_refusal_is_as_documented(api: Api, ann: Api) -> None:
    found = document(api)
    refusals: list[tuple[Api, dict[str, str], bytes | None]] = [
        (ann, {"Accept": "text/html"}, None),
        (api, {}, None),
        (api, {"Authorization": "Bearer x"}, None),
        (api, {"Authorization": "Bearer x y"}, None),
        (ann, {"Content-Type": "text/plain"}, b"x"),
        (ann, {"Content-Type": "application/json"}, b"{"),
        (ann, {"Content-Type": "application/json"}, b"[]"),
        (ann, {"Content-Type": "application/json"}, b" " * (64 * 1024 + 1)),
        (ann, {"Content-Type": "application/json", "Idempotency-Key": " "}, b"{}"),
    ]
    for method, path, operation in operations(found):
        for user, headers, raw in refusals:
            answer = user.request(method, path.replace("{task_id}", "x"), headers=headers, raw=raw)
            assert_documented(found, operation, answer)


def test_every_failure_is_as_documented(ann: Api, fail: Fail) -> None:
    found = document(ann)
    create = found["paths"]["/api/tasks/"]["post"]
    for status, error in ((503, OUTAGE), (500, refusal("AccessDeniedException"))):
        recover = fail("TransactWriteItems", error)
        answer = ann.create()
        recover()
        assert answer.status == status
        assert_documented(found, create, answer)


def test_pages_of_other_sites_may_read_every_header_of_the_document(api: Api) -> None:
    found = document(api)
    documented = {
        name
        for _, _, operation in operations(found)
        for response in operation["responses"].values()
        for name in resolve(found, response)["headers"]
    }
    # The Fetch standard lets pages read Cache-Control anyway; the others are for browsers.
    for_browsers = {
        *("Cache-Control", "Vary", "X-Content-Type-Options"),
        *("Content-Security-Policy", "Referrer-Policy", "Strict-Transport-Security"),
    }
    cors = {name for name in documented if name.startswith("Access-Control-")}
    exposed = api.get("/api/health/").headers["access-control-expose-headers"]
    assert documented - for_browsers - cors == set(exposed.split(","))


def test_pages_of_other_sites_may_send_every_header_of_the_document(api: Api) -> None:
    found = document(api)
    documented = {
        parameter["name"]
        for _, _, operation in operations(found)
        for parameter in (resolve(found, one) for one in operation["parameters"])
        if parameter["in"] == "header"
    }
    allowed = api.get("/api/health/").headers["access-control-allow-headers"]
    # OpenAPI describes these two with the security and the body of an operation.
    assert documented | {"Authorization", "Content-Type"} == set(allowed.split(","))


def test_every_link_leads_to_an_operation_that_takes_it(api: Api) -> None:
    found = document(api)
    described = {operation["operationId"]: operation for _, _, operation in operations(found)}
    links = [
        (name, link)
        for name, operation in described.items()
        for response in operation["responses"].values()
        for link in response.get("links", {}).values()
    ]
    for _, link in links:
        taken = described[link["operationId"]]["parameters"]
        assert set(link.get("parameters", {})) <= {one.get("name") for one in taken}
    created = {link["operationId"] for name, link in links if name == "tasks_create"}
    assert created == {"tasks_show", "tasks_cancel", "tasks_list"}
    shown = {link["operationId"] for name, link in links if name == "tasks_show"}
    assert shown == {"tasks_cancel"}


def examples(found: Document, content: dict[str, Any]) -> list[Any]:
    """Return the examples of a body, or else those of its schema."""
    own = [example["value"] for example in content.get("examples", {}).values()]
    schema = resolve(found, content["schema"])
    return own or schema.get("examples", [])


def test_every_answer_with_a_body_has_examples_that_fit_it(api: Api) -> None:
    found = document(api)
    for _, path, operation in operations(found):
        for status, response in operation["responses"].items():
            content = resolve(found, response).get("content", {}).get("application/json")
            if status == "304":
                assert content is None
                continue
            check = Draft202012Validator(
                {"components": found["components"], "allOf": [content["schema"]]}
            )
            assert examples(found, content), (path, status)
            for example in examples(found, content):
                check.validate(example)
