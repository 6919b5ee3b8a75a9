"""Chromium on a page of the tests, and what its #video showed and played."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tests.e2e.synchrony import FINE_S, STEP_S, best_rate, delay_s, loudness_of, opening_of
from tests.e2e.test_browser import CHROMIUM, FLAGS

PAGE = "http://127.0.0.1:1/"  # the driver answers for it, so Chromium thinks it far away
NEAR = "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebRTC"
BLANK = "<!doctype html><video id=video autoplay playsinline></video>"
GRAB = Path(__file__).parent / "grab.js"
ANALYSED_S = 2048 / 48000
WATCH = """
    async (seconds) => {
      const shown = () => [performance.now(), video.getVideoPlaybackQuality().totalVideoFrames];
      const counts = [shown()];
      const grabbing = grab(seconds, 80);
      for (let i = 0; i < 4 * seconds; i++) {
        await new Promise((done) => setTimeout(done, 250));
        counts.push(shown());
      }
      return { counts, grabs: await grabbing };
    }
"""


@asynccontextmanager
async def foreign_page(
    script: Path, *flags: str, executable: str | Path | None = None
) -> AsyncIterator[Any]:
    """A page of another site than the server's, with `script` and #video; no error may be left."""
    from playwright.async_api import async_playwright

    errors = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable or CHROMIUM,
            args=[*FLAGS, NEAR, *flags],
            ignore_default_args=["--headless"],
        )
        page = await browser.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.route(PAGE, lambda route: route.fulfill(body=BLANK, content_type="text/html"))
        await page.goto(PAGE)
        for path in (script, GRAB):
            await page.add_script_tag(path=str(path))
        try:
            yield page
        finally:
            await browser.close()
    assert not errors, errors


async def watch(page: Any, seconds: int) -> dict[str, Any]:
    """Pictures and loudness of #video for some time, and how many pictures it showed."""
    return await page.evaluate(WATCH, seconds)


def check_shown(
    shown: dict[str, Any], expected: np.ndarray, speech: Path, began_s: float | None = None
) -> None:
    """At least 24 pictures a second, lips that move as expected, sound and picture in step.

    Args:
        shown: what `watch` saw while `speech` was spoken, again and again.
        expected: [N] lip opening of the engine's own rendering of `speech`, each 40 ms.
        speech: a WAV.
        began_s: when it was first spoken, on the page's clock; None for about the first picture.
    """
    opening = opening_of([base64.b64decode(grab["jpeg"]) for grab in shown["grabs"]])
    clock_ms, counted = np.array(shown["counts"]).T
    assert best_rate(clock_ms / 1000, counted) >= 24
    assert np.percentile(opening, 95) - np.percentile(opening, 5) > 0.03
    assert abs(skew_s(shown, expected, speech, began_s)) <= 0.06


def skew_s(
    shown: dict[str, Any], expected: np.ndarray, speech: Path, began_s: float | None = None
) -> float:
    """How much later than the sound the picture was, seconds; arguments as of `check_shown`."""
    times = np.array([grab["t"] for grab in shown["grabs"]]) / 1000
    opening = opening_of([base64.b64decode(grab["jpeg"]) for grab in shown["grabs"]])
    loudness = np.array([grab["rms"] for grab in shown["grabs"]])
    rounds = 3
    expected, spoken = np.tile(expected, rounds), np.tile(loudness_of(speech, ANALYSED_S), rounds)
    picture_s = delay_s(times, opening, expected, STEP_S, began_s)
    return picture_s - delay_s(times, loudness, spoken, FINE_S, began_s)
