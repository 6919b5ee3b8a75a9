import asyncio
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import av
import numpy as np
import pytest
from aiohttp.test_utils import TestServer

from clients.connection import is_loopback, offer_loopback_only
from tests.clients.echo import Echo, app_of
from tests.clients.test_measure import speech_like
from tests.clients.test_sound import write_wav

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def serving(echo: Echo):
    offer_loopback_only()
    async with TestServer(app_of(echo), host="127.0.0.1") as server:
        yield str(server.make_url("/"))


@pytest.fixture
def speech(tmp_path) -> Path:
    path = tmp_path / "speech.wav"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("pcm_s16le", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(speech_like(5)[None], format="s16", layout="mono")
        frame.sample_rate = 48000
        file.mux(stream.encode(frame))
    return path


async def start(url: str, audio: Path, *more: str) -> asyncio.subprocess.Process:
    folder = audio.parent
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "clients.headless", "--url", url, "--audio", str(audio)),
        *("--out", str(folder / "out.mp4"), "--stats", str(folder / "stats.json"), *more),
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def call(url: str, audio: Path, *more: str) -> tuple[int, str]:
    process = await start(url, audio, *more)
    _, errors = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, errors.decode()


def stats_in(folder: Path) -> dict:
    return json.loads((folder / "stats.json").read_text())


@pytest.mark.slow
async def test_figures_agree_with_delays_that_were_set(speech):
    echo = Echo(sound_ms=60, picture_ms=30, skipped_packets=10, frozen={60, 61}, missing={80})
    async with serving(echo) as url:
        status, errors = await call(url, speech, "--seconds", "8", "--emotion", "happy")
    assert (status, errors) == (0, "")
    figures = stats_in(speech.parent)
    # a step of 40 ms, 60 ms of the stand-in, twice 6.5 ms of Opus and the loopback
    assert 105 <= figures["mic_to_sound_ms"]["p50"] <= 150
    assert 20 <= figures["av_skew_ms"] <= 45
    picture_after_sound = figures["mic_to_picture_ms"]["p50"] - figures["mic_to_sound_ms"]["p50"]
    assert 15 <= picture_after_sound <= 45
    assert figures["frozen_frames"] == 2
    assert figures["dropped_frames"] == 1
    assert figures["fps"] == pytest.approx(25 * (1 - 1 / figures["frames"]), abs=0.4)
    assert figures["frames"] >= 180
    assert echo.controls == [{"type": "emotion", "name": "happy"}]
    assert echo.deleted == 1


@pytest.mark.slow
async def test_recording_holds_every_step_and_its_sound_in_sync(speech):
    async with serving(Echo(missing={30, 31})) as url:
        assert (await call(url, speech, "--seconds", "5"))[0] == 0
    figures = stats_in(speech.parent)
    with av.open(str(speech.parent / "out.mp4")) as file:
        video, audio = file.streams.video[0], file.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
        assert video.average_rate == 25
        pictures = sum(1 for _ in file.decode(video))
    assert pictures == figures["frames"] + figures["dropped_frames"]
    with av.open(str(speech.parent / "out.mp4")) as file:
        frames = file.decode(audio=0)
        heard = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    assert len(heard) / 48000 == pytest.approx(pictures / 25, abs=0.2)


@pytest.mark.slow
async def test_losing_the_server_still_writes_the_figures(speech):
    echo = Echo()
    async with serving(echo) as url:
        process = await start(url, speech, "--seconds", "60")
        await asyncio.sleep(4)
        await asyncio.gather(*[peer.close() for peer in echo.peers])
        _, errors = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 1
    assert "ended the call" in errors.decode()
    assert stats_in(speech.parent)["frames"] > 20


@pytest.mark.slow
async def test_ctrl_c_still_writes_figures_and_a_readable_recording(speech):
    async with serving(Echo()) as url:
        process = await start(url, speech, "--seconds", "60")
        await asyncio.sleep(4)
        process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 130
    assert stats_in(speech.parent)["frames"] > 20
    with av.open(str(speech.parent / "out.mp4")) as file:
        assert sum(1 for _ in file.decode(video=0)) > 20


async def test_refusals_of_the_server_are_one_line_and_status_2(speech):
    async with serving(Echo(full=True)) as url:
        status, errors = await call(url, speech)
    assert status == 2
    assert errors.count("\n") == 1
    assert "sessions are taken" in errors
    async with serving(Echo()) as url:
        status, errors = await call(url, speech, "--emotion", "sleepy")
    assert status == 2
    assert errors.count("\n") == 1
    assert "sleepy" in errors


@pytest.mark.parametrize(
    ("flaw", "reason"),
    [("no server", "cannot be reached"), ("no samples", "no samples"), ("no folder", "written")],
)
async def test_mistakes_of_the_user_are_one_line_and_status_2(tmp_path, flaw, reason):
    audio, more = tmp_path / "speech.wav", []
    write_wav(audio, 16000, 1, 2, 0.0 if flaw == "no samples" else 0.2)
    if flaw == "no folder":
        more = ["--out", str(tmp_path / "missing" / "out.mp4")]
    status, errors = await call("http://127.0.0.1:9", audio, *more)
    assert status == 2
    assert errors.count("\n") == 1
    assert reason in errors


def test_loopback_is_told_from_other_hosts():
    assert is_loopback("http://127.0.0.1:8080")
    assert is_loopback("http://localhost:8080")
    assert is_loopback("http://[::1]:8080")
    assert not is_loopback("https://avatar.example")
