"""The models by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from models.talking_head import TalkingHead


def open_model(name: str, weights: Path | None = None, device: str = "auto") -> TalkingHead:
    """A model with its weights loaded.

    Args:
        name: `lite` or `eamm`.
        weights: folder of weights other than the shipped ones.
        device: `cpu`, `cuda`, or `auto` for CUDA where the model gains from it and it is there.

    Raises:
        ValueError: unknown model, missing weights, or a device that is not there; one line.
    """
    openers: dict[str, Callable[..., TalkingHead]] = {"lite": _open_lite, "eamm": _open_eamm}
    if name not in openers:
        raise ValueError(f"unknown model {name!r}: choose {', '.join(openers)}")
    return openers[name](weights, device)


def _open_lite(weights: Path | None, device: str) -> TalkingHead:
    from models.lite.head import LiteTalkingHead

    _check_device(device)
    return LiteTalkingHead(weights, device="cuda" if device == "cuda" else "cpu")


def _open_eamm(weights: Path | None, device: str) -> TalkingHead:
    from models.eamm.head import EammTalkingHead

    _check_device(device)
    if weights is None:
        raise ValueError("model eamm ships no weights: convert or train them, then --weights DIR")
    import torch

    cuda = device == "cuda" or (device == "auto" and torch.cuda.is_available())
    return EammTalkingHead(weights, "cuda" if cuda else "cpu")


def _check_device(device: str) -> None:
    import torch

    if device not in ("auto", "cpu", "cuda"):
        raise ValueError(f"unknown device {device!r}: choose auto, cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("no CUDA device is available: use --device cpu")
