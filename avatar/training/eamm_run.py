"""Options of a training run, its settings of rate and precision, and its files.

<out>/<stage>.csv        one row per step and per evaluation
<out>/<stage>.state.pt   networks, optimizers and step, for going on
<out>/*.safetensors      the weights so far, for `--weights` of the engine and of later stages
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RATE, LAST_RATE = 2e-4, 2e-5
BETAS = (0.5, 0.999)
RECIPES = ("paper", "code")
PRECISIONS = ("float32", "bfloat16")
SIZES = ("full", "small")
COLUMNS = ("step", "kind", "name", "value")
"""Of the record."""


@dataclass(frozen=True)
class RunOptions:
    """How long, how fast, on what and where to; one run of one stage."""

    # data and files
    data: Path
    out: Path
    # length
    steps: int
    batch: int
    # optimisation
    rate: float = RATE
    recipe: str = "paper"
    precision: str = "float32"
    seed: int = 0
    # machine
    device: str = "cpu"
    workers: int = 0
    # records
    save_every: int = 500
    evaluate_every: int = 500
    n_held_out: int = 4
    """Held-out batches per evaluation."""


def add_run_arguments(parser: argparse.ArgumentParser, steps: int, batch: int) -> None:
    """The options that all stages share, with a stage's own length and batch size."""
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder of prepared clips")
    add("--out", type=Path, required=True, help="folder of weights and records")
    add("--weights", type=Path, help="folder of the earlier stages' weights (default: --out)")
    add("--size", choices=SIZES, default="full", help="widths of the networks")
    add("--recipe", choices=RECIPES, default="paper", help="weights and schedule where they differ")
    add("--steps", type=int, default=steps)
    add("--batch", type=int, default=batch, help="examples per step and process")
    add("--rate", type=float, default=RATE, help="learning rate")
    add("--precision", choices=PRECISIONS, default="float32")
    add("--seed", type=int, default=0)
    add("--device", default="cpu")
    add("--workers", type=int, default=0, help="processes that read examples")
    add("--save-every", type=int, default=500, metavar="STEPS")
    add("--evaluate-every", type=int, default=500, metavar="STEPS")


def add_trunk_argument(parser: argparse.ArgumentParser) -> None:
    """The option of stages with a perceptual loss."""
    parser.add_argument(
        "--trunk", default="download", help="perceptual trunk: download, random, or a VGG-19 file"
    )


def options_of(args: argparse.Namespace) -> RunOptions:
    """The run options among parsed arguments.

    Raises:
        ValueError: a number is not positive.
    """
    for name in ("steps", "batch", "save_every", "evaluate_every"):
        if getattr(args, name) < 1:
            raise ValueError(f"--{name.replace('_', '-')} must be at least 1")
    names = RunOptions.__dataclass_fields__
    return RunOptions(**{k: v for k, v in vars(args).items() if k in names})


def rate_at(step: int, options: RunOptions, milestones: tuple[float, float]) -> float:
    """The learning rate of a step: linear to a tenth (paper), or divided by ten twice (code)."""
    progress = step / options.steps
    if options.recipe == "paper":
        return options.rate * (1 + (LAST_RATE / RATE - 1) * progress)
    return float(options.rate * 0.1 ** sum(progress >= milestone for milestone in milestones))


class Record:
    """The CSV of a run; going on from an earlier step cuts off what was recorded after it.

    Step n of a `train` row is the step with that number, from 0; of a `held-out` row, how many
    steps had been done.
    """

    def __init__(self, path: Path, from_step: int) -> None:
        from models.checkpoints import replace_file

        self._path = path
        rows = read_record(path) if from_step else []
        kept = [row for row in rows if row["step"] + (row["kind"] == "train") <= from_step]
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, lambda part: self._begin(part, kept))

    def add(self, step: int, kind: str, values: dict[str, float]) -> None:
        """Append the values of a step; `kind` is `train` or `held-out`."""
        with self._path.open("a", newline="") as file:
            csv.writer(file).writerows([step, kind, *item] for item in values.items())

    def _begin(self, part: Path, kept: list[dict[str, Any]]) -> None:
        with part.open("w", newline="") as file:
            rows = csv.DictWriter(file, COLUMNS)
            rows.writeheader()
            rows.writerows(kept)


def read_record(path: Path) -> list[dict[str, Any]]:
    """The rows of a record: step, kind, name, value; none when there is no file."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    whole = [row for row in rows if row["value"]]  # a kill may have cut the last one
    return [{**row, "step": int(row["step"]), "value": float(row["value"])} for row in whole]
