"""WHIP: Chromium publishes to our `/whip` and plays our `/whep`; so does our own publisher."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from streaming.ice import gather_on
from tests.e2e.conftest import ROOT, serving
from tests.e2e.foreign_page import CHROMIUM, check_shown, foreign_page, watch
from tests.e2e.synchrony import FINE_S, STILL, delay_s, loudness_of
from tests.streaming.caller import TestCaller, request
from tests.streaming.conftest import until

pytestmark = pytest.mark.slow
TOKEN = "s3cret"
PACKET_S = 0.02
SCRIPT = Path(__file__).parent / "whip.js"


@pytest.fixture(scope="module")
def guarded_server(tmp_path_factory):
    """The real server, which wants a token."""
    with serving(tmp_path_factory.mktemp("guarded"), *STILL, "--token", TOKEN) as address:
        yield address


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
async def test_a_page_of_another_site_publishes_over_whip_and_plays_whep_in_step(
    guarded_server, speech_with_pauses, expected_opening
):
    microphone = f"--use-file-for-fake-audio-capture={speech_with_pauses}"
    whip, whep = f"{guarded_server}/whip", f"{guarded_server}/whep"
    async with foreign_page(SCRIPT, microphone) as page:
        with pytest.raises(Exception, match=r"401 .*a token is needed"):
            await page.evaluate("url => play(url, 'wrong')", whep)
        began_ms = await page.evaluate(
            "([url, token]) => publishMicrophone(url, token)", [whip, TOKEN]
        )
        await page.evaluate("([url, token]) => play(url, token)", [whep, TOKEN])
        await page.wait_for_function("video.videoWidth > 0", timeout=20_000)
        shown = await watch(page, 8)
        trickled = await page.evaluate("[__published.trickled, __played.trickled]")
        removed = await page.evaluate(
            "Promise.all([__played, __published].map((session) => session.remove()))"
        )
        gone = await page.evaluate("__published.remove()")
    check_shown(shown, expected_opening, speech_with_pauses, began_ms / 1000)
    assert all(statuses and set(statuses) == {204} for statuses in trickled)
    assert (removed, gone) == ([200, 200], 404)


def start_publisher(url: str, audio: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", "avatar.join", "whip", "--url", url, "--audio", str(audio)]
    return subprocess.Popen(
        [*command, "--loop", "--size", "256"],
        cwd=ROOT,
        env=os.environ | {"WHIP_TOKEN": TOKEN},
        stderr=subprocess.PIPE,
        text=True,
    )


async def test_our_publisher_is_heard_through_a_server_in_another_process(
    guarded_server, speech_with_pauses
):
    gather_on("127.0.0.1")
    publisher = start_publisher(f"{guarded_server}/whip", speech_with_pauses)
    viewer = TestCaller(guarded_server)
    try:
        assert "Publishing to" in await asyncio.to_thread(publisher.stderr.readline)
        await viewer.view(f"/whep?token={TOKEN}")
        await until(lambda: len(viewer.heard) > 450, 30)
        publisher.send_signal(signal.SIGINT)
        _, said = await asyncio.to_thread(publisher.communicate, timeout=10)
        await until(lambda: nobody_is_left(guarded_server), 2)
    finally:
        publisher.kill()
        publisher.communicate()
        await viewer.aclose()
    assert publisher.returncode == 0 and said.startswith("avatar-join: Left after")
    times = np.array([heard.at_s for heard in viewer.heard])
    loudness = np.array([heard.loudness for heard in viewer.heard])
    spoken = np.tile(loudness_of(speech_with_pauses, PACKET_S), 3)
    spoken_s = delay_s(times + PACKET_S, loudness, spoken, FINE_S)  # fails unless it is that speech
    assert spoken_s < times[0] + 0.5
    assert len(viewer.seen) > 100


async def nobody_is_left(address: str) -> bool:
    return (await request("GET", f"{address}/readyz"))[1]["active_sessions"] == 0
