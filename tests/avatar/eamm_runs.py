"""Training runs of EAMM at a size that a test can afford, for the tests of this folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from avatar.training.eamm_base import FommStage
from avatar.training.eamm_clips import write_clip
from avatar.training.eamm_loop import train
from avatar.training.eamm_perceptual import PerceptualLoss, random_trunk
from avatar.training.eamm_run import RunOptions
from models.eamm.options import EammOptions
from tests.models.tiny_eamm import TINY


def random_clips(root: Path) -> Path:
    """Eight prepared clips of random pictures, for what does not need a face."""
    random = np.random.default_rng(0)
    for i in range(8):
        emotion = ("happy", "neutral")[i % 2]
        pictures = random.integers(0, 256, (24, 8, 8, 3), np.uint8).repeat(8, 1).repeat(8, 2)
        mfcc = random.normal(size=(24, 28, 13))
        write_clip(root, "someone", f"{emotion}_{i}", pictures, random.normal(size=(24, 7)), mfcc)
    return root


def run_options(data: Path, out: Path, **changes) -> RunOptions:
    """Options of a run of six steps that saves and evaluates on the way."""
    options = RunOptions(data, out, steps=6, batch=2, save_every=2, evaluate_every=3, n_held_out=1)
    return replace(options, **changes)


def fresh_stage(**options) -> FommStage:
    """The base model's stage, untrained, the same every time."""
    torch.manual_seed(0)
    return FommStage(TINY, EammOptions(), PerceptualLoss(random_trunk()), **options)


def train_quietly(stage, options: RunOptions) -> dict[str, float]:
    """Run a stage without a progress bar; its held-out losses at the end."""
    return train(stage, options, show=False)
