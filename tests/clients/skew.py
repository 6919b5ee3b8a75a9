"""How far a virtual camera's pictures are from the sound of its virtual microphone.

The speaker beeps every 0.305 s, the server's meter flashes in the step in which it hears a beep and
writes the number of the step into the picture. As the period is no multiple of a step, the numbers
of the first bright pictures of several beeps say within 2 ms where in the server's row of samples
the beeps are; the recording says when each was heard. That gives the time at which every step was
heard, to be compared with the time at which the camera got its picture. Nothing here believes the
client.

    skew > 0    the picture came later than its sound
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from streaming.decimate import Decimator
from streaming.features import MfccWindows
from tests.streaming.meter import MeterStream, read_brightness

RATE, STEP = 48000, 1920
PERIOD, BEEP = 14627, 4000
LOUD, BRIGHT = 2000, 90.0
WINDOW_BEEPS, KEPT_BEEPS = 40, 190
UNCUT = 300
"""A whole beep's length is right within so many samples."""
INDEX_WRAP = 1 << 16
LOOKAHEAD_MS = 80


def beeps(position: int, count: int) -> np.ndarray:
    """A beep of 83 ms of 1 kHz in every period, [count] int16."""
    at = (position + np.arange(count)) % PERIOD
    return np.where(at < BEEP, 12000 * np.cos(2 * np.pi * 1000 * at / RATE), 0).astype(np.int16)


class Beeps:
    """When whole beeps began in recorded sound; one that was cut says nothing and is left out."""

    def __init__(self) -> None:
        self.heard_s: deque[float] = deque(maxlen=KEPT_BEEPS)
        self._n_samples = self._last_loud = 0
        self._onset: tuple[int, float] | None = None

    def hear(self, samples: np.ndarray, start_s: float) -> None:
        """Take recorded samples [n] int16 whose first was heard at `start_s`."""
        loud = self._n_samples + np.flatnonzero(np.abs(samples.astype(np.int32)) > LOUD)
        for at in loud[np.diff(loud, prepend=self._last_loud) > RATE // 10]:
            before = loud[loud < at]
            self._end_beep(int(before[-1]) if len(before) else self._last_loud)
            self._onset = (int(at), start_s + (at - self._n_samples) / RATE)
        self._last_loud = int(loud[-1]) if len(loud) else self._last_loud
        self._n_samples += len(samples)

    def _end_beep(self, last_loud: int) -> None:
        if self._onset is not None and abs(last_loud - self._onset[0] - BEEP) < UNCUT:
            self.heard_s.append(self._onset[1])


class Shown(NamedTuple):
    """A picture at the camera: when, of which step, how bright."""

    at_s: float
    step: int
    brightness: float


def read_shown(lines: list[str]) -> list[Shown]:
    """The pictures of a stand-in camera's log; a step's number counts on beyond its 16 bits."""
    shown, turns, before = [], 0, 0
    for line in lines:
        at_s, index, brightness = line.split()
        if int(index) < 0:
            continue
        turns += int(index) < before - INDEX_WRAP // 2
        before = int(index)
        shown.append(Shown(float(at_s), before + turns * INDEX_WRAP, float(brightness)))
    return shown


def skews_ms(shown: list[Shown], heard_s: Sequence[float]) -> list[tuple[float, float]]:
    """The time and the skew in ms of every picture between two beeps that can be placed."""
    flashes = _flashes(shown, np.array(heard_s))
    if len(flashes) < WINDOW_BEEPS // 2:
        return []
    steps = np.array([s.step * STEP for s in shown], float)
    places = _places(flashes)
    inside = (steps >= places[0]) & (steps <= places[-1])
    due_s = np.interp(steps, places, [flash.heard_s for flash in flashes])
    return [
        (s.at_s, (s.at_s - due) * 1000)
        for s, due, counts in zip(shown, due_s, inside, strict=True)
        if counts
    ]


class Flash(NamedTuple):
    """A beep: its number since the first, its first bright step, when it was heard."""

    number: int
    step: int
    heard_s: float


def _flashes(shown: list[Shown], heard_s: np.ndarray) -> list[Flash]:
    """The beeps that were seen and heard less than half a period apart."""
    flashes: list[Flash] = []
    for before, now in pairwise(shown):
        if not before.brightness < BRIGHT <= now.brightness or now.step != before.step + 1:
            continue
        nearest_s = float(min(heard_s, key=lambda at_s: abs(at_s - now.at_s), default=np.inf))
        first = flashes[0].step if flashes else now.step
        number = round((now.step - first) * STEP / PERIOD)
        is_new = not flashes or (number, nearest_s) > (flashes[-1].number, flashes[-1].heard_s)
        if is_new and abs(nearest_s - now.at_s) < PERIOD / RATE / 2:
            flashes.append(Flash(number, now.step, nearest_s))
    return flashes


def _places(flashes: list[Flash]) -> list[float]:
    """Where in the server's row of samples the beeps begin: what the last ones agree on."""
    places: list[float] = []
    for i, flash in enumerate(flashes):
        end = max(i + 1, WINDOW_BEEPS // 2)
        first = _first_position(flashes[max(0, end - WINDOW_BEEPS) : end])
        places.append(first + flash.number * PERIOD)
    return places


def _first_position(flashes: list[Flash]) -> float:
    """The position of beep 0 in the server's row that agrees with all of these flashes."""
    ends = [flash.step * STEP - heard_ahead() - flash.number * PERIOD for flash in flashes]
    return (max(ends) + min(ends) + STEP) / 2


@cache
def heard_ahead() -> int:
    """A beep at position x lights up step (x + this) // 1920: found with the server's own ears."""
    lights, misses = -STEP, STEP  # offsets from the begin of step 10
    while misses - lights > 12:
        middle = (lights + misses) // 2
        if _first_bright(10 * STEP + middle) > 10:
            misses = middle
        else:
            lights = middle
    return STEP - misses


def _first_bright(onset: int) -> int:
    sound = np.zeros(20 * STEP, np.int16)
    sound[onset:] = beeps(0, len(sound))[: len(sound) - onset]
    windows = MfccWindows(LOOKAHEAD_MS * 16).push(Decimator().push(sound))
    meter = MeterStream(256)
    bright = [read_brightness(_luma(meter.step(w.astype(np.float32)))) for w in windows]
    return int(np.argmax(np.array(bright[6:]) >= BRIGHT)) + 6


def _luma(picture: np.ndarray | None) -> np.ndarray:
    """Grey RGB as the limited-range luma that the codec carries, [S, S] float."""
    assert picture is not None
    return 16 + picture[..., 1] * (219 / 255)
