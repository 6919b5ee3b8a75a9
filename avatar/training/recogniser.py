"""Phonemes of real speech by `hama` (Apache-2.0), a CTC phoneme recogniser.

CTC spikes once per phoneme, somewhere inside it. Against the segment times of flite and Festival
the spike's middle lies 6 ms after the end of the phoneme (median of 202 consonants, quartiles -14
and 24 ms), so a phoneme is taken to last from the spike before, at most `LONGEST` seconds, to its
own.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from avatar.training.phonemes import Phone, canonical, with_silence

STEP = 0.02
"""Seconds per frame of the recogniser."""
DELAY = 0.006
"""Seconds from the end of a phoneme to the middle of its spike."""
LONGEST = 0.15
"""Seconds; what is longer before a spike is silence."""


@cache
def _recogniser() -> Any:
    try:
        from hama import ASRModel
    except ImportError:
        raise ValueError("the phoneme recogniser is missing: pip install hama") from None
    return ASRModel()


def posteriors(samples: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Probabilities of 16 kHz sound [S] -> [S / 320, tokens] float32, and the tokens."""
    model = _recogniser()
    names = [model._log_probs_output_name, model._out_lengths_output_name]
    feeds = {
        model._waveform_input_name: samples[None].astype(np.float32),
        model._waveform_lengths_input_name: np.array([len(samples)], np.int64),
    }
    logs, _ = model.session.run(names, feeds)
    return np.exp(logs[0]), model.decoder_tokens


def recognised_phones(samples: np.ndarray) -> list[Phone]:
    """The phonemes heard in 16 kHz sound [S] float32, in plain IPA, silence marked."""
    padded = np.concatenate([samples, np.zeros(4800, np.float32)])
    probabilities, tokens = posteriors(padded)
    best = probabilities.argmax(axis=1)
    edges = np.flatnonzero(np.diff(best)) + 1
    phones: list[Phone] = []
    clock = 0.0
    for start, end in zip([0, *edges], [*edges, len(best)], strict=True):
        token = tokens[best[start]]
        if token.startswith("<"):
            continue
        spike = (start + end) / 2 * STEP - DELAY
        phones.append(Phone(token, max(clock, spike - LONGEST), spike))
        clock = spike
    return with_silence(canonical(phones, "ipa"), len(samples) / 16000)
