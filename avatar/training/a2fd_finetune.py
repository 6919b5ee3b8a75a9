"""Fine-tunes EAMM's talking face together with the generator, on drawn pictures.

    python -m avatar.train a2fd-finetune --data DIR --weights A2FD_DIR --out DIR

The published demo draws with the generator from before this stage; so does `--keep-generator`.
"""

from __future__ import annotations

import argparse

from avatar.training.eamm_run import add_run_arguments, add_trunk_argument, options_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m avatar.train a2fd-finetune`."""
    add_run_arguments(parser, steps=10_000, batch=6)
    add_trunk_argument(parser)
    parser.add_argument(
        "--keep-generator", action="store_true", help="only the talking face learns"
    )


def run(args: argparse.Namespace) -> None:
    """Train, and write `a2fd` and `fomm` into `--out`."""
    import torch

    from avatar.training.eamm_loop import run_stage
    from avatar.training.eamm_networks import load_teacher
    from avatar.training.eamm_perceptual import PerceptualLoss, open_trunk
    from avatar.training.eamm_talk import HEAT_WEIGHTS, TalkStage
    from models.eamm.weights import load_a2fd

    options = options_of(args)
    torch.manual_seed(options.seed)
    folder = args.weights or options.out
    sizes, settings, teacher = load_teacher(folder)
    stage = TalkStage(
        sizes,
        settings,
        teacher,
        load_a2fd(folder, sizes),
        HEAT_WEIGHTS[options.recipe],
        PerceptualLoss(open_trunk(args.trunk)),
        tune_generator=not args.keep_generator,
    )
    stage.name = "a2fd-finetune"
    run_stage(stage, options)
