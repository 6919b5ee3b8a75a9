"""The avatar in a VideoRoom of a real Janus, seen by a Python peer and by Chromium."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
import wave
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import pytest

from tests.e2e.foreign_page import CHROMIUM, check_shown, foreign_page, skew_s, watch
from tests.e2e.janus import (
    API_SECRET,
    PIN,
    ROOM,
    URL,
    Network,
    needs_janus,
    running_janus,
)
from tests.e2e.synchrony import (
    FINE_S,
    STEP_S,
    STILL,
    best_rate,
    delay_s,
    loudness_of,
    opening_of,
    undisturbed,
)

pytestmark = [pytest.mark.slow, *needs_janus]
PLACE = ["--url", URL, "--room", ROOM, "--pin", PIN, "--api-secret", API_SECRET]
PACKET_S = 0.02
ROUNDS, SETTLE_MS = 3, 7000
"""How often the file is said, and what a browser takes to bring a new stream's parts in step. The
machine that runs all parties may falter in one of two views after that."""
HERE = Path(__file__).parent
JOIN_ONE_AFTER_ANOTHER = """
import json, sys
from avatar.join import main
for arguments in json.loads(sys.argv[1]):
    print(main(arguments))
"""


@contextmanager
def joined(network: Network, *flags: str):
    """The avatar's process in the room; killed at the end."""
    command = network.command(sys.executable, "-m", "avatar.join", "janus", *PLACE, *STILL, *flags)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def watching(network: Network, out: Path, who: str, *flags: str):
    """A Python peer that watches the avatar and has joined the room."""
    peer = [sys.executable, "-m", "tests.e2e.janus_peer", *PLACE, "--watch", who]
    process = subprocess.Popen(
        network.command(*peer, "--out", str(out), *flags), stdout=subprocess.PIPE, text=True
    )
    try:
        wait_for_line(process.stdout, "joined")
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for_line(output: IO[str], text: str) -> None:
    """Until a process says `text`."""
    lines = []
    for line in output:
        lines.append(line)
        if text in line:
            return
    raise AssertionError(f"{text!r} was never said: {lines}")


@asynccontextmanager
async def browsing(network: Network, folder: Path):
    """Chromium in the network, in the room."""
    wrapper = folder / "chromium"
    wrapper.write_text(f'#!/bin/sh\nexec {" ".join(network.command(CHROMIUM))} "$@"\n')
    wrapper.chmod(0o755)
    async with foreign_page(HERE / "janus.js", executable=wrapper) as page:
        place = {"url": URL, "room": int(ROOM), "pin": PIN, "secret": API_SECRET, "watch": "Avatar"}
        await page.evaluate("place => watchRoom(place)", place)
        yield page


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
async def test_a_python_peer_and_a_browser_see_the_face_speak_in_time(
    speech_with_pauses, expected_opening, tmp_path
):
    out, speech = tmp_path / "seen.npz", repeated(speech_with_pauses, ROUNDS, tmp_path)
    with running_janus(tmp_path) as (_, network), watching(network, out, "Avatar") as peer:
        async with browsing(network, tmp_path) as page:
            with joined(network, "--audio", str(speech)) as avatar:
                await page.wait_for_function("video.videoWidth > 0", timeout=60_000)
                began_s = await page.evaluate("performance.now()") / 1000
                await page.wait_for_timeout(SETTLE_MS)
                views = [await watch(page, 8), await watch(page, 8)]
                await page.wait_for_function("window.__room.left !== null", timeout=20_000)
                assert await asyncio.to_thread(avatar.wait, 10) == 0
        assert await asyncio.to_thread(peer.wait, 20) == 0
    check_peer(np.load(out, allow_pickle=True), np.tile(expected_opening, ROUNDS), speech)
    place = (expected_opening, speech_with_pauses, began_s)
    check_shown(min(views, key=lambda shown: abs(skew_s(shown, *place))), *place)


def repeated(speech: Path, rounds: int, folder: Path) -> Path:
    """A WAV that says what another one does several times."""
    path = folder / "repeated.wav"
    with wave.open(str(speech)) as once, wave.open(str(path), "wb") as file:
        file.setparams(once.getparams())
        file.writeframes(rounds * once.readframes(once.getnframes()))
    return path


def check_peer(seen: Any, expected: np.ndarray, speech: Path) -> None:
    """What the Python peer got: rate, moving lips, synchrony."""
    opening, times = opening_of(list(seen["pictures"])), undisturbed(seen["picture_times"])
    picture_s = delay_s(times, opening, expected, STEP_S)
    sound_s = delay_s(*heard(seen), loudness_of(speech, PACKET_S), FINE_S)
    came_s = seen["picture_times"][:, 0]
    assert best_rate(came_s, np.arange(len(came_s))) >= 24
    assert np.percentile(opening, 95) - np.percentile(opening, 5) > 0.03
    assert abs(picture_s - sound_s) <= 0.06


def heard(seen: Any, until_s: float = np.inf) -> tuple[np.ndarray, np.ndarray]:
    """When the packets that came before `until_s` were over, [N] s, and how loud they were, [N]."""
    before = seen["sound_times"][:, 0] < until_s
    loudness = np.sqrt(np.mean(np.square(seen["sound"][before].astype(float)), axis=1))
    # a packet comes when its first sample is due
    return undisturbed(seen["sound_times"][before]) + PACKET_S, loudness


class Stay(NamedTuple):
    """An avatar that spoke another participant's sound, lost Janus, and was interrupted.

    seen: what the other one got. killed_s, back_s, interrupted_s: since the epoch, the end of
    Janus, its return, and Ctrl-C. status, said: how the avatar ended and what it wrote.
    """

    seen: Any
    killed_s: float
    back_s: float
    interrupted_s: float
    status: int
    said: str


@pytest.fixture(scope="module")
def stay(speech_with_pauses, tmp_path_factory) -> Stay:
    folder = tmp_path_factory.mktemp("stay")
    speaker = ("--name", "Speaker", "--speak", str(speech_with_pauses))
    with (
        running_janus(folder, full_trickle=True) as (janus, network),
        watching(network, folder / "seen.npz", "Mimic", *speaker) as peer,
        joined(network, "--display", "Mimic", "--listen", "Speaker") as avatar,
    ):
        wait_for_line(peer.stdout, "watching")
        time.sleep(8)
        killed_s = time.time()
        janus.stop()
        janus.start()
        back_s = time.time()
        wait_for_line(peer.stdout, "watching")
        time.sleep(2)
        interrupted_s = time.time()
        avatar.send_signal(signal.SIGINT)
        _, said = avatar.communicate(timeout=10)
        assert peer.wait(20) == 0
    seen = np.load(folder / "seen.npz", allow_pickle=True)
    return Stay(seen, killed_s, back_s, interrupted_s, avatar.returncode, said)


def test_the_face_says_what_another_participant_says(stay, speech_with_pauses, expected_opening):
    rounds, spoke_s = 3, stay.seen["spoke_times"][0]
    spoken = np.tile(loudness_of(speech_with_pauses, PACKET_S), rounds)
    sound_s = delay_s(*heard(stay.seen, stay.killed_s), spoken, FINE_S, spoke_s)
    before = stay.seen["picture_times"][:, 0] < stay.killed_s
    times = undisturbed(stay.seen["picture_times"][before])
    opening = opening_of(list(stay.seen["pictures"][before]))
    shown = np.tile(expected_opening, rounds)
    picture_s = delay_s(times, opening, shown, STEP_S, spoke_s)
    assert 0 < sound_s - spoke_s < 1
    assert 0 < picture_s - spoke_s < 1


def test_the_face_is_back_within_10_s_after_janus_was_killed_and_started_again(stay):
    times = stay.seen["picture_times"][:, 0]
    after = times[times > stay.back_s]
    assert len(after) > 25
    assert after[0] - stay.killed_s <= 10
    assert "trying again" in stay.said


def test_ctrl_c_says_good_bye_to_the_room_and_ends_well(stay):
    assert 0 < stay.seen["left_s"] - stay.interrupted_s < 2
    assert stay.status == 0
    assert stay.said.splitlines()[-1].startswith("avatar-join: Left after")
    assert "Traceback" not in stay.said and "Task" not in stay.said


def test_what_janus_refuses_is_one_line_each(speech_with_pauses, tmp_path):
    room, secret = ["--room", ROOM, "--pin", PIN], ["--api-secret", API_SECRET]
    mistakes = {
        "No such room (99)": ["--room", "99", *secret],
        "wrong pin": ["--room", ROOM, "--pin", "0", *secret],
        "wrong or missing secret": room,
    }
    fixed = ["janus", "--url", URL, "--audio", str(speech_with_pauses), "--size", "256"]
    with running_janus(tmp_path) as (_, network):
        given = json.dumps([[*fixed, *arguments] for arguments in mistakes.values()])
        command = network.command(sys.executable, "-c", JOIN_ONE_AFTER_ANOTHER, given)
        run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.split() == ["2", "2", "2"]
    lines = run.stderr.splitlines()
    assert len(lines) == len(mistakes)
    for line, words in zip(lines, mistakes, strict=True):
        assert line.startswith("avatar-join: Janus refuses: ") and words in line
