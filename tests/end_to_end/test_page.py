"""The gateway's page in a real Chromium, on a running agent: looks, words, keyboard, and who gets in."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.conftest import PUMP, Plant, make_site_in, source
from tests.support.agent import Agent, running, write_sound
from tests.support.broker import wait_until
from tests.support.browser import accessibility_flaws, browser_page, needs_chromium
from tests.support.plant import pump

PAGES = ("", "#/machine/pump_1", "#/gateway", "#/log", "#/alarms")

pytestmark = [pytest.mark.end_to_end, needs_chromium, pytest.mark.xdist_group("page")]


@pytest.fixture(scope="module")
def agent(plant: Plant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """A pump that fails again and again, a fan that is not commissioned, a source that is absent."""
    directory = tmp_path_factory.mktemp("page")
    body = (
        PUMP + '[[machine]]\nid = "fan_1"\ntype = "fan"\n'
        + source("film", "pump_1", plant.film, 20.0, loop=True)
        + '[[source]]\nid = "sim"\nkind = "simulated"\nspeed = 10.0\n[[source.channel]]\nmachine = "fan_1"\n'
        + '[[machine]]\nid = "fan_2"\n'
        + source("gone", "fan_2", directory / "nothing.wav", 1.0)
        + '[[machine]]\nid = "pump_2"\n'
        + source("cut", "pump_2", write_sound(directory / "cut.wav", pump(13.0, seed=5)), 5.0)
    )  # fmt: skip
    site = make_site_in(directory, plant, body, None)
    with running(site.config, site.http_port, site.log) as agent:
        agent.wait_ready()
        wait_until(lambda: '"score":' in agent.get("/api/machines/pump_1/history")[1], 30.0, "a score")
        wait_until(lambda: "index" in agent.get("/api/machines/fan_1")[1], 30.0, "a window of the fan")
        yield agent
        assert agent.stop() == 0
    assert "Traceback" not in site.log.read_text()


@pytest.fixture(scope="module")
def slow(plant: Plant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """A pump at the pace of time."""
    directory = tmp_path_factory.mktemp("slow")
    body = PUMP + source("film", "pump_1", plant.film, 1.0, loop=True)
    site = make_site_in(directory, plant, body, None)
    with running(site.config, site.http_port, site.log) as agent:
        agent.wait_ready()
        yield agent
        assert agent.stop() == 0
    assert "Traceback" not in site.log.read_text()


def test_machines_are_listed_the_odd_first_and_follow_live(agent: Agent) -> None:
    with browser_page() as (page, errors):
        page.goto(f"http://127.0.0.1:{agent.http_port}/")
        page.get_by_role("link", name="pump_1").wait_for()
        page.get_by_role("link", name="fan_1").get_by_text("not learnt yet").wait_for()
        page.get_by_role("heading", name="4 machines: 1 in alarm, 2 not heard").wait_for(timeout=60_000)
        assert page.locator(".card strong").first.inner_text() == "pump_1"
        pump = page.get_by_role("link", name="pump_1")
        pump.focus()
        page.get_by_role("heading", name="4 machines: 2 not heard").wait_for(timeout=60_000)
        assert page.locator(".card strong").first.inner_text() != "pump_1"
        assert pump.evaluate("card => card === document.activeElement"), "the keyboard lost its place"
        gone = page.get_by_role("link", name="fan_2")
        gone.get_by_text("source gone is down").wait_for()
        assert "normal" not in gone.inner_text()
        assert errors == []


def test_a_window_that_was_not_scored_is_shown_with_the_reason(agent: Agent) -> None:
    with browser_page() as (page, errors):
        page.goto(f"http://127.0.0.1:{agent.http_port}/#/machine/pump_2")
        row = page.get_by_role("row").filter(has_text="not scored")
        row.get_by_text("the rest of a recording, shorter than a window").wait_for(timeout=30_000)
        assert errors == []
    known = [each["machine"] for each in json.loads(agent.get("/api/overview")[1])["machines"]]
    assert known == ["fan_1", "fan_2", "pump_1", "pump_2"], "a source is no machine"


def test_nothing_that_is_typed_becomes_code(agent: Agent) -> None:
    evil = "<img src=x onerror=alert(1)>"
    with browser_page() as (page, errors):
        page.goto(f"http://127.0.0.1:{agent.http_port}/#/alarms")
        page.get_by_label("Your name, for the audit log").fill(evil)
        page.keyboard.press("Tab")
        fault = page.get_by_role("region", name="Alarm of fan_2")
        fault.get_by_label("Reason, for fan_2").fill(evil)
        fault.get_by_role("button", name="Acknowledge").click()
        fault.get_by_text(f"seen by {evil}").wait_for(timeout=10_000)
        page.get_by_role("cell", name=evil, exact=True).first.wait_for(timeout=10_000)
        fault.get_by_role("button", name="Acknowledge").wait_for(state="detached")
        page.goto(f"http://127.0.0.1:{agent.http_port}/#/machine/%3Cscript%3E")
        page.get_by_text("'<script>'").first.wait_for()
        page.goto(f"http://127.0.0.1:{agent.http_port}/#/machine/%")
        page.get_by_text("'%'").first.wait_for()
        assert page.locator("main img, main script").count() == 0
        assert [error for error in errors if "404" not in error] == []


_SET_ASIDE = """async () => (await fetch("/api/commands/out_of_service", {
    method: "POST", headers: {"Content-Type": "application/json"},
    body: JSON.stringify({
        machine: "fan_2", kind: "input_fault", fault: "source_down", operator: "carla", reason: "works",
    }),
})).status"""


def test_books_and_log_follow_while_they_are_looked_at(agent: Agent) -> None:
    with browser_page() as (page, errors):
        page.goto(f"http://127.0.0.1:{agent.http_port}/#/gateway")
        books = page.get_by_role("row").filter(has_text="film").last
        before = books.inner_text()
        wait_until(lambda: books.inner_text() != before, 30.0, "other books")
        assert "null" not in page.locator("main").inner_text()
        page.get_by_role("link", name="Log", exact=True).click()
        lines = page.get_by_role("row")
        lines.nth(1).wait_for()
        assert page.evaluate(_SET_ASIDE) == 200
        lines.filter(has_text="of fan_2").filter(has_text="by carla").first.wait_for(timeout=10_000)
        assert errors == []


def test_a_page_says_at_once_that_it_is_old_and_comes_back_by_itself(plant: Plant, tmp_path: Path) -> None:
    site = make_site_in(tmp_path, plant, PUMP + source("film", "pump_1", plant.film, 20.0, loop=True), None)
    with browser_page(phone=True) as (page, _):
        old = page.locator("#old")
        with running(site.config, site.http_port, site.log) as agent:
            agent.wait_ready()
            page.goto(f"http://127.0.0.1:{site.http_port}/")
            page.get_by_text("sounds normal").wait_for(timeout=30_000)
            agent.process.send_signal(signal.SIGSTOP)  # it hangs, and its connections stay
            old.get_by_text("the gateway says nothing").wait_for(timeout=30_000)
            assert accessibility_flaws(page) == []
            agent.process.send_signal(signal.SIGCONT)
            old.wait_for(state="hidden", timeout=30_000)
            page.get_by_role("link", name="pump_1").click()
            page.get_by_role("heading", name="The last minute").wait_for()
            agent.kill()
            old.wait_for(timeout=10_000)
            assert page.get_by_role("heading", name="The last minute").is_visible(), "what was known is still shown"
        with running(site.config, site.http_port, site.log) as agent:
            old.wait_for(state="hidden", timeout=60_000)
            row = page.get_by_role("row").filter(has_text="pump_1 sounds")
            row.first.wait_for(timeout=30_000)
            wait_until(lambda: row.count() == len(agent.windows("pump_1")[:10]), 30.0, "the windows of its new life")
            assert agent.stop() == 0


_SIZES = ((320, 568, "100%"), (740, 360, "100%"), (640, 450, "200%"))


def test_it_fits_small_screens_and_large_letters(agent: Agent) -> None:
    with browser_page() as (page, errors):
        for path in PAGES:
            page.goto("about:blank")
            page.goto(f"http://127.0.0.1:{agent.http_port}/{path}")
            page.locator("main h2").wait_for()
            for width, height, letters in _SIZES:
                page.set_viewport_size({"width": width, "height": height})
                page.evaluate("letters => { document.documentElement.style.fontSize = letters; }", letters)
                assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (
                    f"{path} scrolls sideways at {width} and {letters}"
                )
        assert errors == []


_FOCUS = "() => [document.activeElement.nodeName, getComputedStyle(document.activeElement).outlineStyle]"


def test_the_keyboard_goes_through_every_page_and_out_again(agent: Agent) -> None:
    with browser_page() as (page, errors):
        for path in PAGES[:3]:
            page.goto("about:blank")
            page.goto(f"http://127.0.0.1:{agent.http_port}/{path}")
            page.locator("main h2").wait_for()
            for _ in range(150):
                page.keyboard.press("Tab")
                name, ring = page.evaluate(_FOCUS)
                if name == "BODY":
                    break
                assert ring != "none" or name == "AUDIO", f"{path}: {name} does not show that it has the focus"
            assert name == "BODY", f"{path} does not let the keyboard go"
        assert errors == []


def test_a_machine_is_explained(agent: Agent) -> None:
    with browser_page() as (page, errors):
        page.goto(f"http://127.0.0.1:{agent.http_port}/#/machine/pump_1")
        page.get_by_text("unlike its normal").first.wait_for(timeout=30_000)
        assert "windows" in (page.locator("canvas.scores").get_attribute("aria-label") or "")
        assert page.locator(".bands li").count() == 8
        assert page.get_by_role("row").count() > 3
        assert errors == []


_PIXELS = """canvas => {
    const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    const columns = new Array(canvas.width).fill(0);
    pixels.forEach((value, at) => { columns[(at >> 2) % canvas.width] += value; });
    return columns;
}"""


def test_the_spectrogram_moves_within_a_window(slow: Agent) -> None:
    """At real time a window takes ten seconds; the picture moves at least every two, and only while it is looked at."""
    with browser_page() as (page, errors):
        page.goto(f"http://127.0.0.1:{slow.http_port}/#/machine/pump_1")
        page.get_by_text("live", exact=True).last.wait_for(timeout=30_000)
        picture = page.locator("canvas.spectrogram")
        shown: list[tuple[list[int], object]] = []

        def moved() -> bool:
            columns = picture.evaluate(_PIXELS)
            if not shown or columns != shown[-1][0]:
                shown.append((columns, slow.newest_window("pump_1")))
            return any(sum(window == other for _, other in shown) >= 3 for _, window in shown)

        wait_until(moved, 60.0, "three pictures within one window")
        assert len(set(shown[-1][0][-20:])) > 1, "the newest columns are no sound"
        page.get_by_role("button", name="Pause the spectrogram").press("Enter")
        page.get_by_text("still, new at the end").wait_for()
        still = picture.evaluate(_PIXELS)
        page.wait_for_timeout(2500)
        if slow.newest_window("pump_1") == shown[-1][1]:
            assert picture.evaluate(_PIXELS) == still
        page.get_by_role("button", name="Go on with the spectrogram").click()
        page.get_by_text("live", exact=True).last.wait_for(timeout=10_000)
        assert errors == []


def test_it_is_reached_by_keyboard_alone(agent: Agent) -> None:
    with browser_page() as (page, errors):
        page.goto(f"http://127.0.0.1:{agent.http_port}/")
        page.get_by_role("link", name="pump_1").wait_for()
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.className").startswith("card"):
                break
        page.keyboard.press("Enter")
        page.locator("canvas.scores").wait_for()
        assert page.evaluate("document.activeElement.id") == "main"
        assert errors == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
def test_everybody_can_read_it(agent: Agent, dark: bool, phone: bool) -> None:
    with browser_page(dark=dark, phone=phone) as (page, errors):
        for path in PAGES:
            page.goto("about:blank")
            page.goto(f"http://127.0.0.1:{agent.http_port}/{path}")
            page.locator("main h2").wait_for()
            assert accessibility_flaws(page) == [], path
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (
                f"{path} scrolls sideways"
            )
        assert errors == []


def test_off_the_loopback_the_token_is_asked_for(plant: Plant, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("s3cret-of-this-gateway\n")
    token.chmod(0o600)
    site = make_site_in(tmp_path, plant, PUMP + source("film", "pump_1", plant.film, 20.0, loop=True), None)
    text = site.config.read_text().replace("[http]\n", f'[http]\nhost = "0.0.0.0"\ntoken_file = "{token}"\n')
    site.config.write_text(text)
    with running(site.config, site.http_port, site.log) as agent:
        wait_until(lambda: agent.get("/readyz")[0] == 401, 30.0, "the port")
        with browser_page() as (page, errors):
            page.goto(f"http://127.0.0.1:{site.http_port}/")
            assert accessibility_flaws(page) == []
            page.get_by_label("Token of this gateway").fill("wrong")
            page.get_by_role("button", name="Open").click()
            page.get_by_text("that is not the token").wait_for()
            page.get_by_label("Token of this gateway").fill("s3cret-of-this-gateway")
            page.keyboard.press("Enter")
            page.get_by_role("link", name="pump_1").wait_for()
            assert [error for error in errors if "401" not in error] == []
        assert agent.stop() == 0
    assert "s3cret" not in site.log.read_text()


def test_an_alarm_is_acknowledged_and_shelved(agent: Agent) -> None:
    with browser_page() as (page, errors):
        page.goto(f"http://127.0.0.1:{agent.http_port}/#/alarms")
        pump = page.get_by_role("region", name="Alarm of pump_1")
        pump.get_by_role("button", name="Acknowledge").wait_for(timeout=60_000)
        page.get_by_label("Your name, for the audit log").fill("anna")
        page.keyboard.press("Tab")
        pump.get_by_role("button", name="Acknowledge").click()
        pump.get_by_text("seen by anna").wait_for(timeout=10_000)
        pump.get_by_role("button", name="Shelve for").click()
        pump.get_by_text("Say the reason first").wait_for(timeout=10_000)
        assert page.evaluate("document.activeElement.name") == "reason"
        pump.get_by_label("Reason, for pump_1").fill("known work")
        pump.get_by_role("button", name="Shelve for").click()
        pump.get_by_text("shelved until").wait_for(timeout=10_000)
        pump.get_by_role("button", name="Take back from the shelf").click()
        page.get_by_role("cell", name="unshelve").first.wait_for(timeout=10_000)
        assert accessibility_flaws(page) == []
        assert errors == []


def test_a_machine_is_commissioned_step_by_step(agent: Agent) -> None:
    with browser_page(phone=True) as (page, errors):
        page.goto(f"http://127.0.0.1:{agent.http_port}/#/machine/fan_1")
        page.get_by_label("Minutes of normal sound").fill("2")
        page.get_by_role("button", name="Commission").click()
        page.get_by_role("meter", name="Level").wait_for(timeout=10_000)
        page.get_by_role("button", name="Learn from what there is").wait_for()
        assert accessibility_flaws(page) == []
        other = page.context.new_page()
        other.goto(page.url)
        other.get_by_role("button", name="Stop").click()
        page.get_by_text("The commissioning has ended").first.wait_for(timeout=10_000)
        page.get_by_label("Minutes of normal sound").fill("2")
        page.get_by_role("button", name="Commission").click()
        page.get_by_role("button", name="Learn from what there is").wait_for()
        page.reload()
        page.get_by_role("button", name="Use it").wait_for(timeout=60_000)
        assert accessibility_flaws(page) == []
        assert "threshold" in page.get_by_label("Commissioning").inner_text()
        page.get_by_role("button", name="Use it").click()
        page.get_by_text("is learnt. Its windows are scored").first.wait_for(timeout=10_000)
        page.get_by_text("Commission it anew").wait_for(timeout=30_000)
        other.get_by_text("Commission it anew").wait_for(timeout=30_000)
        wait_until(lambda: agent.windows("fan_1")[0]["score"] is not None, 60.0, "its first score")
        page.get_by_text("false alarms a week expected").wait_for(timeout=10_000)
        page.get_by_role("row").filter(has_text="fan_1 sounds").first.wait_for(timeout=30_000)
        assert errors == []
