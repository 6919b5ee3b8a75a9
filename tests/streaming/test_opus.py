"""Opus in and out: lengths, fidelity, damage."""

from __future__ import annotations

import av
import numpy as np
import pytest

from streaming.opus import OpusDecoder, OpusEncoder, opus_samples


def voice(seconds: float) -> np.ndarray:
    """A low harmonic tone in a slow envelope, [S] int16."""
    t = np.arange(int(seconds * 48000)) / 48000
    tones = sum(np.sin(2 * np.pi * 110 * n * t) / n for n in range(1, 20))
    return (4000 * np.sin(2 * np.pi * 2 * t) ** 2 * tones).astype(np.int16)


def test_returned_sound_is_the_callers_own_and_hardly_later():
    sound, decoder = voice(2.0), OpusDecoder()
    back = np.concatenate([decoder.decode(p) for p in OpusEncoder().encode(sound)])
    late = 120  # samples, what `lowdelay` costs
    a, b = sound[9600:86400].astype(float), back[9600 + late : 86400 + late].astype(float)
    assert np.corrcoef(a, b)[0, 1] > 0.98
    assert (a @ b) / (a @ a) == pytest.approx(1, abs=0.05)


def test_each_20_ms_is_one_packet_that_says_so():
    packets = OpusEncoder().encode(voice(1.0))
    assert [opus_samples(p) for p in packets] == [960] * 50


@pytest.mark.parametrize("payload", [b"\xff\x41\x00", b"\xfd" + bytes(range(251))])
def test_a_damaged_packet_is_no_sound_and_no_error(payload):
    decoder = OpusDecoder()
    decoder.decode(payload)
    assert decoder.decode(OpusEncoder().encode(voice(0.02))[0]) is not None


@pytest.mark.parametrize("ms", ["2.5", "5", "10", "20", "40", "60"])
@pytest.mark.parametrize("application", ["voip", "lowdelay"])
def test_packet_length_is_what_the_encoder_made(ms, application):
    encoder = av.CodecContext.create("libopus", "w")
    encoder.format, encoder.layout, encoder.sample_rate = "s16", "mono", 48000
    encoder.options = {"frame_duration": ms, "application": application}
    encoder.open()
    sound = np.zeros((1, encoder.frame_size), np.int16)
    packets = []
    for _ in range(3):
        frame = av.AudioFrame.from_ndarray(sound, format="s16", layout="mono")
        frame.sample_rate = 48000
        packets += encoder.encode(frame)
    assert opus_samples(bytes(packets[0])) == float(ms) * 48
