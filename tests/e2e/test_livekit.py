"""`avatar.join livekit` in a room of the stand-in server, watched through the official SDK."""

from __future__ import annotations

import asyncio
import base64
import signal
import subprocess
import sys
from contextlib import asynccontextmanager

import cv2
import numpy as np
import pytest

pytest.importorskip("livekit.rtc")
pytest.importorskip("livekit.api")

from tests.e2e.conftest import free_port
from tests.e2e.faces import aperture, landmarks_of
from tests.livekit_sfu.people import Seen, Watcher, token
from tests.livekit_sfu.server import stand_in_server
from tests.streaming.conftest import until

pytestmark = pytest.mark.slow
START_S, LOUD = 60, 300
BEGIN_S = 1.5
"""The first pictures are coarse: the SDK's encoder finds out what the way can carry."""
ENOUGH_FPS = 20
"""Engine, server and watcher share two cores here; the rate itself is tested with the meter."""
EVERY = 3
"""Of the received pictures one in so many is looked at."""


@asynccontextmanager
async def joined(url: str, *flags: str):
    """The avatar's process in the room; killed at the end."""
    command = [
        sys.executable,
        "-X",
        "faulthandler",
        "-m",
        "avatar.join",
        "livekit",
        "--url",
        url,
        "--seed",
        "1",
    ]
    process = await asyncio.create_subprocess_exec(
        *command, "--token", token("face"), "--pose", "none", *flags, stderr=subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@asynccontextmanager
async def watching(url: str):
    watcher = Watcher("face", keeps_pictures=True)
    await watcher.room.connect(url, token("watcher"))
    try:
        yield watcher
    finally:
        await watcher.aclose()


async def test_a_watcher_sees_the_face_say_a_file_and_leave(speech_with_pauses):
    async with stand_in_server() as server, watching(server.url) as watcher:
        async with joined(server.url, "--audio", str(speech_with_pauses)) as avatar:
            _, said = await asyncio.wait_for(avatar.communicate(), START_S + 20)
    assert avatar.returncode == 0, said
    steady = [seen for seen in watcher.seen if seen.at_s > watcher.seen[0].at_s + BEGIN_S]
    assert (len(steady) - 1) / (steady[-1].at_s - steady[0].at_s) >= ENOUGH_FPS
    check_mouth(watcher, steady[::EVERY])


def check_mouth(watcher: Watcher, looked: list[Seen]) -> None:
    """It moves while there is sound and rests before and between the speech."""
    pictures = [cv2.imencode(".jpg", seen.luma)[1].tobytes() for seen in looked]
    grabs = [{"t": 0, "jpeg": base64.b64encode(picture)} for picture in pictures]
    opening = aperture(landmarks_of(grabs)[0])
    heard_s = np.array([heard.at_s for heard in watcher.heard if heard.loudness > LOUD])
    away_s = np.array([np.abs(heard_s - seen.at_s).min() for seen in looked])
    spoken = opening[away_s < 0.1]
    spread = np.percentile(spoken, 95) - np.percentile(spoken, 5)
    assert spread > 0.03
    assert np.std(opening[away_s > 0.5]) < 0.25 * spread


async def test_the_face_comes_back_to_a_server_that_was_restarted_and_leaves_on_ctrl_c(
    speech_with_pauses,
):
    port = free_port()
    flags = ("--audio", str(speech_with_pauses), "--loop", "--size", "256")
    async with joined(f"ws://127.0.0.1:{port}", *flags) as avatar:
        async with stand_in_server(port) as server, watching(server.url) as watcher:
            await until(lambda: len(watcher.seen) >= 25, START_S)
        async with stand_in_server(port) as server, watching(server.url) as watcher:
            await until(lambda: len(watcher.seen) >= 25, START_S)
            avatar.send_signal(signal.SIGINT)
            _, said = await asyncio.wait_for(avatar.communicate(), 10)
    assert avatar.returncode == 0, said
    assert b"Traceback" not in said and b"Task" not in said
    assert said.splitlines()[-1].startswith(b"avatar-join: Left")
