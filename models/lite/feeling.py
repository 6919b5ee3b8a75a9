"""Which emotion a clip means, and how the avatar says it more plainly than the tracker read it.

The tracker's scores understate real actors: lowered brows and a wrinkled nose hardly show in them.
Two linear softmaxes, on the scores and on measures of the mesh, name the emotion together, and what
the clip's scores say is pulled towards the face that stands for it, keeping the rise and fall of
the clip. Read next: `avatar/training/feeling.py`, which makes the weights, `models/lite/head.py`,
which uses them.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.checkpoints import load_tensors

FLOOR = 0.02
"""What is added to a score before its logarithm: scores below are noise."""
PULL = 0.85
"""How far the expression of a clip that surely means one emotion goes towards its face."""
PLAINNESS = 1.35
"""How strong that face is, in presets: clips are acted, presets are worn all day."""
PLAINER = {"sad": 1.7, "fear": 1.8}
"""The same for emotions that are overlooked on a speaking face."""
SHARPNESS = 8.0
"""Exponent that turns probabilities into shares of the blended face: halfway between two emotions
lies a face that shows neither, so one that is twice as likely is worn nearly alone."""
SWING = (0.6, 1.4)
"""Bounds of a clip's rise and fall, in its mean."""
LEAST_SWING = 0.05
"""Mean strength of an emotion in the scores, below which its rise and fall is noise."""


class Feelings(NamedTuple):
    """The recogniser of emotions and the faces that stand for them; C emotions, E expressions.

    names: C emotions, `neutral` among them.
    pairs: [F, 52] float32, the mean of both sides of each shape that is looked at.
    weight, bias: [F, C] and [C] float32, on log(score + FLOOR).
    measure_weight, measure_bias: [M, C] and [C] float32, on `models/lite/measures.py`.
    faces: [C, E] float32, expression weights of the presets.
    """

    names: tuple[str, ...]
    pairs: Tensor
    weight: Tensor
    bias: Tensor
    measure_weight: Tensor
    measure_bias: Tensor
    faces: Tensor


def load_feelings(folder: Path | None = None) -> Feelings:
    """The trained recogniser.

    Raises:
        ValueError: the weights in `folder` (the shipped ones by default) cannot be read.
    """
    tensors, settings = load_tensors("feeling", folder)
    return Feelings(tuple(settings["names"]), **tensors)


def score_features(pairs: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Logarithms of paired scores [F, 52] and [..., 52] float32 -> [..., F] float32."""
    return np.log(np.clip(scores @ pairs.T, 0, 1) + FLOOR)


def likeness(feelings: Feelings, scores: np.ndarray, measures: np.ndarray | None = None) -> Tensor:
    """How likely a clip means each emotion, [C] float32, sum 1.

    A clip means one emotion throughout, so the evidence of its rows is pooled before it is turned
    into probabilities; scores and measures count alike.

    Args:
        feelings: the recogniser.
        scores: [T, 52] float32 0..1, of a clip without its speech, or of a still.
        measures: [T, M] float32, from `measure_faces`; None where no mesh is known.
    """
    rows = torch.from_numpy(score_features(feelings.pairs.numpy(), scores).astype(np.float32))
    evidence = (rows @ feelings.weight + feelings.bias).mean(0)
    if measures is not None:
        middle = torch.from_numpy(np.median(measures, axis=0).astype(np.float32))
        measured = middle @ feelings.measure_weight + feelings.measure_bias
        evidence = (evidence + measured) / 2
    return torch.softmax(evidence, dim=-1)


def named(feelings: Feelings, name: str) -> Tensor | None:
    """The likeness of a clip whose user says what it means, [C] float32; None for other names."""
    if name not in feelings.names:
        return None
    return torch.eye(len(feelings.names))[feelings.names.index(name)]


def emphasised(feelings: Feelings, weights: Tensor, likely: Tensor) -> Tensor:
    """Expression weights of a clip, pulled towards the face that it means.

    Args:
        feelings: the faces.
        weights: [T, E] float32, as the tracker read them.
        likely: [C] float32, from `likeness` or `named`.

    Returns:
        [T, E] float32.
    """
    shares = likely**SHARPNESS
    plainness = torch.tensor([PLAINER.get(name, PLAINNESS) for name in feelings.names])
    face = (plainness * shares / shares.sum()) @ feelings.faces
    strength = weights @ face / face.square().sum().clamp(min=1e-6)  # [T]
    mean = strength.mean()
    swing = strength / mean if mean > LEAST_SWING else torch.ones_like(strength)
    return (1 - PULL) * weights + PULL * swing.clamp(*SWING)[:, None] * face
