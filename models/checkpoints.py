"""Weights on disk: safetensors for the numbers, JSON beside them for the settings; no pickles."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
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
    """Write `<name>.safetensors` and `<name>.json`; whoever is killed leaves whole files."""
    folder = folder or weights_folder()
    folder.mkdir(parents=True, exist_ok=True)
    own = {k: torch.as_tensor(v).contiguous() for k, v in tensors.items()}
    replace_file(folder / f"{name}.safetensors", lambda part: save_file(own, part))
    write_json(folder / f"{name}.json", settings)


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write JSON that a person may read and edit."""
    replace_file(path, lambda part: part.write_text(json.dumps(values, indent=1) + "\n"))


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write(part)` make a file and give it its name only when it is complete."""
    part = path.with_suffix(path.suffix + ".part")
    write(part)
    os.replace(part, path)
