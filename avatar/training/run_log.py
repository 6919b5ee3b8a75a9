"""What a training run writes down: one CSV row per validation, and learning curves."""

from __future__ import annotations

import csv
from pathlib import Path


def note(folder: Path, figures: dict[str, float]) -> None:
    """Append one row to `metrics.csv`."""
    path = folder / "metrics.csv"
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(figures))
        if new:
            writer.writeheader()
        writer.writerow({name: f"{value:.5g}" for name, value in figures.items()})


def plot_metrics(folder: Path) -> None:
    """Draw `metrics.csv` as `metrics.png`, losses on the left, where matplotlib is installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return
    with (folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    steps = [float(row["step"]) for row in rows]
    for name in rows[0]:
        if name != "step":
            axes = left if name.endswith("loss") else right
            axes.plot(steps, [float(row[name]) for row in rows], label=name)
    for axes in (left, right):
        axes.set_xlabel("step")
        axes.legend()
    figure.savefig(folder / "metrics.png", dpi=120)
