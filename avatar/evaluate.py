"""Measure the engine against real footage.

python -m avatar.evaluate lips CLIPS... [--tracks DIR] [--json FILE]
python -m avatar.evaluate self CLIPS... --out DIR [--driver tracked|sound] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path


def get_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m avatar.evaluate", description="Measure the engine against real footage."
    )
    measures = parser.add_subparsers(dest="measure", required=True)
    lips = measures.add_parser("lips", help="do the lips follow the voice?")
    lips.add_argument("clips", nargs="+", type=Path, help="talking clips with sound")
    lips.add_argument("--tracks", type=Path, help="folder of <clip>.npz with tracked landmarks")
    lips.add_argument("--weights", type=Path, help="folder of other weights than the shipped ones")
    lips.add_argument("--json", type=Path, help="also write all figures to this file")
    lips.set_defaults(run=_lips)
    self_driven = measures.add_parser("self", help="how well does a first picture play its clip?")
    self_driven.add_argument("clips", nargs="+", type=Path, help="talking clips with sound")
    self_driven.add_argument("--out", type=Path, required=True, help="folder for the made clips")
    self_driven.add_argument(
        "--driver",
        choices=("tracked", "sound"),
        action="append",
        help="key points of the clip, or its sound, pose and emotion; default: both",
    )
    self_driven.add_argument("--size", type=int, default=512, help="side of the pictures, px")
    self_driven.add_argument("--seconds", type=float, default=10.0, help="of each clip at most")
    self_driven.add_argument("--json", type=Path, help="also write all figures to this file")
    self_driven.set_defaults(run=_self)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one measure; 2 when the user has to change something."""
    args = get_parser().parse_args(argv)
    try:
        return args.run(args)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _lips(args: argparse.Namespace) -> int:
    from avatar.evaluation.lips import predicted_mouth, score_lips, summary, tracked_mouth
    from models.lite.motion import load_motion
    from models.lite.rig import load_rig

    rig = load_rig()
    network = load_motion(rig, args.weights)
    scores = {}
    print(f"{'clip':24s} {'aperture r':>12s} {'width r':>12s} {'jaw r':>12s} range closed energy r")
    for path in args.clips:
        clip = tracked_mouth(path, args.tracks)
        score = scores[path.stem] = score_lips(clip, predicted_mouth(network, rig, clip.samples))
        cells = "".join(
            f" {best:+.2f} ({lag:+d} fr)" for best, lag in zip(score.r_best, score.lag, strict=True)
        )
        print(
            f"{path.stem:24s}{cells} {score.range_ratio:5.2f} {score.closure_rate:6.2f}"
            f" {score.energy_r_best:+.2f}"
        )
    figures = summary(list(scores.values()))
    for name, value in figures.items():
        print(f"{name:24s} {value:8.3f}")
    if args.json:
        clips = {name: score._asdict() for name, score in scores.items()}
        args.json.write_text(json.dumps({"summary": figures, "clips": clips}, indent=1))
    return 0


def _self(args: argparse.Namespace) -> int:
    import numpy as np
    import torch

    from avatar.evaluation.footage import read_footage
    from avatar.evaluation.likeness import Likeness, compare
    from avatar.evaluation.self_driven import DRIVERS, first_picture, render_self
    from avatar.tracking import open_tracker
    from models.lite.head import LiteTalkingHead

    torch.set_num_threads(1)
    tracker, head = open_tracker(), LiteTalkingHead()
    mesh = head.rig.mesh.numpy()
    args.out.mkdir(parents=True, exist_ok=True)
    figures: dict[str, dict[str, Likeness]] = {name: {} for name in args.driver or DRIVERS}
    columns = Likeness._fields
    print(f"{'clip':24s} {'driver':8s}" + "".join(f"{name:>12s}" for name in columns))
    for path in args.clips:
        clip = read_footage(path, tracker, args.seconds, follow=True)
        portrait = first_picture(path, args.size, tracker)
        for driver, rows in figures.items():
            made = args.out / f"{path.stem}_{driver}.mp4"
            render_self(clip, portrait, driver, head, made)
            row = rows[path.stem] = compare(made, path, clip.landmarks, mesh, tracker)
            _print_row(path.stem, driver, row)
    for driver, rows in figures.items():
        _print_row("mean", driver, np.mean(list(rows.values()), axis=0))
    if args.json:
        plain = {d: {k: r._asdict() for k, r in rows.items()} for d, rows in figures.items()}
        args.json.write_text(json.dumps(plain, indent=1))
    return 0


def _print_row(name: str, driver: str, row: Iterable[float]) -> None:
    print(f"{name:24s} {driver:8s}" + "".join(f"{value:12.3f}" for value in row), flush=True)


if __name__ == "__main__":
    sys.exit(main())
