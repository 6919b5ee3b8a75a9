"""Puts an engine's own phoneme times in step with its sound, by what the recogniser hears.

Neural voices report durations of their hidden units, which run ahead of or behind the sound by a
constant of the voice. The mouth that the reported phonemes ask for is compared with the mouth that
the recognised ones ask for, and the delay that fits best over all utterances is taken off.
"""

from __future__ import annotations

import numpy as np

from avatar.training.phonemes import SILENCE, Phone, stretched, with_silence
from avatar.training.recogniser import recognised_phones
from avatar.training.visemes import mouth_measures
from avatar.training.voices import RATE, Utterance

SHIFTS = np.arange(-0.2, 0.081, 0.01)
"""Seconds by which reported phonemes may be moved."""


def synchronised(utterances: list[Utterance], listen_to: int = 10) -> list[Utterance]:
    """The utterances of one voice with all phonemes moved by the one shift that fits best.

    Args:
        utterances: of one voice.
        listen_to: how many of them are recognised.
    """
    shift = best_shift(utterances[:listen_to])
    return [Utterance(u.samples, _moved(u, shift)) for u in utterances]


def best_shift(utterances: list[Utterance]) -> float:
    """Seconds to add to the reported times; 0 when the recogniser hears nothing in any of them."""
    totals = np.zeros(len(SHIFTS))
    for utterance in utterances:
        frames = len(utterance.samples) * 25 // RATE
        heard = mouth_measures(recognised_phones(utterance.samples), frames)[:, 0]
        if heard.std() < 1e-6:
            continue
        for i, shift in enumerate(SHIFTS):
            asked = mouth_measures(_moved(utterance, shift), frames)[:, 0]
            totals[i] += np.corrcoef(heard, asked)[0, 1] if asked.std() > 1e-6 else 0.0
    return float(SHIFTS[totals.argmax()]) if totals.any() else 0.0


def _moved(utterance: Utterance, shift: float) -> list[Phone]:
    """The phonemes `shift` seconds later, silence marked anew."""
    spoken = [p for p in utterance.phones if p.symbol != SILENCE]
    return with_silence(stretched(spoken, 1.0, shift), len(utterance.samples) / RATE)
