"""The real page in a real browser against the real server, with a file as the microphone."""

import shutil
from collections.abc import Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.faces import aperture, landmarks_of, mouth_width

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
]
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--mute-audio",
]


@asynccontextmanager
async def browsing(address: str, microphone: Path, refuse: bool = False, flags: Sequence[str] = ()):
    """The open page; its console errors fail the test at the end."""
    from playwright.async_api import async_playwright

    flags = [*FLAGS, f"--use-file-for-fake-audio-capture={microphone}", *flags]
    if refuse:
        flags[flags.index("--use-fake-ui-for-media-stream")] = "--deny-permission-prompts"
    errors = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=flags, ignore_default_args=["--headless"]
        )
        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        page.on("pageerror", lambda error: errors.append(str(error)))
        try:
            await page.goto(address)
            await page.wait_for_selector("[data-emotion=happy]")
            yield page
        finally:
            await browser.close()
    assert not errors


async def connect(page) -> None:
    await page.click("#start")
    await page.wait_for_function("window.__avatar.state === 'live'", timeout=20_000)
    await page.wait_for_function("document.getElementById('video').videoWidth > 0", timeout=20_000)
    await page.add_script_tag(path=str(Path(__file__).parent / "grab.js"))


async def test_page_receives_24_pictures_a_second_for_20_seconds(server, speech_with_pauses):
    async with browsing(server, speech_with_pauses) as page:
        await connect(page)
        await page.wait_for_timeout(2000)
        rate = await page.evaluate(
            """async () => {
              const video = document.getElementById("video");
              const shown = () => video.getVideoPlaybackQuality().totalVideoFrames;
              const [from, begun] = [shown(), performance.now()];
              await new Promise((done) => setTimeout(done, 20000));
              return (shown() - from) * 1000 / (performance.now() - begun);
            }"""
        )
        figures = await page.evaluate("window.__avatar")
    assert rate >= 24
    assert figures["fps"] >= 23
    assert 50 < figures["delay"] < 1000


async def test_lips_move_with_speech_and_rest_in_its_pauses(server, speech_with_pauses):
    async with browsing(server, speech_with_pauses) as page:
        await connect(page)
        await page.click("#pose button:has-text('Still')")  # the tracker sees lips move in a sway
        await page.click("#mute")
        await page.wait_for_timeout(1500)
        silent = await page.evaluate("grab(2, 80, 448)")
        await page.click("#mute")
        await page.wait_for_timeout(500)
        grabs = await page.evaluate("grab(13, 80, 448)")
    closed = np.median(steady_aperture(silent))
    opening = steady_aperture(grabs)
    times = np.array([grab["t"] for grab in grabs]) / 1000
    loud = np.array([grab["rms"] for grab in grabs]) > 0.005
    speaking = near(times, times[loud], 0.1)
    resting = ~near(times, times[loud], 0.6) & (times > times[0] + 0.6)
    assert speaking.sum() > 40
    assert resting.sum() > 20
    assert closed < 0.07
    speech_range = np.percentile(opening[speaking], 95) - closed
    assert speech_range > 0.03
    moving = np.abs(np.diff(opening, prepend=opening[0]))
    assert moving[speaking].mean() > 1.5 * moving[resting].mean()
    above_closed = (opening[resting] - closed) / speech_range
    assert np.percentile(above_closed, 90) <= 0.1


def steady_aperture(grabs: list[dict]) -> np.ndarray:
    """Lip opening of [N] grabs, running medians of three: the tracker's own noise is a pixel."""
    opening = np.pad(aperture(landmarks_of(grabs)[0]), 1, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(opening, 3), axis=1)  # [N]


def near(times: np.ndarray, marks: np.ndarray, reach_s: float) -> np.ndarray:
    """Which of [N] times lie within `reach_s` of one of [M] marks."""
    return np.abs(times[:, None] - marks[None]).min(axis=1) <= reach_s


async def test_choosing_an_emotion_changes_the_face_within_500_ms(server, speech_with_pauses):
    async with browsing(server, speech_with_pauses) as page:
        await connect(page)
        await page.click("#mute")
        await page.wait_for_timeout(1500)
        grabs, clicked = await page.evaluate(
            """async () => {
              const grabbing = grab(3.5, 40);
              await new Promise((done) => setTimeout(done, 1500));
              const clicked = performance.now();
              document.querySelector("[data-emotion=happy]").click();
              return [await grabbing, clicked];
            }"""
        )
    points, _ = landmarks_of(grabs)
    width = mouth_width(points)
    since = np.array([grab["t"] for grab in grabs]) - clicked
    before, after = width[since < 0], width[since > 1200]
    change = after.mean() - before.mean()
    assert change > 6 * before.std()
    changed = width > before.mean() + max(4 * before.std(), 0.25 * change)
    assert since[(since > 0) & changed].min() <= 500


async def test_page_reconnects_by_itself_when_its_session_is_gone(server, speech_with_pauses):
    async with browsing(server, speech_with_pauses) as page:
        await connect(page)
        await page.wait_for_function("window.__avatar.session !== null")
        first = await page.evaluate("window.__avatar.session")
        await page.evaluate(
            "fetch(`api/v1/sessions/${window.__avatar.session}`, {method: 'DELETE'})"
        )
        await page.wait_for_function(
            "first => window.__avatar.state === 'live' && window.__avatar.session !== first",
            arg=first,
            timeout=20_000,
        )


async def test_refused_microphone_is_one_clear_line(server, speech_with_pauses):
    async with browsing(server, speech_with_pauses, refuse=True) as page:
        await page.click("#start")
        await page.wait_for_selector("#notice:not([hidden])")
        assert "microphone was refused" in await page.inner_text("#notice-text")
        assert await page.evaluate("window.__avatar.state") == "idle"


async def test_pad_weighs_by_angle_and_distance_and_remembers(server, speech_with_pauses):
    async with browsing(server, speech_with_pauses) as page:
        weights = await page.evaluate(
            """async () => {
              const { placeOf, weightsAt } = await import("./emotions.js");
              const names = ["a", "b", "c", "d"];
              const at = (x, y) => weightsAt({ x, y }, names);
              return [at(0, 0), at(0, -1), at(0.5, 0), at(0.5, -0.5), placeOf(1, 4)];
            }"""
        )
        await page.focus("#pad svg")
        for _ in range(20):
            await page.keyboard.press("ArrowUp")
        assert await page.inner_text("#blend") == "happy 100"
        await page.reload()
        await page.wait_for_selector("[data-emotion=happy][aria-pressed=true]")
    centre, top, right, between, place = weights
    assert (centre, top) == ({}, {"a": 1})
    assert right == {"b": 0.5}
    assert between == pytest.approx({"a": 0.353, "b": 0.353}, abs=0.002)
    assert (place["x"], place["y"]) == pytest.approx((1, 0))


async def test_page_starts_with_the_emotion_that_the_server_wears(sad_server, speech_with_pauses):
    async with browsing(sad_server, speech_with_pauses) as page:
        assert await page.inner_text("#blend") == "sad 100"
        await page.focus("#pad svg")
        await page.keyboard.press("ArrowRight")
        moved = await page.inner_text("#blend")
        await page.reload()
        await page.wait_for_function("before => blend.textContent === before", arg=moved)
    assert moved != "sad 100"
