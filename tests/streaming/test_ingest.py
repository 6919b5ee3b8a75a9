"""From pieces of Opus to steps: complete, in order, the same for every chunking."""

from __future__ import annotations

import av
import numpy as np
import pytest

from streaming.decimate import TAPS, Decimator
from streaming.features import windows_of
from streaming.ingest import Ingest
from streaming.receive_buffer import Piece


def speechlike(seconds: float) -> np.ndarray:
    """Noise in a slow envelope over a tone, [S] int16 at 48 kHz."""
    t = np.arange(int(seconds * 48000)) / 48000
    noise = np.random.default_rng(0).normal(size=t.size)
    signal = np.sin(2 * np.pi * 3 * t) ** 2 * (0.6 * np.sin(2 * np.pi * 220 * t) + 0.1 * noise)
    return (8000 * signal).astype(np.int16)


def packets(samples: np.ndarray) -> list[Piece]:
    encoder = av.CodecContext.create("libopus", "w")
    encoder.format, encoder.layout, encoder.sample_rate = "s16", "mono", 48000
    pieces = []
    for start in range(0, samples.size - 959, 960):
        frame = av.AudioFrame.from_ndarray(
            samples[None, start : start + 960], format="s16", layout="mono"
        )
        frame.sample_rate = 48000
        pieces += [Piece(bytes(p), 960) for p in encoder.encode(frame)]
    return pieces


def hear(pieces: list[Piece], chunk: int = 1):
    ingest, steps = Ingest(80), []
    for i in range(0, len(pieces), chunk):
        steps += ingest.push(pieces[i : i + chunk])
    return ingest, steps


def test_features_and_sound_of_all_steps_are_those_of_the_whole_signal():
    _, steps = hear(packets(speechlike(3.0)))
    sound = np.concatenate([step.sound for step in steps])
    expected = windows_of(Decimator().push(sound), 1280)
    assert [step.k for step in steps] == list(range(len(steps)))
    n = len(steps) - 2  # the last windows reach past the sound that has come out
    np.testing.assert_allclose([s.features for s in steps[:n]], expected[:n], atol=1e-4)


def test_a_step_needs_no_more_sound_than_its_lookahead():
    pieces = packets(speechlike(2.0))
    for n in range(4, 40):
        _, steps = hear(pieces[:n])
        assert len(steps) == (n * 20 - 80) // 40 + 1


@pytest.mark.parametrize("chunk", [2, 3, 7, 1000])
def test_chunking_changes_nothing(chunk):
    pieces = packets(speechlike(1.0))
    _, one_by_one = hear(pieces)
    _, chunked = hear(pieces, chunk)
    for a, b in zip(one_by_one, chunked, strict=True):
        assert a.k == b.k
        np.testing.assert_array_equal(a.sound, b.sound)
        np.testing.assert_allclose(a.features, b.features, atol=1e-4)


def test_a_gap_is_faded_out_of_and_into_and_counted():
    pieces = packets(speechlike(2.0))
    pieces[40:45] = [Piece(None, 960)] * 5
    ingest, steps = hear(pieces)
    sound = np.concatenate([step.sound for step in steps])
    assert ingest.concealed_samples == 4800
    assert not sound[41 * 960 : 45 * 960].any()
    assert sound[40 * 960 : 41 * 960].any()
    assert len(steps) == len(hear(packets(speechlike(2.0)))[1])


@pytest.mark.parametrize("payload", [b"\xfc", b"\xff\x41\x00", b"\xfd" + bytes(range(251))])
def test_a_damaged_packet_keeps_its_place(payload):
    pieces = packets(speechlike(1.0))
    pieces[20] = Piece(payload, 960)
    _, steps = hear(pieces)
    assert len(steps) == len(hear(packets(speechlike(1.0)))[1])


def test_a_muted_caller_is_heard_and_returned_as_silence():
    ingest = Ingest(80)
    steps = ingest.push(packets(speechlike(1.0)), muted=True)
    assert steps
    assert not any(step.sound.any() for step in steps)
    silent = Ingest(80).push([Piece(None, 960)] * 50)
    np.testing.assert_array_equal(steps[-1].features, silent[len(steps) - 1].features)


def tone(hz: float) -> np.ndarray:
    return (10000 * np.sin(2 * np.pi * hz * np.arange(48000) / 48000)).astype(np.int16)


def loudness(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples[TAPS:]))))


@pytest.mark.parametrize("hz", [50, 1000, 4000, 6500])
def test_decimation_keeps_speech(hz):
    assert loudness(Decimator().push(tone(hz))) == pytest.approx(10000 / 32768 / 2**0.5, rel=0.02)


@pytest.mark.parametrize("hz", [9000, 12000, 15000, 20000])
def test_decimation_does_not_fold_high_sounds_back(hz):
    assert loudness(Decimator().push(tone(hz))) < 0.003 * 10000 / 32768


@pytest.mark.parametrize("chunk", [3, 960, 2880])
def test_decimation_does_not_depend_on_chunks(chunk):
    signal, decimator = tone(440)[:28800], Decimator()
    parts = [decimator.push(signal[i : i + chunk]) for i in range(0, signal.size, chunk)]
    np.testing.assert_allclose(np.concatenate(parts), Decimator().push(signal), atol=1e-6)


def test_decimation_refuses_part_of_a_sample():
    with pytest.raises(ValueError, match="961"):
        Decimator().push(np.zeros(961, np.int16))
