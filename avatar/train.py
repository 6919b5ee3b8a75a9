"""Make the weights of the models; every part is one subcommand, `python -m avatar.train PART`."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from types import ModuleType

PARTS = {
    "rig": "key points and skinning, from the 3D face basis",
    "mouth": "teeth and tongue, rendered from the 3D face",
    "emotion": "emotion features and their displacement of the key points",
    "smile": "what a smile does to the light on a face, from portraits",
    "feeling": "which emotion a clip means, from drawn and tracked portraits",
    "motion": "speech to key points",
    "viseme-fit": "the mouth shapes of phonemes, calibrated on tracked clips",
    "eamm-prepare": "eamm: training clips from videos of VoxCeleb, LRW or MEAD",
    "eamm-synthetic": "eamm: training clips without footage",
    "fomm": "eamm: key points, dense motion and generator",
    "a2fd": "eamm: sound, pose and identity to key points",
    "a2fd-finetune": "eamm: the same together with the generator",
    "eamm-emotion": "eamm: emotion clips to displacements of the key points",
}
"""Each is a module of `avatar.training` with `add_arguments(parser)` and `run(args)`."""


def get_parser(part: str | None = None) -> argparse.ArgumentParser:
    """The command line; only the chosen part's module is imported, so help stays instant."""
    parser = argparse.ArgumentParser(
        prog="python -m avatar.train", description="Make the weights of the models."
    )
    parts = parser.add_subparsers(dest="part", required=True)
    for name, description in PARTS.items():
        own = parts.add_parser(name, help=description, description=description)
        if name == part:
            _module_of(name).add_arguments(own)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Make one part; 2 when the user has to change something."""
    argv = sys.argv[1:] if argv is None else argv
    part = argv[0] if argv and argv[0] in PARTS else None
    args = get_parser(part).parse_args(argv)
    try:
        _module_of(args.part).run(args)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


def _module_of(part: str) -> ModuleType:
    return import_module(f"avatar.training.{part.replace('-', '_')}")


if __name__ == "__main__":
    sys.exit(main())
