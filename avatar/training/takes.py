"""Takes of fixed length: MFCC rows of speech after a channel, and its phonemes.

A take strings utterances of one voice together with pauses. The mouth's motion is not stored but
made from the phonemes when a take is loaded, so a new viseme table needs no new sound.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from avatar.training.channel import Channel, another_speaker, noise, transmitted
from avatar.training.phonemes import SILENCE, Phone, stretched, with_silence
from avatar.training.voices import Utterance
from streaming.features import windows_of

RATE = 16000
FRAMES = 200
"""Pictures in a take, 8 s."""
SAMPLES = FRAMES * 640
LOOKAHEAD_SAMPLES = 1280
LONG_PAUSE = 0.12
"""Share of pauses that last 1 to 4 s; the others last up to 0.9 s."""


class Takes(NamedTuple):
    """Takes of one voice.

    rows: [N, 4 FRAMES + 24, 12] float32, MFCC rows; picture t sees rows 4 t .. 4 t + 27.
    phones: N lists, silence marked.
    """

    rows: np.ndarray
    phones: list[list[Phone]]


def make_takes(
    utterances: list[Utterance],
    babble: np.ndarray,
    count: int,
    rng: np.random.Generator,
    channel: Channel | None = None,
) -> Takes:
    """String utterances together and send them through channels.

    Args:
        utterances: of one voice.
        babble: [>= SAMPLES] float32, other people talking.
        count: how many takes.
        rng: source of all choices.
        channel: what may happen to the sound.
    """
    channel = channel or Channel()
    rows, phones = [], []
    for _ in range(count):
        sound, spoken = _strung(utterances, rng, channel)
        rows.append(mfcc_rows(transmitted(sound, babble, rng, channel)))
        phones.append(spoken)
    return Takes(np.stack(rows), phones)


def _strung(
    utterances: list[Utterance], rng: np.random.Generator, channel: Channel
) -> tuple[np.ndarray, list[Phone]]:
    """Sound [SAMPLES] of utterances with pauses, and its phonemes."""
    sound, phones = np.zeros(SAMPLES, np.float32), []
    clock = int(rng.uniform(0, 0.8) * RATE)
    while clock < SAMPLES:
        said = utterances[rng.integers(len(utterances))]
        samples, factor = another_speaker(said.samples, rng, channel)
        samples = samples / (np.abs(samples).max() + 1e-6)
        room = min(len(samples), SAMPLES - clock)
        sound[clock : clock + room] = samples[:room] * rng.uniform(0.5, 1.0)
        phones += [
            p for p in stretched(said.phones, factor, clock / RATE) if p.start < SAMPLES / RATE
        ]
        long = rng.random() < LONG_PAUSE
        clock += room + int((rng.uniform(1, 4) if long else rng.uniform(0, 0.9)) * RATE)
    spoken = [p for p in phones if p.symbol != SILENCE]
    return sound, with_silence(spoken, SAMPLES / RATE)


def silent_takes(babble: np.ndarray, count: int, rng: np.random.Generator) -> Takes:
    """Noise without speech, and digital silence."""
    quiet = with_silence([], SAMPLES / RATE)
    sounds = [
        noise(SAMPLES, rng.normal(size=SAMPLES), rng) * 0.05 * (rng.random() > 0.1)
        for _ in range(count)
    ]
    return Takes(np.stack([mfcc_rows(s.astype(np.float32)) for s in sounds]), [quiet] * count)


def mfcc_rows(samples: np.ndarray) -> np.ndarray:
    """The rows under the windows of [640 T] samples, each once: [4 T + 24, 12] float32."""
    windows = windows_of(samples, LOOKAHEAD_SAMPLES)
    return np.concatenate([windows[0, :24], windows[:, 24:].reshape(-1, 12)])


def save_takes(path: Path, takes: Takes) -> None:
    """Write takes as one npz."""
    flat = [(i, *phone) for i, phones in enumerate(takes.phones) for phone in phones]
    owner, symbols, starts, ends = zip(*flat, strict=True)
    part = path.with_suffix(".part.npz")
    np.savez(
        part, rows=takes.rows, owner=owner, symbols=symbols,
        starts=np.array(starts, np.float32), ends=np.array(ends, np.float32),
    )  # fmt: skip
    part.replace(path)


def load_takes(path: Path) -> Takes:
    """Read takes of one voice."""
    with np.load(path) as file:
        phones: list[list[Phone]] = [[] for _ in file["rows"]]
        rows = zip(file["owner"], file["symbols"], file["starts"], file["ends"], strict=True)
        for owner, symbol, start, end in rows:
            phones[owner].append(Phone(str(symbol), float(start), float(end)))
        return Takes(file["rows"], phones)
