"""The story of a user in a browser, from registering to cancelling, with all that may go wrong."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import PASSWORD, PHONE, Console, Open
from tests.e2e.test_walk_through import create, in_moscow

SUM = {"task_type": "sum", "input_data": {"values": [1, 2, 3, 10]}}
BIG = "12345678901234567890.10 0.1 -98765432109876543210"


@pytest.fixture
def console(tab: Open, name: str) -> Console:
    """A tab of a new user who has signed in."""
    return tab().sign_up(name)


# -- accounts


def test_a_new_user_registers_and_finds_five_free_slots(tab: Open, name: str) -> None:
    console = tab().sign_up(name)
    expect(console.find(".slots")).to_contain_text("0 of 5 taken")
    expect(console.find(".slots li.free")).to_have_count(5)
    expect(console.find(".empty")).to_contain_text("No tasks yet")
    expect(console.find(".name")).to_have_text(name)
    console.find("#free").click()
    expect(console.find(".form :focus")).to_have_count(1)


def test_faults_of_a_registration_stand_at_their_fields(tab: Open) -> None:
    console = tab().open()
    console.expected = {400}
    console.find("#other").click()
    console.find("#username").fill("not a name")
    console.find("#password").fill("short")
    console.find("#sign").click()
    expect(console.find("#username-error")).to_contain_text("Enter a valid username.")
    expect(console.find("#password-error")).to_contain_text("too short")
    expect(console.find("#username")).to_be_focused()
    expect(console.find("#username")).to_have_attribute("aria-invalid", "true")


def test_a_wrong_password_is_told_in_words(tab: Open, name: str) -> None:
    console = tab().open()
    console.expected = {401}
    console.find("#username").fill(name)
    console.find("#password").fill("wrong password")
    console.find("#sign").click()
    expect(console.find("[role=alert]")).to_have_text(
        re.compile("The username or the password is wrong")
    )


def test_a_reload_stays_signed_in_and_a_script_finds_no_token(console: Console) -> None:
    console.page.reload()
    expect(console.find("#create")).to_be_visible()
    kept = console.page.evaluate(
        "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
    )
    assert re.search(r"[\w-]{20,}\.[\w-]{20,}\.", kept) is None
    [cookie] = console.page.context.cookies(f"{console.url}/console/session/")
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Strict")
    assert console.page.context.cookies(console.url) == []


def test_signing_out_signs_out_every_tab(console: Console) -> None:
    other = Console(console.page.context.new_page(), console.url).open()
    expect(other.find("#create")).to_be_visible()
    console.find("#sign-out").click()
    for tab in (console, other):
        expect(tab.find("#sign")).to_be_visible()
    assert other.faults == []
    console.page.reload()
    expect(console.find("#sign")).to_be_visible()


def test_a_user_signs_in_again(console: Console, name: str) -> None:
    console.find("#sign-out").click()
    console.find("#username").fill(name)
    console.find("#password").fill(PASSWORD)
    console.page.keyboard.press("Enter")
    expect(console.find("#create")).to_be_visible()


def test_an_access_token_that_has_expired_is_renewed_unseen(console: Console) -> None:
    console.expected = {401}
    refused = {"detail": "Token is expired", "code": "token_not_valid"}
    console.page.route(
        "**/api/tasks/?*", lambda route: route.fulfill(status=401, json=refused), times=1
    )
    console.requests.clear()
    console.find("#filter-success").click()
    expect(console.find(".empty")).to_contain_text("Nothing has finished yet")
    assert console.asked() == [
        "GET /api/tasks/?status=success",
        "POST /console/session/refresh/",
        "GET /api/tasks/?status=success",
    ]


def test_a_session_that_has_ended_leads_to_the_sign_in(console: Console) -> None:
    console.expected = {401}
    console.page.context.clear_cookies()
    console.page.route("**/api/tasks/?*", lambda route: route.fulfill(status=401, json={}), times=1)
    console.find("#filter-success").click()
    expect(console.find("#sign")).to_be_visible()


# -- making tasks


def test_a_task_shows_its_result_at_once_and_in_the_history(console: Console) -> None:
    console.create("Sum", "0.1 0.2")
    expect(console.find("output")).to_have_text("0.3")
    expect(console.find(".row")).to_contain_text("= 0.3")


def test_a_new_type_appears_without_an_edit(tab: Open, name: str) -> None:
    console = tab()
    schema = {
        "type": "object",
        "properties": {
            "to": {"type": "string", "title": "Recipient", "maxLength": 40},
            "copies": {"type": "integer", "minimum": 1, "default": 2},
            "urgent": {"type": "boolean", "title": "Urgent"},
            "colour": {"enum": ["red", "blue"], "title": "Colour"},
            "lines": {"type": "array", "items": {"type": "string"}, "title": "Lines"},
            "more": {"type": "object", "title": "More"},
        },
        "required": ["to"],
    }
    types = [{"task_type": "letter", "description": "Writes a letter.", "input_schema": schema}]
    sent: list[Any] = []

    def refuse(route: Route) -> None:
        if route.request.method != "POST":
            return route.fallback()
        sent.append(json.loads(route.request.post_data or ""))
        reasons = {"copies": ["No paper."], "more": {"deep": ["Too deep."]}}
        return route.fulfill(status=400, json={"input_data": reasons, "task_type": ["Unknown."]})

    console.expected = {400}
    console.page.route("**/api/task-types/", lambda route: route.fulfill(json=types))
    console.page.route("**/api/tasks/", refuse)
    console.sign_up(name)
    expect(console.find(".form")).to_contain_text("Writes a letter.")
    console.page.get_by_label("Recipient").fill("Bob")
    console.page.get_by_label("Urgent").check()
    console.page.get_by_label("Colour").select_option("blue")
    console.page.get_by_label("Lines").fill("one\ntwo\n")
    console.page.get_by_label("More").fill('{"deep": 1.10}')
    console.find("#create").click()
    expect(console.find("#field-1-error")).to_have_text("No paper.")
    expect(console.find("#field-5-error")).to_have_text("deep: Too deep.")
    expect(console.find("#task_type-error")).to_have_text("Unknown.")
    assert sent == [
        {
            "task_type": "letter",
            "input_data": {
                "to": "Bob",
                "copies": 2,
                "urgent": True,
                "colour": "blue",
                "lines": ["one", "two"],
                "more": {"deep": 1.10},
            },
        }
    ]


def test_the_services_errors_land_on_their_fields(console: Console) -> None:
    console.expected = {400}
    console.choose("Countdown")
    console.find("#field-0").fill("-5")
    console.choose("At a set time")
    console.find("#day").fill("2020-01-01")
    console.find("#create").click()
    expect(console.find("#field-0-error")).to_have_text(
        "Ensure this value is greater than or equal to 0."
    )
    expect(console.find("#scheduled_at-error")).to_have_text("The time must not be in the past.")
    expect(console.find("#field-0")).to_be_focused()
    console.choose("Sum")
    console.find("#field-0").fill("1 two 3")
    console.find("#create").click()
    expect(console.find("#field-0-error")).to_have_text("No. 2: A valid number is required.")


def test_a_comma_that_could_mean_two_things_is_asked_about(console: Console) -> None:
    console.choose("Sum")
    console.find("#field-0").fill("1,5 2")
    console.asked()
    console.find("#create").click()
    expect(console.find("#field-0-error")).to_contain_text("“1,5”")
    assert console.asked() == []


def test_a_double_click_makes_one_task(console: Console) -> None:
    console.choose("Sum")
    console.find("#field-0").fill("1 2")
    box = console.find("#create").bounding_box()
    assert box
    place = (box["x"] + 5, box["y"] + 5)
    with console.page.expect_response("**/api/tasks/"):
        console.page.mouse.dblclick(*place)
    # However fast the answer is, the second click may come after it.
    expect(console.find("output")).to_have_text("3")
    console.page.mouse.click(*place)
    console.asked()
    with console.client() as client:
        assert client.get("/api/tasks/").json()["count"] == 1


def test_an_answer_that_got_lost_makes_no_second_task(console: Console) -> None:
    console.choose("Sum")
    console.find("#field-0").fill("1 2")

    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    console.page.route("**/api/tasks/", lose, times=1)
    console.find("#create").click()
    expect(console.find(".problems")).to_contain_text("cannot be reached")
    console.faults.clear()
    console.find("#create").click()
    expect(console.find("output")).to_have_text("3")
    with console.client() as client:
        assert client.get("/api/tasks/").json()["count"] == 1


def test_every_digit_arrives_is_shown_copied_and_downloaded(tab: Open, name: str) -> None:
    console = tab(permissions=["clipboard-read", "clipboard-write"]).sign_up(name)
    console.create("Sum", BIG)
    expect(console.find("output")).to_have_text("-86419753208641975319.80")
    console.find(".done a").click()
    shown = [
        "-86419753208641975319.80",
        '{"values": [12345678901234567890.10, 0.1, -98765432109876543210]}',
    ]
    expect(console.find("pre")).to_have_text(shown)
    copied = []
    for button in console.find(".document button", has_text=re.compile("Cop(y|ied)")).all():
        button.click()
        expect(button).to_have_text("Copied")
        copied.append(console.page.evaluate("navigator.clipboard.readText()"))
    with console.page.expect_download() as download:
        console.find(".document button", has_text="Download").last.click()
    saved = Path(download.value.path()).read_text()
    assert copied == [shown[0], shown[1].replace(" ", "")]
    assert saved == copied[1]
    assert re.fullmatch(r"task-[0-9a-f-]{36}-input\.json", download.value.suggested_filename)


def test_a_time_is_moscows_with_the_browsers_own_beside_it(console: Console) -> None:
    console.choose("Sum")
    console.find("#field-0").fill("5 5")
    console.choose("At a set time")
    expect(console.find(".zone")).to_have_text("Moscow time, MSK (UTC+3)")
    day = in_moscow(days=2)[:10]
    console.find("#day").fill(day)
    console.find("#clock").fill("23:30")
    expect(console.find(".meant")).to_contain_text("05:30 GMT+9, your time")
    console.find("#create").click()
    expect(console.find(".card")).to_contain_text("Scheduled")
    expect(console.find(".card")).to_contain_text("23:30:00 MSK")
    with console.client() as client:
        [task] = client.get("/api/tasks/").json()["results"]
    assert task["scheduled_at"] == f"{day}T23:30:00+03:00"


def test_the_sixth_task_is_refused_with_the_time_of_the_next_slot(console: Console) -> None:
    with console.client() as client:
        create(client, {"task_type": "countdown", "input_data": {"seconds": 3600}})
        for _ in range(4):
            create(client, SUM | {"scheduled_at": in_moscow(days=1)})
    console.page.reload()
    expect(console.find(".card")).to_have_count(5)
    expect(console.find(".next")).to_have_text(re.compile(r"Next slot frees in 59:\d\d"))
    console.expected = {429}
    console.choose("Sum")
    console.find("#field-0").fill("1 2")
    console.find("#create").click()
    expect(console.find(".notice.wait")).to_have_text(
        re.compile(r"All five slots are taken\. The next one frees in 59:\d\d\.")
    )
    console.find(".row .icon-only").first.click()
    expect(console.find(".toast")).to_contain_text("All five slots are taken.")
    console.find(".card", has_text="Scheduled").first.click()
    expect(console.find(".toast")).to_have_count(0)
    console.find("#cancel").click()
    console.find("#yes").click()
    console.find("#back").click()
    expect(console.find(".slots li.free")).to_have_count(1)
    expect(console.find(".notice.wait")).to_have_count(0)
    console.find("#create").click()
    expect(console.find("output")).to_have_text("3")


# -- watching


def test_a_task_is_watched_to_its_end_without_a_reload(console: Console) -> None:
    console.create("Countdown", "2")
    expect(console.find(".card .badge")).to_have_text("Waiting")
    expect(console.find(".card")).to_contain_text("ends in")
    console.find(".card").click()
    expect(console.find(".timeline .now")).to_contain_text("waits")
    expect(console.find(".task-head .badge")).to_have_text("Done")
    expect(console.find("#live")).to_have_text("Countdown: done.")
    expect(console.find(".slots li.free")).to_have_count(5)
    expect(console.find(".timeline .event strong")).to_have_text(
        ["Created", "Started", "Paused", "Started, attempt 2", "Done"]
    )
    expect(console.find(".timeline .stretch.wait > span:first-child")).to_have_text(
        ["waited in the queue", "waited"]
    )
    expect(console.find(".timeline .stretch.run").first).to_contain_text("ran")


def test_a_task_that_waits_is_asked_for_when_the_service_says_and_by_its_tag(
    console: Console,
) -> None:
    console.page.clock.install()
    console.create("Countdown", "3600")
    expect(console.find(".card .badge")).to_have_text("Waiting")
    console.asked()
    console.page.clock.fast_forward("30:00")
    assert console.asked() == []
    with console.page.expect_response("**/api/tasks/*/") as response:
        console.page.clock.fast_forward("31:00")
    assert response.value.status == 304
    assert "if-none-match" in response.value.request.headers


def test_a_tab_that_nobody_sees_or_that_has_nothing_to_watch_sends_nothing(
    console: Console,
) -> None:
    console.page.clock.install()
    console.create("Sum", "1 2")
    console.page.wait_for_load_state("networkidle")
    console.asked()
    console.page.clock.fast_forward("02:00:00")
    assert console.asked() == []
    console.create("Countdown", "3600")
    expect(console.find(".card .badge")).to_have_text("Waiting")
    console.hide(hidden=True)
    console.asked()
    console.page.clock.fast_forward("02:00:00")
    assert console.asked() == []
    with console.page.expect_response("**/api/tasks/*/"):
        console.hide(hidden=False)
    expect(console.find(".card .badge")).to_have_text("Waiting")
    console.hide(hidden=True)
    console.create("Countdown", "3600")
    console.asked()
    console.page.clock.fast_forward("02:00:00")
    assert console.asked() == []


def test_an_outage_is_told_and_survived(console: Console) -> None:
    console.expected = {503}
    answer = {"detail": "Service temporarily unavailable.", "code": "unavailable"}
    console.page.route("**/api/tasks/?*", lambda route: route.fulfill(status=503, json=answer))
    console.find("#filter-failure").click()
    expect(console.find(".history [role=alert]")).to_contain_text("overloaded for the moment")
    console.page.unroute("**/api/tasks/?*")
    console.find(".history [role=alert] button").click()
    expect(console.find(".empty")).to_contain_text("No failures")


# -- history


def test_filters_and_pages_are_in_the_address_and_back_works(console: Console) -> None:
    with console.client() as client:
        for _ in range(21):
            client.post("/api/tasks/", json=SUM, headers={"Prefer": "wait"}).raise_for_status()
    console.page.reload()
    expect(console.find(".row")).to_have_count(20)
    expect(console.find(".pages")).to_contain_text("Page 1 of 2")
    console.find("#next").click()
    expect(console.find(".row")).to_have_count(1)
    expect(console.find(".pages")).to_contain_text("Page 2 of 2")
    console.page.reload()
    expect(console.find(".row")).to_have_count(1)
    console.find("#filter-cancelled").click()
    expect(console.find(".empty")).to_contain_text("Nothing was cancelled")
    expect(console.find("#filter-cancelled")).to_have_attribute("aria-current", "page")
    expect(console.page).to_have_url(f"{console.url}/#status=cancelled")
    console.page.go_back()
    expect(console.find(".pages")).to_contain_text("Page 2 of 2")
    console.page.go_back()
    expect(console.find(".row")).to_have_count(20)


def test_a_page_that_does_not_exist_leads_back(console: Console) -> None:
    console.expected = {404}
    console.open("/#page=7")
    expect(console.find(".history .empty")).to_contain_text("There is no such page.")
    console.find(".history .empty a").click()
    expect(console.find(".empty")).to_contain_text("No tasks yet")


def test_again_makes_the_same_task_and_edit_fills_the_form(console: Console) -> None:
    console.create("Sum", BIG)
    console.find(".row .icon-only").click()
    expect(console.find("h1", has_text="Sum")).to_be_focused()
    expect(console.find("pre").first).to_have_text("-86419753208641975319.80")
    console.find("#edit").click()
    expect(console.find("#field-0")).to_have_value(BIG.replace(" ", "\n"))
    expect(console.find("#field-0")).to_be_focused()
    expect(console.find(".row")).to_have_count(2)
    console.find("#field-0").fill("1 2")
    console.find("#create").click()
    expect(console.find("output")).to_have_text("3")


def test_cancelling_asks_in_place(console: Console) -> None:
    console.create("Sum", "5 5", later="in 1 h")
    console.find(".card").click()
    console.find("#cancel").click()
    expect(console.find("#yes")).to_be_focused()
    console.find("#keep").click()
    expect(console.find("#cancel")).to_be_focused()
    console.find("#cancel").click()
    console.find("#yes").click()
    expect(console.find(".task-head .badge")).to_have_text("Cancelled")
    expect(console.find("#cancel")).to_have_count(0)
    expect(console.find("#live")).to_contain_text("its slot is free")
    expect(console.find(".event strong")).to_have_text(["Created", "Cancelled"])


def test_a_task_that_ended_before_it_was_cancelled_says_so(console: Console) -> None:
    console.create("Sum", "5 5", later="in 1 h")
    console.find(".card").click()
    console.find("#cancel").click()
    console.expected = {409}
    console.page.route(
        "**/cancel/",
        lambda route: route.fulfill(status=409, json={"detail": "", "code": "already_finished"}),
    )
    console.find("#yes").click()
    expect(console.find("#live")).to_have_text("The task had already ended.")


def failed_task(code: str) -> dict[str, Any]:
    started = "2026-02-02T12:00:01+03:00"
    return {
        "id": "019c1d94-8a80-7000-8000-000000000000",
        "task_type": "sum",
        "input_data": {"values": [1]},
        "status": "failure",
        "result": None,
        "error": {"code": code, "detail": "In the words of the type."},
        "attempts": 2,
        "scheduled_at": None,
        "created_at": "2026-02-02T12:00:00+03:00",
        "started_at": started,
        "finished_at": "2026-02-02T12:00:40+03:00",
        "events": [
            {"at": "2026-02-02T12:00:00+03:00", "event": "created"},
            {"at": started, "event": "started", "attempt": 1},
            {
                "at": "2026-02-02T12:00:31+03:00",
                "event": "attempt_failed",
                "code": "timeout",
                "next_try_at": "2026-02-02T12:00:39+03:00",
            },
            {"at": "2026-02-02T12:00:39+03:00", "event": "started", "attempt": 2},
            {"at": "2026-02-02T12:00:40+03:00", "event": "finished", "status": "failure"},
        ],
    }


def open_failed(console: Console, code: str) -> None:
    task = failed_task(code)
    console.page.route(f"**/api/tasks/{task['id']}/", lambda route: route.fulfill(json=task))
    console.open(f"/#task={task['id']}")
    console.page.reload()
    expect(console.find(".task .notice")).to_be_visible()


ADVICE = {
    "retries_exhausted": "Run the task again later",
    "invalid_input": "opens the form with this input",
    "unknown_task_type": "another type",
    "result_too_large": "Split the input",
    "code_of_a_type": "Check the input and run the task again",
}


def test_every_failure_says_what_to_do(console: Console) -> None:
    for code, advice in ADVICE.items():
        open_failed(console, code)
        expect(console.find(".task .notice")).to_contain_text(advice)
    expect(console.find(".task .notice")).to_contain_text("In the words of the type.")
    expect(console.find(".timeline")).to_contain_text("It took too long and was interrupted.")
    expect(console.find(".timeline")).to_contain_text("waited for the next try 8 s")


def test_a_task_of_somebody_else_does_not_exist(console: Console) -> None:
    console.expected = {404}
    console.open("/#task=019c1d94-8a80-7000-8000-000000000000")
    expect(console.find(".task h1")).to_have_text("There is no such task")


# -- for everybody


def test_russian_and_english_have_the_same_texts(tab: Open) -> None:
    console = tab().open()
    differing = console.page.evaluate(
        """async () => {
          const base = document.querySelector("script[src]").src.replace("app.js", "");
          const [en, ru] = await Promise.all(["en", "ru"].map((one) => import(`${base}${one}.js`)));
          // Russian has more plural forms; English needs no reasons in other words.
          const isGroup = (text, path) =>
            typeof text === "object" && !Array.isArray(text) && path !== ".plurals";
          const names = (words, path = "") =>
            Object.entries(words).flatMap(([name, text]) =>
              isGroup(text, path)
                ? names(text, `${path}.${name}`)
                : `${path}.${name}:${typeof text}`);
          const [a, b] = [new Set(names(en.default)), new Set(names(ru.default))];
          return [...a.symmetricDifference(b)];
        }"""
    )
    assert differing == []


def test_a_russian_browser_gets_russian_down_to_the_services_own_words(
    tab: Open, name: str
) -> None:
    console = tab(locale="ru-RU").sign_up(name)
    console.expected = {400}
    expect(console.find("html")).to_have_attribute("lang", "ru")
    expect(console.page).to_have_title("Задачи")
    console.choose("Обратный отсчёт")
    console.find("#field-0").fill("-5")
    console.find("#create").click()
    expect(console.find("#field-0-error")).to_have_text("Не меньше 0.")
    console.find("#field-0").fill("3600")
    console.find("#create").click()
    expect(console.find(".card .badge")).to_have_text("Ждёт")
    expect(console.page).to_have_title("1/5 · Задачи")


def test_the_language_can_be_switched_and_stays(console: Console) -> None:
    console.find("#language-ru").click()
    expect(console.find("#create")).to_have_text("Создать задачу")
    console.page.reload()
    expect(console.find("#create")).to_have_text("Создать задачу")
    console.find("#language-en").click()
    expect(console.find("#create")).to_have_text("Create task")


@pytest.mark.parametrize("locale", ["en-GB", "ru-RU"])
def test_everything_goes_by_keyboard(tab: Open, name: str, locale: str) -> None:
    console = tab(locale=locale).open()
    keys = console.page.keyboard

    def tab_to(selector: str) -> None:
        for _ in range(40):
            keys.press("Tab")
            if console.page.evaluate("s => document.activeElement.matches(s)", selector):
                return
        raise AssertionError(f"Tab does not reach {selector}")

    expect(console.find("#sign")).to_be_visible()
    tab_to("#other")
    keys.press("Enter")
    expect(console.find("#username")).to_be_focused()
    keys.type(name)
    keys.press("Tab")
    keys.type(PASSWORD)
    keys.press("Enter")
    expect(console.find("#create")).to_be_visible()
    keys.press("n")
    keys.press("ArrowRight")
    tab_to("#field-0")
    keys.type("1 2 3 10")
    tab_to("#create")
    keys.press("Enter")
    expect(console.find("output")).to_have_text("16")
    expect(console.find("#another")).to_be_focused()
    expect(console.find(".row > a")).to_be_visible()
    keys.press("j")
    keys.press("Enter")
    expect(console.find("h1:focus")).to_be_visible()
    expect(console.find(".task pre").first).to_have_text("16")
    keys.press("Escape")
    expect(console.find(".row > a")).to_be_focused()
    keys.press("?")
    expect(console.find("dialog")).to_be_visible()
    keys.press("Escape")
    expect(console.find("dialog")).to_have_count(0)
    tab_to("#sign-out")
    keys.press("Enter")
    expect(console.find("#sign")).to_be_visible()


def test_single_letter_keys_can_be_turned_off(console: Console) -> None:
    console.find("#keys").click()
    console.find("#keys-on").uncheck()
    console.page.keyboard.press("Escape")
    console.page.keyboard.press("?")
    expect(console.find("dialog")).to_have_count(0)


LOOKS: dict[str, dict[str, Any]] = {
    "light": {},
    "dark": {"color_scheme": "dark", "locale": "ru-RU"},
    "phone": {"viewport": PHONE, "has_touch": True, "is_mobile": True, "locale": "ru-RU"},
    "narrow": {"viewport": {"width": 320, "height": 640}},
    "contrast": {"contrast": "more", "color_scheme": "dark"},
}


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_and_everything_fits(tab: Open, name: str, look: str) -> None:
    console = tab(**LOOKS[look]).open()
    console.expected = {400, 429}

    def check() -> None:
        console.check_width()
        console.check_accessibility()

    expect(console.find("#sign")).to_be_visible()
    check()
    console.find("#other").click()
    console.find("#sign").click()
    expect(console.find(".error").first).to_be_visible()
    check()
    console.find("#username").fill(name)
    console.find("#password").fill(PASSWORD)
    console.find("#sign").click()
    expect(console.find(".empty")).to_be_visible()
    with console.client() as client:
        create(client, {"task_type": "countdown", "input_data": {"seconds": 3600}})
        for _ in range(4):
            create(client, SUM | {"scheduled_at": in_moscow(days=40)})
    console.page.reload()
    expect(console.find(".card .badge.wait")).to_have_count(5)
    console.find(".form .choice").nth(1).click()
    console.find(".when .choice").nth(1).click()
    console.find("#field-0").fill("9" * 60)
    console.find("#create").click()
    expect(console.find(".notice.wait")).to_be_visible()
    check()
    console.find("#field-0").fill("1 two")
    console.find("#day").fill("2020-01-01")
    console.find("#create").click()
    expect(console.find("#field-0-error")).to_be_visible()
    check()
    console.find(".card").first.click()
    console.find("#cancel").click()
    expect(console.find("#yes")).to_be_visible()
    check()
    console.find("#yes").click()
    expect(console.find("#cancel")).to_have_count(0)
    open_failed(console, "retries_exhausted")
    check()
    console.page.keyboard.press("?")
    expect(console.find("dialog")).to_be_visible()
    check()


def test_nothing_moves_for_who_does_not_want_it(tab: Open, name: str) -> None:
    console = tab(reduced_motion="reduce").sign_up(name)
    console.create("Countdown", "3600")
    expect(console.find(".card")).to_have_count(1)
    assert console.page.evaluate("document.getAnimations().length") == 0


def test_targets_are_large_enough_for_a_finger(tab: Open, name: str) -> None:
    console = tab(**LOOKS["phone"]).sign_up(name)
    console.find(".when .choice").nth(1).click()
    small = console.page.evaluate(
        """() => [...document.querySelectorAll(
            "a, button, select, .choice span, input:not([type=radio])"
          )]
          .filter(one => one.checkVisibility() && !one.matches(".skip"))
          .filter(one => Math.min(one.offsetWidth, one.offsetHeight) < 32)
          .map(one => one.outerHTML.slice(0, 80))"""
    )
    assert small == []


def test_it_works_behind_a_stage(tab: Open, name: str, stage: str) -> None:
    console = tab()
    console.url = stage
    # Without a slash at the end.
    console.sign_up(name, "")
    console.create("Sum", "1 2")
    console.page.reload()
    expect(console.find(".row")).to_contain_text("= 3")
    console.find("#filter-failure").click()
    expect(console.page).to_have_url(f"{stage}#status=failure")
    assert [one for one in console.requests if " /prod" not in one] == []
