"""Trains EAMM's neutral talking face against the key points of the base model.

python -m avatar.train a2fd --data DIR --weights FOMM_DIR --out DIR
"""

from __future__ import annotations

import argparse
from dataclasses import replace

from avatar.training.eamm_run import add_run_arguments, add_trunk_argument, options_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m avatar.train a2fd`."""
    add_run_arguments(parser, steps=30_000, batch=8)
    add_trunk_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Train, and write `a2fd` into `--out`; the trunk is for recipe `paper` only."""
    import torch

    from avatar.training.eamm_loop import run_stage
    from avatar.training.eamm_networks import load_teacher
    from avatar.training.eamm_perceptual import PerceptualLoss, open_trunk
    from avatar.training.eamm_talk import HEAT_WEIGHTS, TalkStage
    from models.eamm.weights import build_a2fd

    options = options_of(args)
    torch.manual_seed(options.seed)
    sizes, settings, teacher = load_teacher(args.weights or options.out)
    settings = replace(settings, audio_gain=1.0)  # the published gain is not that of its training
    perceptual = PerceptualLoss(open_trunk(args.trunk)) if options.recipe == "paper" else None
    heat = HEAT_WEIGHTS[options.recipe]
    stage = TalkStage(sizes, settings, teacher, build_a2fd(sizes), heat, perceptual)
    run_stage(stage, options)
