"""MFCC windows are those of the library, for every chunking, and see no further than declared."""

import numpy as np
import pytest
from python_speech_features import mfcc

from streaming.features import MfccWindows, windows_of

LITE, EAMM = (1280, 0), (2800, 1)
"""Lookahead in samples and number of the first coefficient."""


def reference(samples: np.ndarray, lookahead: int, first: int) -> np.ndarray:
    padded = np.concatenate((np.zeros(4720 - lookahead), samples))
    rows = mfcc(padded, 16000, winstep=0.01)[:, first : first + 12]
    n = (len(padded) - 4720) // 640 + 1  # windows of full rows
    return np.stack([rows[4 * k : 4 * k + 28] for k in range(n)])


@pytest.fixture
def sound() -> np.ndarray:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=16000).astype(np.float32) * 0.1
    noise[5000:9000] = 0.0
    return noise


@pytest.mark.parametrize("lookahead, first", [LITE, EAMM])
@pytest.mark.parametrize("chunk", [1, 159, 320, 640, 1001, 16000])
def test_windows_equal_the_library_for_every_chunking(sound, lookahead, first, chunk):
    stream = MfccWindows(lookahead, first)
    chunks = [sound[i : i + chunk] for i in range(0, len(sound), chunk)]
    windows = np.concatenate([stream.push(c) for c in chunks])
    expected = reference(sound, lookahead, first)
    assert windows.shape == expected.shape
    np.testing.assert_allclose(windows, expected, atol=1e-4)


@pytest.mark.parametrize("lookahead, first", [LITE, EAMM])
def test_a_window_sees_its_lookahead_and_nothing_beyond(sound, lookahead, first):
    before = windows_of(sound, lookahead, first)
    for k in (0, 7):
        end = 640 * k + lookahead
        for sample, changes in ((end - 1, True), (end, False)):
            other = sound.copy()
            other[sample] += 0.5
            same = np.array_equal(windows_of(other, lookahead, first)[k], before[k])
            assert same is not changes


@pytest.mark.parametrize("n", [1, 639, 640, 641, 6400, 10001])
def test_flush_completes_one_window_per_started_picture(n):
    sound = np.random.default_rng(1).normal(size=n).astype(np.float32)
    silence = np.zeros(2800)
    windows = windows_of(sound, *LITE)
    assert len(windows) == -(-n // 640)
    expected = reference(np.concatenate((sound, silence)), *LITE)[: len(windows)]
    np.testing.assert_allclose(windows, expected, atol=1e-4)


def test_digital_silence_has_no_spectral_shape():
    windows = windows_of(np.zeros(6400, np.float32), *LITE)
    np.testing.assert_allclose(windows[..., 1:], 0.0, atol=1e-9)
    np.testing.assert_allclose(windows[..., 0], np.log(np.finfo(float).eps))


def test_loudness_changes_the_energy_alone(sound):
    stretch = sound[:4000]
    quiet, loud = windows_of(stretch * 0.01, *LITE)[7:], windows_of(stretch, *LITE)[7:]
    np.testing.assert_allclose(quiet[..., 1:], loud[..., 1:], atol=1e-3)
    np.testing.assert_allclose(quiet[..., 0], loud[..., 0] + np.log(0.01**2), atol=1e-3)


@pytest.mark.parametrize("lookahead", [0, 4721])
def test_an_impossible_lookahead_is_refused(lookahead):
    with pytest.raises(ValueError, match=str(lookahead)):
        MfccWindows(lookahead)


def test_stereo_is_refused():
    with pytest.raises(ValueError, match="one-dimensional"):
        MfccWindows(*LITE).push(np.zeros((10, 2)))


def test_flush_of_an_unheard_stream_makes_nothing():
    stream = MfccWindows(*LITE)
    assert len(stream.flush()) == 0
    assert len(stream.push(np.zeros(1279))) == 0
    assert len(stream.push(np.zeros(1))) == 1
