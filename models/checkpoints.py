"""Weights on disk: safetensors for the numbers, JSON beside them for the settings; no pickles."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor


def weights_folder() -> Path:
    """The folder of the shipped weights."""
    return Path(str(files("models"))) / "weights"


def load_tensors(name: str, folder: Path | None = None) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and settings of `<name>.safetensors` and `<name>.json`.

    Raises:
        ValueError: a file is missing or is not what its name says.
    """
    folder = folder or weights_folder()
    try:
        settings = json.loads((folder / f"{name}.json").read_text())
        return load_file(folder / f"{name}.safetensors"), settings
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot read the weights {name} in {folder}: {error}") from None


def save_tensors(
    name: str,
    tensors: dict[str, np.ndarray] | dict[str, Tensor],
    settings: dict[str, Any],
    folder: Path | None = None,
) -> None:
    """Write `<name>.safetensors` and `<name>.json`."""
    folder = folder or weights_folder()
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {k: torch.as_tensor(v).contiguous() for k, v in tensors.items()},
        folder / f"{name}.safetensors",
    )
    (folder / f"{name}.json").write_text(json.dumps(settings, indent=1) + "\n")
