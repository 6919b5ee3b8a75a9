"""Draws the loss curves of docs/eamm.md: `python docs/make_eamm_curves.py TRAINING_FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

from avatar.training.eamm_run import read_record

OUT = Path(__file__).parent / "pictures" / "eamm_losses.png"
STAGES = ("fomm", "a2fd", "a2fd-finetune", "eamm-emotion")


def main(folder: Path) -> None:
    """Write the figure: held-out losses of every stage over its steps."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(STAGES), figsize=(13, 3), layout="constrained")
    for axis, stage in zip(axes, STAGES, strict=True):
        for name, (steps, values) in held_out(folder / f"{stage}.csv").items():
            axis.plot(steps, values, label=name)
        axis.set(title=stage, xlabel="steps", yscale="log")
        axis.legend(fontsize=7)
    figure.savefig(OUT, dpi=80)


def held_out(path: Path) -> dict[str, tuple[list[int], list[float]]]:
    """Steps and values of every held-out loss of a record, by name."""
    curves: dict[str, tuple[list[int], list[float]]] = {}
    for row in read_record(path):
        if row["kind"] == "held-out":
            steps, values = curves.setdefault(row["name"], ([], []))
            steps.append(row["step"])
            values.append(row["value"])
    return curves


if __name__ == "__main__":
    main(Path(sys.argv[1]))
