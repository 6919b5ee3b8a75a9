"""When what was said was seen and heard, by comparing with the engine's own rendering of a file."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np

from clients.sound import read_sound
from tests.e2e.faces import aperture, landmarks_of

STEP_S, RATE = 0.04, 48000
SEARCHED_S, FINE_S = 3.0, 0.005
LIKE = 0.5
STILL = ("--pose", "none", "--seed", "1")
"""Options of a face that moves by its speech only, and that a rendering can be compared with."""


def opening_of(pictures: list[bytes]) -> np.ndarray:
    """Lip opening of [N] JPEG pictures, running medians of three."""
    grabs = [{"t": 0, "jpeg": base64.b64encode(picture)} for picture in pictures]
    opening = np.pad(aperture(landmarks_of(grabs)[0]), 1, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(opening, 3), axis=1)


def rendered_opening(audio: Path, folder: Path) -> np.ndarray:
    """Lip opening of the `STILL` face that the engine renders for a file, [N], one each 40 ms."""
    out = folder / "rendered.mp4"
    command = [sys.executable, "-m", "avatar.render", "--audio", str(audio), "--out", str(out)]
    subprocess.run([*command, *STILL, "--size", "256"], check=True, capture_output=True)
    with av.open(str(out)) as clip:
        frames = [frame.to_ndarray(format="bgr24") for frame in clip.decode(video=0)]
    return opening_of([cv2.imencode(".jpg", frame)[1].tobytes() for frame in frames])


def loudness_of(audio: Path, window_s: float) -> np.ndarray:
    """Root mean square of a file's sound in the `window_s` before each 5 ms, [N]."""
    squares = np.cumsum(np.square(read_sound(str(audio)).astype(float)))
    hop, window = round(FINE_S * RATE), round(window_s * RATE)
    ends = np.arange(0, squares.size, hop)
    starts = np.maximum(ends - window, 0)
    return np.sqrt((squares[ends] - squares[starts]) / window)


def best_rate(times_s: np.ndarray, counts: np.ndarray) -> float:
    """Most pictures a second over some 4 s: the machine that runs all parties may falter once."""
    ends = np.searchsorted(times_s, times_s + 4)
    ends = ends[ends < len(times_s)]
    starts = np.arange(len(ends))
    return float(np.max((counts[ends] - counts[starts]) / (times_s[ends] - times_s[starts])))


def undisturbed(arrivals: np.ndarray) -> np.ndarray:
    """When frames come if nothing delays them, [N] s: a busy machine must not look like a skew.

    Args:
        arrivals: [N, 2] of one connection: seconds on any clock, and the frame's own timestamp.
    """
    came_s, own_s = arrivals.T
    return own_s + np.percentile(came_s - own_s, 10)


def delay_s(
    times: np.ndarray,
    values: np.ndarray,
    expected: np.ndarray,
    spacing_s: float,
    around_s: float | None = None,
) -> float:
    """By how much a series that was measured lags behind the one that it should follow.

    Args:
        times: [N] seconds on any clock, in order.
        values: [N] measured at these times.
        expected: [M] values at 0, spacing_s, 2 spacing_s, ...
        spacing_s: seconds.
        around_s: where on that clock to look for the answer, 3 s to either side; None for the
            first of `times`.

    Returns:
        The time on that clock that belongs to 0 of `expected`.
    """
    grid = np.arange(len(expected)) * spacing_s
    middle_s = times[0] if around_s is None else around_s
    lags = middle_s + np.arange(-SEARCHED_S, SEARCHED_S, FINE_S)
    likeness = [np.corrcoef(values, np.interp(times - lag, grid, expected))[0, 1] for lag in lags]
    best = int(np.nanargmax(likeness))
    assert likeness[best] > LIKE, f"the series are unlike: r = {likeness[best]:.2f}"
    return float(lags[best])
