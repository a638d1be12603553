"""The gateway's page in a real Chromium, on a running agent: looks, words, keyboard, and who gets in."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.conftest import PUMP, Plant, make_site_in, source
from tests.support.agent import Agent, running
from tests.support.broker import wait_until
from tests.support.browser import accessibility_flaws, browser_page, needs_chromium

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


def _last(agent: Agent, machine: str) -> dict[str, object]:
    """The machine's newest window, as the page is told of it."""
    return dict(json.loads(agent.get(f"/api/machines/{machine}")[1])["windows"][0])


def test_machines_are_listed_the_odd_first_and_follow_live(agent: Agent) -> None:
    with browser_page() as (page, errors):
        page.goto(f"http://127.0.0.1:{agent.http_port}/")
        page.get_by_role("link", name="pump_1").wait_for()
        page.get_by_text("not learnt yet").wait_for()
        page.get_by_role("heading", name="3 machines: 1 in alarm, 1 not heard").wait_for(timeout=30_000)
        assert page.locator(".card strong").first.inner_text() == "pump_1"
        page.get_by_role("heading", name="3 machines: 1 not heard").wait_for(timeout=30_000)
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
                shown.append((columns, _newest(slow, "pump_1")))
            return any(sum(window == other for _, other in shown) >= 3 for _, window in shown)

        wait_until(moved, 60.0, "three pictures within one window")
        assert len(set(shown[-1][0][-20:])) > 1, "the newest columns are no sound"
        page.get_by_role("button", name="Pause the spectrogram").press("Enter")
        page.get_by_text("still, new at the end").wait_for()
        still = picture.evaluate(_PIXELS)
        page.wait_for_timeout(2500)
        if _newest(slow, "pump_1") == shown[-1][1]:
            assert picture.evaluate(_PIXELS) == still
        page.get_by_role("button", name="Go on with the spectrogram").click()
        page.get_by_text("live", exact=True).last.wait_for(timeout=10_000)
        assert errors == []


def _newest(agent: Agent, machine: str) -> object:
    windows = json.loads(agent.get(f"/api/machines/{machine}")[1])["windows"]
    return windows[0]["index"] if windows else None


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
        pump.get_by_label("Reason, for pump_1").fill("known work")
        pump.get_by_role("button", name="Shelve for").click()
        pump.get_by_text("shelved until").wait_for(timeout=10_000)
        pump.get_by_role("button", name="Take back from the shelf").click()
        page.get_by_role("cell", name="unshelve").first.wait_for(timeout=10_000)
        assert accessibility_flaws(page) == []
        assert errors == []


def test_the_next_window_is_kept_labelled_and_deleted(agent: Agent) -> None:
    with browser_page() as (page, errors):
        page.goto(f"http://127.0.0.1:{agent.http_port}/#/machine/pump_1")
        page.evaluate("localStorage.setItem('operator', 'berta')")
        sound = page.get_by_role("region", name="Kept sound")
        sound.get_by_role("button", name="Keep the next window").press("Enter")
        sound.get_by_text("Asked for").or_(sound.get_by_text("The window has ended")).first.wait_for(timeout=10_000)
        sound.get_by_text("Kept, and pinned.").wait_for(timeout=60_000)
        clip = sound.get_by_role("listitem").filter(has_text="asked for").first
        name = clip.get_attribute("data-clip")
        assert agent.get_bytes(f"/api/clips/{name}/audio")[:4] == b"fLaC"
        clip = sound.locator(f'[data-clip="{name}"]')
        clip.get_by_placeholder("what it was").fill("new bearing")
        clip.get_by_role("button", name="Label the clip").press("Enter")
        clip.locator(".tag", has_text="new bearing").wait_for(timeout=10_000)
        clip.get_by_role("button", name="Unpin the clip").click()
        clip.get_by_role("button", name="Pin the clip", exact=False).first.wait_for(timeout=10_000)
        assert accessibility_flaws(page) == []
        clip.get_by_role("button", name="Delete the clip").press("Enter")
        dialog = page.get_by_role("dialog", name="Delete a clip")
        dialog.wait_for()
        assert accessibility_flaws(page) == []
        page.keyboard.press("Escape")
        assert agent.get_bytes(f"/api/clips/{name}/audio"), "it asks first"
        clip.get_by_role("button", name="Delete the clip").press("Enter")
        dialog.get_by_role("button", name="Delete it").click()
        clip.wait_for(state="detached", timeout=10_000)
        wait_until(lambda: agent.get(f"/api/clips/{name}/audio")[0] == 404, 10.0, "its end")
        assert errors == []
    entries = [json.loads(line) for line in (agent.log.parent / "state" / "audit.jsonl").read_text().splitlines()]
    assert [(entry["verb"], entry["operator"]) for entry in entries if (entry["verb"] or "").startswith("clip_")] == [
        ("clip_request", "berta"), ("clip_label", "berta"), ("clip_unpin", "berta"), ("clip_delete", "berta"),
    ]  # fmt: skip


def test_a_machine_is_commissioned_step_by_step(agent: Agent) -> None:
    with browser_page(phone=True) as (page, errors):
        page.goto(f"http://127.0.0.1:{agent.http_port}/#/machine/fan_1")
        page.get_by_label("Minutes of normal sound").fill("2")
        page.get_by_role("button", name="Commission").click()
        page.get_by_role("meter", name="Level").wait_for(timeout=10_000)
        page.get_by_role("button", name="Learn from what there is").wait_for()
        assert accessibility_flaws(page) == []
        page.get_by_role("button", name="Use it").wait_for(timeout=60_000)
        assert "threshold" in page.get_by_label("Commissioning").inner_text()
        page.get_by_role("button", name="Use it").click()
        page.get_by_text("learnt", exact=False).first.wait_for(timeout=10_000)
        wait_until(lambda: _last(agent, "fan_1")["score"] is not None, 60.0, "its first score")
        assert errors == []
