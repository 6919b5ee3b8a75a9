"""Trains EAMM's emotion displacement learner.

python -m avatar.train eamm-emotion --data DIR --weights A2FD_DIR --out DIR
"""

from __future__ import annotations

import argparse
from dataclasses import replace

from avatar.training.eamm_run import add_run_arguments, options_of

PUBLISHED_POINTS = (1, 4, 6, 8)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m avatar.train eamm-emotion`."""
    add_run_arguments(parser, steps=10_000, batch=16)
    parser.add_argument(
        "--points",
        choices=("published", "auto"),
        default="auto",
        help="key points to displace: those of the published weights, or those that emotion moves",
    )
    parser.add_argument("--no-classifier", action="store_true", help="without the emotions' names")


def run(args: argparse.Namespace) -> None:
    """Train, and write `emotion` into `--out`."""
    import torch

    from avatar.training.eamm_feeling import EmotionStage, find_points
    from avatar.training.eamm_loop import run_stage
    from avatar.training.eamm_networks import load_teacher
    from models.eamm.weights import load_a2fd

    options = options_of(args)
    torch.manual_seed(options.seed)
    folder = args.weights or options.out
    sizes, settings, teacher = load_teacher(folder)
    settings = replace(settings, points=PUBLISHED_POINTS, gains=(1.0,) * len(PUBLISHED_POINTS))
    speaker = load_a2fd(folder, sizes)
    stage = EmotionStage(sizes, settings, teacher, speaker, not args.no_classifier)
    if args.points == "auto":
        stage.options = replace(settings, points=find_points(stage, options))
    run_stage(stage, options)
