"""Sound of a track: every frame once and in order, time that goes on, a bounded memory."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame

from streaming.decimate import Decimator
from streaming.features import windows_of
from streaming.metrics import Metrics
from streaming.playout import Step
from streaming.session import Session
from streaming.sound_source import MOST_WAITING, TrackSource
from tests.streaming.meter import MeterEngine, MeterStream

PACKET = 960


class ListTrack(MediaStreamTrack):
    """Gives the frames of [S] int16 samples one a turn of the loop, and then what `end` says."""

    kind = "audio"

    def __init__(self, samples: np.ndarray, end: Exception | None = None) -> None:
        super().__init__()
        self.frames = list(samples.reshape(-1, PACKET))
        self.end = end

    async def recv(self) -> AudioFrame:
        await asyncio.sleep(0)
        if not self.frames:
            if self.end is None:
                await asyncio.Event().wait()
            raise self.end
        frame = AudioFrame.from_ndarray(self.frames.pop(0)[None], format="s16", layout="mono")
        frame.sample_rate = 48000
        return frame


class OpenLink:
    """A link that is up and stays so."""

    def __init__(self) -> None:
        self.connected, self.left = asyncio.Event(), asyncio.Event()
        self.connected.set()

    async def watch(self) -> None:
        await self.left.wait()

    async def aclose(self) -> None:
        self.left.set()


class Listener:
    """A publication that keeps every step."""

    sends_picture = True
    pictures = dropped_pictures = dropped_sounds = 0

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def push(self, step: Step) -> None:
        self.steps.append(step)


class RememberingEngine(MeterEngine):
    """Keeps the features that its face has seen."""

    def __init__(self) -> None:
        super().__init__(256)
        self.features: list[np.ndarray] = []

    def open_stream(self, seed=None):
        stream = MeterStream(self.size)
        draw = stream.step

        def step(features, render=True):
            self.features.append(features)
            return draw(features, render)

        stream.step = step
        return stream


def noise(n_packets: int) -> np.ndarray:
    return np.random.default_rng(0).integers(-9000, 9000, n_packets * PACKET).astype(np.int16)


async def test_a_file_is_heard_live_exactly_as_offline_and_ends_the_session():
    sound, engine, listener = noise(100), RememberingEngine(), Listener()
    link = OpenLink()
    source = TrackSource(ListTrack(sound, MediaStreamError()))
    await Session("s", engine, Metrics(), link, source, [listener]).run()
    heard = np.concatenate([step.samples for step in listener.steps])
    np.testing.assert_array_equal(heard, sound[: heard.size])
    expected = windows_of(Decimator().push(sound), 1280)
    assert len(engine.features) == (sound.size * 1000 // 48000 - 80) // 40 + 1
    np.testing.assert_allclose(engine.features, expected[: len(engine.features)], atol=1e-4)
    assert link.left.is_set()


async def test_a_length_ends_the_sound_of_an_endless_track():
    source = TrackSource(ListTrack(noise(10)), 4 * PACKET)
    n_samples = 0
    while (pieces := await source.read()) is not None:
        n_samples += sum(piece.n_samples for piece in pieces)
    assert n_samples >= 4 * PACKET
    await source.aclose()


async def test_time_goes_on_while_a_track_is_silent():
    source = TrackSource(ListTrack(noise(1)))
    assert [piece.payload is None for piece in await source.read()] == [False]
    for _ in range(2):
        assert [(p.payload, p.n_samples) for p in await source.read()] == [(None, PACKET)] * 5
    await source.aclose()


async def test_of_a_long_backlog_the_newest_is_kept_and_the_rest_counted():
    sound = noise(MOST_WAITING + 31)
    source = TrackSource(ListTrack(sound))
    first = await source.read()
    await asyncio.sleep(0.05)  # nobody reads, the track goes on
    pieces = await source.read()
    assert (len(pieces), len(first) + source.late_packets) == (MOST_WAITING, 31)
    np.testing.assert_array_equal(pieces[-1].payload, sound[-PACKET:])
    await source.aclose()


async def test_what_breaks_a_track_reaches_the_session():
    source = TrackSource(ListTrack(noise(3), OSError("the sound card is gone")))
    session = Session("s", MeterEngine(256), Metrics(), OpenLink(), source, [])
    with pytest.raises(OSError, match="sound card"):
        await session.run()
