"""Learning curves of EAMM's stages, drawn from their records where matplotlib is installed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from avatar.training.eamm_run import read_record


def draw_curves(records: Sequence[Path], picture: Path) -> None:
    """Draw the held-out losses of some records side by side, and the training's total behind.

    Args:
        records: CSV files as `Record` writes them.
        picture: the image file to write.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return
    figure = Figure(figsize=(4 * len(records), 3.2), layout="constrained")
    axes = figure.subplots(1, len(records), squeeze=False)[0]
    for place, path in zip(axes, records, strict=True):
        _draw(place, path)
    figure.savefig(picture, dpi=110)


def _draw(axes: Any, path: Path) -> None:
    rows = read_record(path)
    total = _series(rows, "train", "total")
    axes.plot(*total, color="0.8", linewidth=0.8, label="total in training")
    for name in dict.fromkeys(row["name"] for row in rows if row["kind"] == "held-out"):
        width = 2.0 if name == "total" else 1.0
        axes.plot(*_series(rows, "held-out", name), linewidth=width, label=name)
    axes.set(title=path.stem, xlabel="step", yscale="log")
    axes.legend(fontsize=7)


def _series(rows: list[dict[str, Any]], kind: str, name: str) -> tuple[list[int], list[float]]:
    chosen = [row for row in rows if row["kind"] == kind and row["name"] == name]
    return [row["step"] for row in chosen], [row["value"] for row in chosen]
