"""Calibrates the viseme table on tracked clips: openings, widths, dominance, reach and timing.

    python -m avatar.train viseme-fit --data DIR

The table is phonetics; what it asks for is pulled towards what licence-clean faces did, with a
penalty on every change, by gradient descent on the share of unexplained variance of lip gap, mouth
width and jaw drop. The result is printed, with leave-one-clip-out correlations, to be copied into
`visemes.py` by hand.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from avatar.evaluation.lips import best_lag, mouth_measures
from avatar.training.phonemes import SILENCE
from avatar.training.recogniser import recognised_phones
from avatar.training.recordings import TrackedClip, tracked_clips
from avatar.training.visemes import VISEMES, Timing

STEPS, RATE = 150, 0.03
PENALTY, SILENCE_PENALTY = 0.03, 30.0
"""On the square of every change in units of its spread; silence keeps its closed lips."""
SPREAD = 0.3
"""Change of a target that costs as much as a factor of e in a dominance."""


class Clip(NamedTuple):
    """Phonemes [P] (class, start, end) of a clip; gap, width, jaw [T, 3] inter-ocular distances."""

    kind: Tensor
    start: Tensor
    end: Tensor
    real: Tensor


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m avatar.train viseme-fit`."""
    parser.add_argument("--data", type=Path, required=True, help="folder with manifest and tracks/")


def run(args: argparse.Namespace) -> None:
    """Fit with one clip left out at a time, then with all, and print both."""
    classes = list({id(v): v for v in VISEMES.values()})
    kinds = {symbol: classes.index(id(v)) for symbol, v in VISEMES.items()}
    clips = [_prepared(clip, kinds) for clip in tracked_clips(args.data).values()]
    scores = []
    for left_out in clips:
        changes = fit([clip for clip in clips if clip is not left_out])
        predicted = predict(changes, left_out).detach().numpy()
        scores.append(
            [best_lag(a, b)[0] for a, b in zip(predicted.T, left_out.real.numpy().T, strict=True)]
        )
    print("left out, r of gap, width, jaw:", np.mean(scores, axis=0).round(3))
    _print_table(fit(clips))


def _prepared(clip: TrackedClip, kinds: dict[str, int]) -> Clip:
    """Phonemes and mouth of a clip; the mouth relative to its rest."""
    phones = [p for p in recognised_phones(clip.samples) if p.symbol in kinds]
    real = mouth_measures(clip.landmarks)
    rest = [np.percentile(real[:, 0], 3), np.median(real[:, 1]), np.percentile(real[:, 2], 10)]
    return Clip(
        torch.tensor([kinds[p.symbol] for p in phones]),
        torch.tensor([p.start for p in phones], dtype=torch.float32),
        torch.tensor([p.end for p in phones], dtype=torch.float32),
        torch.from_numpy((real - np.array(rest)).astype(np.float32)),
    )


def _priors() -> tuple[Tensor, Tensor, Tensor]:
    """The table: targets of gap, spread, jaw [V, 3], dominance of each [V, 3], reach [V]."""
    unique = list({id(v): v for v in VISEMES.values()}.values())
    targets = torch.tensor([(v.target[0], v.target[2], v.target[1]) for v in unique])
    dominance = torch.tensor([(v.opening, v.shape, v.opening) for v in unique])
    return targets, dominance, torch.tensor([v.reach for v in unique])


def predict(changes: dict[str, Tensor], clip: Clip) -> Tensor:
    """Gap, width and jaw of a clip, [T, 3], by the table with changes."""
    targets, dominance, reach = _priors()
    targets = targets + SPREAD * changes["target"]
    dominance = dominance * torch.exp(changes["dominance"])
    time = torch.arange(len(clip.real))[:, None] / 25
    timing = Timing()
    middle = (clip.start + clip.end) / 2 - (timing.lead + 0.02 * changes["lead"])
    core = (clip.end - clip.start) / 2 * timing.core * torch.exp(0.2 * changes["core"])
    distance = ((time - middle).abs() - core).clamp(min=0)
    lasting = timing.reach * reach * torch.exp(changes["reach"])
    decay = torch.exp(-distance / lasting[clip.kind])  # [T, P]
    weight = dominance[clip.kind]
    blend = decay @ (weight * targets[clip.kind]) / (decay @ weight + 1e-9)
    return blend * torch.tensor([0.227, 0.047, 0.19]) * torch.exp(changes["scale"])


def fit(clips: list[Clip]) -> dict[str, Tensor]:
    """Changes to the table that explain the clips best."""
    n = len(_priors()[2])
    sizes = {"target": (n, 3), "dominance": (n, 3), "reach": (n,), "lead": (1,), "core": (1,)}
    changes = {name: torch.zeros(size, requires_grad=True) for name, size in sizes.items()}
    changes["scale"] = torch.zeros(3, requires_grad=True)
    silence = list({id(v): s for s, v in VISEMES.items()}.values()).index(SILENCE)
    optimiser = torch.optim.Adam(changes.values(), RATE)
    for _ in range(STEPS):
        errors = [unexplained(predict(changes, clip), clip.real) for clip in clips]
        penalty = sum((value**2).sum() for name, value in changes.items() if name != "scale")
        rest = SILENCE_PENALTY * changes["target"][silence].square().sum()
        loss = torch.stack(errors).mean() + PENALTY * (penalty + rest)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return {name: value.detach() for name, value in changes.items()}


def unexplained(predicted: Tensor, real: Tensor) -> Tensor:
    """Variance of the error over the variance of the real motion, summed over the measures."""
    error = (predicted - real) - (predicted - real).mean(0)
    return (error.square().mean(0) / real.var(0)).sum()


def _print_table(changes: dict[str, Tensor]) -> None:
    targets, dominance, reach = _priors()
    members: dict[int, list[str]] = {}
    for symbol, viseme in VISEMES.items():
        members.setdefault(id(viseme), []).append(symbol)
    fitted = (
        targets + SPREAD * changes["target"],
        dominance * torch.exp(changes["dominance"]),
        reach * torch.exp(changes["reach"]),
    )
    for i, symbols in enumerate(members.values()):
        goal, strength, lasting = (value[i].tolist() for value in fitted)
        print(
            f"{' '.join(symbols):24s} gap {goal[0]:.2f} spread {goal[1]:+.2f} jaw {goal[2]:.2f}"
            f" opening {strength[0]:.2f} shape {strength[1]:.2f} reach {lasting:.3f}"
        )
    print({name: changes[name].numpy().round(3) for name in ("lead", "core", "scale")})
