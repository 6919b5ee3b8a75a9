"""Make the weights of model `lite`; every part is one subcommand.

    python -m avatar.train {rig,mouth,emotion,motion} ...
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

PARTS = {
    "rig": "key points and skinning, from the 3D face basis",
    "mouth": "teeth and tongue, rendered from the 3D face",
    "emotion": "emotion features and their displacement of the key points",
    "motion": "speech to key points",
}
"""Each is a module of `avatar.training` with `add_arguments(parser)` and `run(args)`."""


def get_parser(part: str | None = None) -> argparse.ArgumentParser:
    """The command line; only the chosen part's module is imported, so help stays instant."""
    parser = argparse.ArgumentParser(
        prog="python -m avatar.train", description="Make the weights of model lite."
    )
    parts = parser.add_subparsers(dest="part", required=True)
    for name, description in PARTS.items():
        own = parts.add_parser(name, help=description, description=description)
        if name == part:
            import_module(f"avatar.training.{name}").add_arguments(own)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Make one part; 2 when the user has to change something."""
    argv = sys.argv[1:] if argv is None else argv
    part = argv[0] if argv and argv[0] in PARTS else None
    args = get_parser(part).parse_args(argv)
    try:
        import_module(f"avatar.training.{args.part}").run(args)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
