"""What every voice said, as spectra with phonemes or with the motion of a tracked mouth.

Kept per voice, clean and through channels. The mouth's motion is made from the phonemes when a file
is loaded, so a new viseme table needs no new sound. Read next: `variation.py` (spectra to batches).
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from avatar.training.channel import Channel, another_speaker, transmitted
from avatar.training.phonemes import SILENCE, Phone, stretched, with_silence
from avatar.training.spectra import MIDDLE, RATE, ROWS_PER_SECOND, log_mel
from avatar.training.visemes import Timing, closed_long_enough, measures_at, sounds_at
from avatar.training.voices import Utterance

PAD = 0.15
"""Seconds of silence kept before and after everything that is said."""


class Said(NamedTuple):
    """One utterance, 100 rows a second.

    spectra: [R, 26] float32, log mel energies.
    measures: [R, 5] float32, `visemes.MEASURES` at the middle of every row.
    sounds: [R] int64, class of the phoneme there, -1 where it is unknown.
    """

    spectra: np.ndarray
    measures: np.ndarray
    sounds: np.ndarray


class Heard(NamedTuple):
    """An utterance before its lips are known: [R, 26] float32 log mel energies, and phonemes."""

    spectra: np.ndarray
    phones: list[Phone]


def heard_utterances(
    utterances: list[Utterance], babble: np.ndarray, variants: int, rng: np.random.Generator
) -> list[Heard]:
    """Spectra of utterances, clean and as `variants` other speakers through channels.

    Args:
        utterances: of one voice.
        babble: [S] float32, other people talking.
        variants: channels per utterance.
        rng: source of all choices.
    """
    out = []
    for said in utterances:
        out.append(_heard(said.samples, said.phones))
        for _ in range(variants):
            samples, factor = another_speaker(said.samples, rng, Channel())
            noise = np.resize(babble, len(samples))
            sent = transmitted(samples, noise, rng, Channel(noise=0.15))
            out.append(_heard(sent, stretched(said.phones, factor)))
    return out


def _heard(samples: np.ndarray, phones: list[Phone]) -> Heard:
    level = np.abs(samples).max() + 1e-6
    padded = np.pad(samples / level, int(PAD * RATE))
    spoken = [p for p in stretched(phones, 1.0, PAD) if p.symbol != SILENCE]
    return Heard(log_mel(padded), with_silence(spoken, len(padded) / RATE))


def save_heard(path: Path, said: list[Heard]) -> None:
    """Write the spectra of one voice as one npz."""
    flat = [(i, *phone) for i, heard in enumerate(said) for phone in heard.phones]
    owner, symbols, starts, ends = zip(*flat, strict=True)
    part = path.with_suffix(".part.npz")
    np.savez(
        part,
        spectra=np.concatenate([heard.spectra for heard in said]).astype(np.float16),
        lengths=[len(heard.spectra) for heard in said], owner=owner, symbols=symbols,
        starts=np.array(starts, np.float32), ends=np.array(ends, np.float32),
    )  # fmt: skip
    part.replace(path)


def load_said(path: Path, timing: Timing) -> list[Said]:
    """What one voice said, with the mouth that its phonemes ask for."""
    with np.load(path) as file:
        lengths = file["lengths"]
        pieces = np.split(file["spectra"].astype(np.float32), np.cumsum(lengths)[:-1])
        phones: list[list[Phone]] = [[] for _ in lengths]
        rows = zip(file["owner"], file["symbols"], file["starts"], file["ends"], strict=True)
        for owner, symbol, start, end in rows:
            phones[owner].append(Phone(str(symbol), float(start), float(end)))
    out = []
    for spectra, spoken in zip(pieces, map(closed_long_enough, phones), strict=True):
        times = np.arange(len(spectra)) / ROWS_PER_SECOND + MIDDLE
        measures, sounds = measures_at(spoken, times, timing), sounds_at(spoken, times, timing)
        out.append(Said(spectra, measures, sounds))
    return out
