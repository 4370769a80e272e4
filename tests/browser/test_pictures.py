"""The console's pictures for the READMEs; `make pictures` takes them again."""

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PHONE, Console, Open
from tests.e2e.test_walk_through import create, in_moscow

#: By the picture's name, how the console is looked at, and by whom.
LOOKS: dict[str, dict[str, Any]] = {
    "console-light": {"viewport": {"width": 1200, "height": 1000}},
    "console-dark": {"viewport": {"width": 1200, "height": 1000}, "color_scheme": "dark"},
    "console-phone": {"viewport": PHONE, "has_touch": True, "is_mobile": True, "locale": "ru-RU"},
}
USERS = {"console-light": "ann", "console-dark": "Ann", "console-phone": "анна"}
FINISHED = (
    [1, 2, 3, 10],
    [0.1, 0.2],
    [12345678901234567890, 98765432109876543210],
    [2.5, 4, -1],
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("PICTURES") or tmp_path)
    folder.mkdir(exist_ok=True)
    return folder


@pytest.mark.parametrize("picture", LOOKS)
def test_a_picture_shows_slots_a_form_and_the_history(
    tab: Open, folder: Path, picture: str
) -> None:
    console: Console = tab(
        **LOOKS[picture], device_scale_factor=2, timezone_id="Asia/Yekaterinburg"
    )
    console.page.clock.install()
    console.sign_up(USERS[picture])
    with console.client() as client:
        for values in FINISHED:
            body = {"task_type": "sum", "input_data": {"values": values}}
            client.post("/api/tasks/", json=body, headers={"Prefer": "wait"}).raise_for_status()
        dropped = create(client, {"task_type": "countdown", "input_data": {"seconds": 600}})
        client.post(f"/api/tasks/{dropped['id']}/cancel/").raise_for_status()
        for seconds in (95, 3600):
            create(client, {"task_type": "countdown", "input_data": {"seconds": seconds}})
        body = {"task_type": "sum", "input_data": {"values": [5, 7, 8]}}
        for ahead in ({"minutes": 4}, {"days": 1}):
            create(client, body | {"scheduled_at": in_moscow(**ahead)})
    console.page.reload()
    expect(console.find(".card .badge.wait")).to_have_count(4)
    expect(console.find(".row")).to_have_count(9)
    # So that the first task is on its way.
    console.page.clock.fast_forward("01:02")
    console.find(".form .choice").nth(1).click()
    console.find("#field-0").fill("0.1 0.2 12345678901234567890")
    console.page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    console.page.mouse.move(0, 0)
    path = folder / f"{picture}.png"
    console.page.screenshot(path=path)
    assert path.stat().st_size > 10_000
