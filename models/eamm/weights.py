"""EAMM's networks and their files: `fomm`, `a2fd`, `emotion` (safetensors) and `eamm.json`.

Tensor names are those of the published checkpoints, network first: `generator.first.conv.weight`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from models.checkpoints import load_tensors, save_tensors, write_json
from models.eamm.audio_to_motion import AudioToMotion
from models.eamm.displacement import DisplacementPredictor
from models.eamm.emotion import EmotionExtractor
from models.eamm.options import EammOptions
from models.eamm.sizes import EammSizes
from models.fomm.generator import Generator
from models.fomm.key_points import KeyPointDetector, KeyPointHeads

SETTINGS_FILE = "eamm.json"
TEMPLATE = "template"
"""Name of the authors' template [68, 2] in the file `fomm`, where the user has it."""


class Fomm(NamedTuple):
    """The base model: E_k, and G with its F."""

    kp_detector: KeyPointDetector
    generator: Generator


class A2fd(NamedTuple):
    """Audio2Facial-Dynamics: sound to a map, and the map's key points."""

    audio_feature: AudioToMotion
    kp_detector_a: KeyPointHeads


class Emotion(NamedTuple):
    """The emotion displacement learner: E_e and P_d; one network in the published file."""

    extractor: EmotionExtractor
    predictor: DisplacementPredictor


def build_fomm(sizes: EammSizes, options: EammOptions) -> Fomm:
    """The base model with fresh weights."""
    return Fomm(KeyPointDetector(sizes.fomm), Generator(sizes.fomm, options.align_corners))


def build_a2fd(sizes: EammSizes, audio_gain: float = 1.0) -> A2fd:
    """The audio-to-motion networks with fresh weights; training has a gain of 1."""
    return A2fd(AudioToMotion(sizes, audio_gain), KeyPointHeads(sizes.fomm))


def build_emotion(sizes: EammSizes) -> Emotion:
    """The emotion networks with fresh weights."""
    return Emotion(EmotionExtractor(sizes), DisplacementPredictor(sizes))


def named_modules(networks: Fomm | A2fd | Emotion) -> Iterable[tuple[str, nn.Module]]:
    """The networks with the prefix of their tensors in the files."""
    if isinstance(networks, Emotion):
        return [("emo_detector", network) for network in networks]
    return networks._asdict().items()


def tensors_of(networks: Fomm | A2fd | Emotion) -> dict[str, Tensor]:
    """All tensors by the names of the published checkpoints."""
    return {
        f"{prefix}.{key}": value.detach()
        for prefix, network in named_modules(networks)
        for key, value in network.state_dict().items()
    }


def fill(networks: Fomm | A2fd | Emotion, tensors: dict[str, Tensor]) -> None:
    """Put tensors into networks, and the networks into eval mode.

    Raises:
        ValueError: names a tensor that is missing or has another shape.
    """
    for prefix, network in named_modules(networks):
        own = {}
        for key, value in network.state_dict().items():
            given = tensors.get(f"{prefix}.{key}")
            if given is None or given.shape != value.shape:
                found = "missing" if given is None else f"{list(given.shape)}"
                raise ValueError(f"{prefix}.{key} should be {list(value.shape)}, is {found}")
            own[key] = given
        network.load_state_dict(own, assign=True)
        network.eval()


def save_networks(
    networks: Fomm | A2fd | Emotion, folder: Path, settings: dict[str, Any], **more: Tensor
) -> None:
    """Write networks, and `more` tensors beside them, to their file."""
    name = type(networks).__name__.lower()
    save_tensors(name, {**tensors_of(networks), **more}, settings, folder)


def load_fomm(folder: Path, sizes: EammSizes, options: EammOptions) -> tuple[Fomm, Tensor | None]:
    """The base model of a folder, and the template [68, 2] if it is there."""
    tensors, _ = load_tensors("fomm", folder)
    with torch.device("meta"):
        networks = build_fomm(sizes, options)
    fill(networks, tensors)
    return networks, tensors.get(TEMPLATE)


def load_a2fd(folder: Path, sizes: EammSizes, audio_gain: float = 1.0) -> A2fd:
    """The audio-to-motion networks of a folder."""
    tensors, _ = load_tensors("a2fd", folder)
    with torch.device("meta"):
        networks = build_a2fd(sizes, audio_gain)
    fill(networks, tensors)
    return networks


def load_emotion(folder: Path, sizes: EammSizes) -> Emotion:
    """The emotion networks of a folder."""
    tensors, _ = load_tensors("emotion", folder)
    with torch.device("meta"):
        networks = build_emotion(sizes)
    fill(networks, tensors)
    return networks


def read_settings(folder: Path) -> tuple[EammSizes, EammOptions]:
    """Sizes and options of a folder of weights.

    Raises:
        ValueError: the file is missing, damaged, or names something unknown.
    """
    try:
        values = json.loads((folder / SETTINGS_FILE).read_text())
        return EammSizes.from_json(values["sizes"]), EammOptions.from_json(values["options"])
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ValueError(f"cannot read {SETTINGS_FILE} in {folder}: {error}") from None


def write_settings(folder: Path, sizes: EammSizes, options: EammOptions) -> None:
    """Write `eamm.json`, which users may edit."""
    folder.mkdir(parents=True, exist_ok=True)
    values = {"sizes": sizes.to_json(), "options": asdict(options)}
    write_json(folder / SETTINGS_FILE, values)
