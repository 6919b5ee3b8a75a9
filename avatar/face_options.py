"""The options that say which face: the same for `serve` and `render`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from avatar.engine import Avatar

SIZES = (256, 1024)


def add_face_arguments(parser: argparse.ArgumentParser) -> None:
    """Add portrait, emotion, pose and model to a command line."""
    face = parser.add_argument_group("face")
    face.add_argument("--portrait", type=Path, help="image of one person; default: an astronaut")
    face.add_argument(
        "--keep-smile", action="store_true", help="let the portrait keep its own expression"
    )
    face.add_argument(
        "--emotion",
        action="append",
        default=[],
        metavar="[NAME=]PATH|PRESET",
        help="video, still image or preset; may be given several times, the first is worn",
    )
    face.add_argument("--pose", default="idle", metavar="idle|none|PATH", help="head motion")
    face.add_argument("--size", type=int, default=512, help="side of the picture, 256 to 1024 px")
    face.add_argument("--model", choices=("lite", "eamm"), default="lite")
    face.add_argument("--weights", type=Path, metavar="DIR", help="weights other than our own")
    face.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    face.add_argument("--tracker", choices=("mediapipe", "face-alignment"), default="mediapipe")


def check_face(args: argparse.Namespace) -> None:
    """Refuse a face that cannot work before anything slow; raises ValueError."""
    if args.size % 2 or not SIZES[0] <= args.size <= SIZES[1]:
        raise ValueError(
            f"--size must be an even number from {SIZES[0]} to {SIZES[1]}, got {args.size}"
        )


def load_avatar(args: argparse.Namespace, program: str) -> Avatar:
    """The engine that the options describe; its notices go to stderr after the program's name.

    Raises:
        ValueError: portrait, emotion, pose, weights or device cannot be used.
    """
    import torch

    from avatar.engine import Avatar

    # every session has a worker thread of its own; more threads inside an operator only fight them
    torch.set_num_threads(1)
    avatar = Avatar.load(
        model=args.model,
        weights=args.weights,
        device=args.device,
        tracker=args.tracker,
        portrait=args.portrait,
        size=args.size,
        keep_smile=args.keep_smile,
        emotions=args.emotion,
        pose=args.pose,
    )
    for notice in avatar.notices:
        print(f"{program}: {notice}", file=sys.stderr)
    return avatar
