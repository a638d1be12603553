"""The sound that is kept, on the gateway's page: listened to, compared, asked for, labelled, deleted, made room."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.conftest import PUMP, Plant, make_site_in, source
from tests.support.agent import Agent, running
from tests.support.broker import wait_until
from tests.support.browser import accessibility_flaws, browser_page, needs_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Locator

pytestmark = [pytest.mark.end_to_end, needs_chromium, pytest.mark.xdist_group("page_sounds")]


@pytest.fixture(scope="module")
def agent(plant: Plant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """A pump that fails again and again."""
    body = PUMP + source("film", "pump_1", plant.film, 20.0, loop=True)
    site = make_site_in(tmp_path_factory.mktemp("sounds"), plant, body, None)
    with running(site.config, site.http_port, site.log) as agent:
        agent.wait_ready()
        yield agent
        assert agent.stop() == 0
    assert "Traceback" not in site.log.read_text()


_NEWS = """() => {
    window.news = [];
    const told = "[role=status], [role=alert], [aria-live]";
    const note = (node) => { const live = node?.closest?.(told); if (live) news.push(live.textContent); };
    new MutationObserver((changes) => {
        for (const change of changes) {
            note(change.target.nodeType === Node.TEXT_NODE ? change.target.parentElement : change.target);
            for (const added of change.addedNodes) for (const live of added.querySelectorAll?.(told) || []) note(live);
        }
    }).observe(document.body, { childList: true, subtree: true, characterData: true });
}"""
"""Keeps what a screen reader would read out of itself."""


def test_sound_and_typing_outlast_what_is_drawn_anew_and_nothing_babbles(agent: Agent) -> None:
    """A second is 20 s of this pump's life: its page is drawn anew many times meanwhile."""
    with browser_page() as (page, errors):
        page.goto(f"http://127.0.0.1:{agent.http_port}/#/machine/pump_1")
        alarm = page.get_by_role("region", name="Alarm of pump_1").first
        alarm.get_by_label("Normal sound of pump_1").wait_for(timeout=60_000)
        played = alarm.get_by_label("Sound of the alarm of pump_1").first
        sounds = [played, alarm.get_by_label("Normal sound of pump_1")]
        for sound in sounds:
            duration_s, at_s, loudest = _heard(sound, errors)
            assert duration_s >= 10.0
            assert at_s == pytest.approx(duration_s / 2, abs=0.1)
            assert loudest > 0.01
        page.evaluate(_NEWS)
        page.get_by_label("Reason, for pump_1").first.fill("seen by")
        played.evaluate("sound => { sound.currentTime = 0; sound.playbackRate = 0.1; return sound.play(); }")
        before = agent.newest_window("pump_1")
        wait_until(lambda: agent.newest_window("pump_1") != before, 30.0, "another window")
        page.wait_for_timeout(2500)
        assert page.get_by_label("Reason, for pump_1").first.input_value() == "seen by"
        assert page.evaluate("document.activeElement.name") == "reason"
        assert played.evaluate("sound => !sound.paused && sound.currentTime > 0")
        news = page.evaluate("news")
        assert len(news) <= 4, news
        assert errors == []


def _heard(sound: "Locator", errors: list[str]) -> tuple[float, float, float]:
    """What an audio element plays; one more try where a random clip made room for the next, which the page notices."""
    from playwright.sync_api import Error

    address = sound.get_attribute("src")
    try:
        return tuple(sound.evaluate(_HEARD))
    except Error as error:
        if ": 404" not in str(error):
            raise
    assert all("404" in error for error in errors), errors
    wait_until(lambda: sound.get_attribute("src") != address, 20.0, "another sound in its place")
    errors.clear()
    return tuple(sound.evaluate(_HEARD))


_HEARD = """async (sound) => {
    const come = (event) => new Promise((resolve, reject) => {
        sound["on" + event] = resolve;
        sound.addEventListener("error", async () => {
            const answer = await fetch(sound.src), why = answer.ok ? "" : await answer.text();
            reject(`${sound.error.message} at ${event}, ${sound.src}: ${answer.status} ${why}`);
        });
    });
    const known = come("loadedmetadata");
    sound.preload = "metadata"; sound.load(); await known;
    const sought = come("seeked");
    sound.currentTime = sound.duration / 2; await sought;
    const whole = await new AudioContext().decodeAudioData(await (await fetch(sound.src)).arrayBuffer());
    const loudest = whole.getChannelData(0).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    return [sound.duration, sound.currentTime, loudest];
}"""
"""Length, place after a jump, and loudest sample of what an audio element plays."""


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


def test_a_sound_that_made_room_for_others_is_replaced_on_the_page(plant: Plant, tmp_path: Path) -> None:
    """The film is over, and its alarm waits for a person."""
    body = "[alarms]\nlatch = true\n" + PUMP + source("film", "pump_1", plant.film, 20.0)
    site = make_site_in(tmp_path, plant, body, None)
    with running(site.config, site.http_port, site.log) as agent, browser_page() as (page, errors):
        agent.wait_ready()
        page.goto(f"http://127.0.0.1:{agent.http_port}/#/machine/pump_1")
        page.evaluate("localStorage.setItem('operator', 'berta')")
        alarm = page.get_by_role("region", name="Alarm of pump_1")
        alarm.get_by_text("over now").wait_for(timeout=60_000)
        normal = alarm.get_by_label("Normal sound of pump_1")
        normal.wait_for(timeout=60_000)
        while normal.count():
            lost = normal.evaluate(_LOST)
            alarm.locator(f'audio[src="{lost}"]').wait_for(state="detached", timeout=10_000)
            page.wait_for_function(_SAID, arg="That sound made room for others")
        alarm.get_by_text("No normal sound of it is kept").wait_for(timeout=10_000)
        played = alarm.get_by_label("Sound of the alarm of pump_1").first
        lost = played.evaluate(_LOST)
        alarm.locator(f'audio[src="{lost}"]').wait_for(state="detached", timeout=10_000)
        assert accessibility_flaws(page) == []
        assert [error for error in errors if "404" not in error and "409" not in error] == []


_SAID = "text => document.getElementById('said').textContent.startsWith(text)"
"""Whether a screen reader was told so."""
_LOST = """async (sound) => {
    const clip = sound.getAttribute("src");
    await fetch(clip.replace("audio", "delete"), {
        method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({operator: "berta"}),
    });
    while ((await fetch(clip)).ok) await new Promise((again) => setTimeout(again, 50));
    sound.play().catch(() => null);
    return clip;
}"""
"""Plays a clip that was removed meanwhile; its address."""
