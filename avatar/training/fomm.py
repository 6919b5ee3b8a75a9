"""Trains the base model of EAMM: key points, dense motion and generator, from pairs of pictures.

    python -m avatar.train fomm --data DIR --out DIR --trunk download

`--adversarial` adds the discriminator of the published vox-adv weights.
"""

from __future__ import annotations

import argparse

from avatar.training.eamm_run import add_run_arguments, add_trunk_argument, options_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m avatar.train fomm`."""
    add_run_arguments(parser, steps=150_000, batch=8)
    add_trunk_argument(parser)
    parser.add_argument("--adversarial", action="store_true", help="train a discriminator too")


def run(args: argparse.Namespace) -> None:
    """Train, from the weights in `--weights` if that is given, and write `fomm` into `--out`."""
    import torch

    from avatar.training.eamm_base import FommStage
    from avatar.training.eamm_loop import run_stage
    from avatar.training.eamm_networks import settings_for
    from avatar.training.eamm_perceptual import PerceptualLoss, open_trunk
    from models.checkpoints import load_tensors
    from models.eamm.weights import fill

    options = options_of(args)
    torch.manual_seed(options.seed)
    sizes, settings = settings_for(args.weights or options.out, args.size)
    perceptual = PerceptualLoss(open_trunk(args.trunk))
    stage = FommStage(sizes, settings, perceptual, args.adversarial)
    if args.weights:
        fill(stage.networks, load_tensors("fomm", args.weights)[0])
    run_stage(stage, options)
