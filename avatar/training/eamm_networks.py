"""Networks for a training stage: fresh, or those that an earlier stage left in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.eamm.options import EammOptions
from models.eamm.sizes import EammSizes
from models.eamm.weights import (
    SETTINGS_FILE,
    A2fd,
    Emotion,
    Fomm,
    load_fomm,
    read_settings,
    save_networks,
    write_settings,
)
from models.fomm.sizes import FommSizes

SMALL = EammSizes(
    FommSizes(64, 10, 3, 8, 64, 8, 64, 16, 64, 2),
    identity_width=2,
    audio_width=8,
    feature_dims=64,
    hidden_dims=64,
    n_layers=3,
    decoder_width=32,
    emotion_width=8,
    displacement_width=128,
)
"""For a CPU: pictures of 64 px."""


def settings_for(folder: Path, size: str) -> tuple[EammSizes, EammOptions]:
    """Sizes and options of a folder of weights, or those of `--size` where there is none."""
    if (folder / SETTINGS_FILE).exists():
        return read_settings(folder)
    return (SMALL if size == "small" else EammSizes()), EammOptions()


def load_teacher(folder: Path) -> tuple[EammSizes, EammOptions, Fomm]:
    """The base model that later stages learn from.

    Raises:
        ValueError: the folder has none.
    """
    sizes, options = read_settings(folder)
    return sizes, options, load_fomm(folder, sizes, options)[0]


def save_stage(
    networks: Fomm | A2fd | Emotion,
    folder: Path,
    sizes: EammSizes,
    options: EammOptions,
    note: dict[str, Any],
) -> None:
    """Write networks and the settings that they need."""
    save_networks(networks, folder, note)
    write_settings(folder, sizes, options)
