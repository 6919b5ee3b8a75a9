"""Measure the engine against real footage.

python -m avatar.evaluate lips CLIPS... [--tracks DIR] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
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
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one measure; 2 when the user has to change something."""
    args = get_parser().parse_args(argv)
    try:
        return _lips(args)
    except ValueError as error:
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


if __name__ == "__main__":
    sys.exit(main())
