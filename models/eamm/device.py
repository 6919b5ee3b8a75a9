"""Where EAMM runs: its generator folded, on a GPU also in half precision and channels-last."""

from __future__ import annotations

import time

import torch
from torch import nn
from torch.nn.utils import convert_conv2d_weight_memory_format

from models.eamm.weights import A2fd, Emotion, Fomm
from models.fomm.folding import fold
from models.fomm.generator import Generator
from models.fomm.key_points import KeyPoints
from models.fomm.sizes import FommSizes


def place(fomm: Fomm, a2fd: A2fd, emotion: Emotion, device: str) -> tuple[Fomm, A2fd, Emotion]:
    """The networks on a device, ready to run but no longer to train.

    Key points keep full precision: they are a small part of the work, and half a pixel shows.

    Raises:
        ValueError: the device is not there.
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device {device!r}: {str(error).splitlines()[0]}") from None
    fold(fomm.generator)
    for network in (*fomm, *a2fd, *emotion):
        network.to(device).requires_grad_(False)
    if torch.device(device).type == "cuda":
        halve(fomm.generator)
    a2fd.audio_feature.lstm.flatten_parameters()
    return fomm, a2fd, emotion


def halve(generator: Generator) -> None:
    """Half precision and channels-last, for tensor cores."""
    convert_conv2d_weight_memory_format(generator.half(), torch.channels_last)


def resting_points(n_points: int, device: torch.device) -> KeyPoints:
    """Key points in the middle of the picture that turn nothing, for timing and warm-up."""
    eye = torch.eye(2, device=device).expand(1, n_points, 2, 2)
    return KeyPoints(torch.zeros(1, n_points, 2, device=device), eye.contiguous())


@torch.inference_mode()
def frame_rate(generator: Generator, sizes: FommSizes) -> float:
    """Pictures a second that the generator manages here, from three of them."""
    weight = generator.final.weight
    points = resting_points(sizes.n_points, weight.device)
    image = torch.rand(1, 3, sizes.image_size, sizes.image_size).to(weight)
    source = generator.encode(image, points)
    generator.drive(source, points)
    start = time.perf_counter()
    for _ in range(3):
        generator.drive(source, points)[0, 0, 0, 0].item()
    return 3 / (time.perf_counter() - start)


def speed_notice(generator: Generator, sizes: FommSizes) -> str | None:
    """A line for the user when the generator is slower than 25 pictures a second here."""
    rate = frame_rate(generator, sizes)
    if rate >= 25:
        return None
    kind = _device_words(generator)
    return f"model eamm draws about {rate:.1f} pictures a second on this {kind}; 25 need a GPU"


def _device_words(network: nn.Module) -> str:
    return "CPU" if next(network.parameters()).device.type == "cpu" else "GPU"
