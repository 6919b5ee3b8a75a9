"""Converts published EAMM and First Order Motion Model checkpoints into safe files.

    python -m avatar.convert --generator 124_52000.pth.tar --a2fd 1-6000.pth.tar \
        --emotion 5-3000.pth.tar --out weights/eamm

The checkpoints are pickles: only tensors and plain values are read from them, nothing in them is
executed. `--generator` alone also takes the vox-cpk and vox-adv-cpk files of the First Order Motion
Model. A file of the authors' 68-point template, where you have it, replaces our own anchors.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from models.eamm.weights import A2fd, Emotion, Fomm

MAX_LISTED = 8
"""Names that an error message lists before it only counts."""


def get_parser() -> argparse.ArgumentParser:
    """Options of `python -m avatar.convert`."""
    parser = argparse.ArgumentParser(
        prog="python -m avatar.convert", description="Convert published checkpoints of EAMM."
    )
    parser.add_argument("--generator", type=Path, help="base model: generator and kp_detector")
    parser.add_argument("--a2fd", type=Path, help="audio_feature and kp_detector_a")
    parser.add_argument("--emotion", type=Path, help="emo_detector")
    parser.add_argument("--template", type=Path, help="M003_template.npy, with --generator")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Convert the files that are named; 0, or 2 with one line on stderr."""
    args = get_parser().parse_args(argv)
    try:
        for line in convert(args.generator, args.a2fd, args.emotion, args.out, args.template):
            print(line)
    except (ValueError, OSError) as error:
        print(f"avatar.convert: {error}", file=sys.stderr)
        return 2
    return 0


def convert(
    generator: Path | None,
    a2fd: Path | None,
    emotion: Path | None,
    out: Path,
    template: Path | None = None,
) -> list[str]:
    """Convert up to three checkpoints; nothing is written unless all of them fit.

    Args:
        generator: holds `generator` and `kp_detector`.
        a2fd: holds `audio_feature` and `kp_detector_a`.
        emotion: holds `emo_detector`.
        out: folder of the result.
        template: [68, 2] px in a picture of 256 px, .npy.

    Returns:
        One line per file for the user.

    Raises:
        ValueError: no file is named, or one is unreadable or does not hold the networks.
    """
    import torch

    from models.eamm import weights
    from models.eamm.options import EammOptions
    from models.eamm.sizes import EammSizes

    sizes, options = EammSizes(), EammOptions()
    with torch.device("meta"):
        wanted: list[tuple[Path | None, Fomm | A2fd | Emotion]] = [
            (generator, weights.build_fomm(sizes, options)),
            (a2fd, weights.build_a2fd(sizes)),
            (emotion, weights.build_emotion(sizes)),
        ]
    chosen = [(path, networks) for path, networks in wanted if path is not None]
    if not chosen:
        raise ValueError("name at least one of --generator, --a2fd and --emotion")
    more = {} if template is None else {weights.TEMPLATE: read_template(template)}
    notes = [(networks, *_fill(path, networks)) for path, networks in chosen]
    for networks, settings, _ in notes:
        extra = more if isinstance(networks, weights.Fomm) else {}
        weights.save_networks(networks, out, settings, **extra)
    weights.write_settings(out, sizes, options)
    return [line for _, _, line in notes]


def read_template(path: Path) -> Tensor:
    """The authors' template, [68, 2] float32 px.

    Raises:
        ValueError: the file is not an array of that shape.
    """
    import torch

    try:
        points = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"cannot read {path}: {error}") from None
    if points.shape != (68, 2):
        raise ValueError(f"{path} should hold [68, 2] points, holds {list(points.shape)}")
    return torch.from_numpy(points.astype(np.float32))


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint, without executing anything in it.

    Raises:
        ValueError: it cannot be read so.
    """
    import pickle

    import torch

    if not path.is_file():
        raise ValueError(f"no such file: {path}")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{path} is refused: it holds more than weights ({reason})") from None
    except (RuntimeError, EOFError, OSError, KeyError, ValueError) as error:
        reason = (str(error) or "it ends too early").splitlines()[0]
        raise ValueError(f"{path} is not a torch checkpoint: {reason}") from None
    if not isinstance(checkpoint, dict):
        raise ValueError(f"{path} holds a {type(checkpoint).__name__}, not networks by name")
    return checkpoint


def tensors_by_name(checkpoint: dict[str, Any], networks: Sequence[str]) -> dict[str, Tensor]:
    """The tensors of some networks, `network.key`; `module.` of DataParallel is cut off."""
    import torch

    found = {}
    for network in networks:
        tensors = checkpoint.get(network)
        for key, value in tensors.items() if isinstance(tensors, dict) else ():
            if isinstance(value, torch.Tensor):
                found[f"{network}.{str(key).removeprefix('module.')}"] = value
    return found


def _fill(path: Path, networks: Fomm | A2fd | Emotion) -> tuple[dict[str, Any], str]:
    """Fill networks from a checkpoint; provenance for the file, and a line for the user."""
    from models.eamm.weights import fill, named_modules, tensors_of

    prefixes = list(dict.fromkeys(prefix for prefix, _ in named_modules(networks)))
    given = tensors_by_name(read_checkpoint(path), prefixes)
    wanted = tensors_of(networks)
    if problems := _problems(given, wanted):
        raise ValueError(f"{path} does not fit: {'; '.join(problems)}")
    fill(networks, given)
    unused = len(set(given) - set(wanted))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    settings = {"source": path.name, "sha256": digest, "unused_tensors": unused}
    line = f"{path.name}: {len(wanted)} tensors of {', '.join(prefixes)}, {unused} unused"
    return settings, line


def _problems(given: dict[str, Tensor], wanted: dict[str, Tensor]) -> list[str]:
    """What is missing and what has another shape, in words."""
    missing = [key for key in wanted if key not in given]
    shapes = [
        f"{key} is {list(given[key].shape)} instead of {list(value.shape)}"
        for key, value in wanted.items()
        if key in given and given[key].shape != value.shape
    ]
    kinds = ((f"{len(missing)} missing", missing), (f"{len(shapes)} of another shape", shapes))
    return [f"{what}: {_listed(names)}" for what, names in kinds if names]


def _listed(names: list[str]) -> str:
    more = len(names) - MAX_LISTED
    return ", ".join(names[:MAX_LISTED]) + (f" and {more} more" if more > 0 else "")


if __name__ == "__main__":
    sys.exit(main())
