"""Where EAMM runs: its generator folded, on a GPU also in half precision and channels-last."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.utils import convert_conv2d_weight_memory_format

from models.eamm.weights import A2fd, Emotion, Fomm
from models.fomm.folding import fold
from models.fomm.generator import Generator, Source
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


def prepared(image: Tensor, generator: Generator) -> Tensor:
    """A picture [B, 3, S, S] on the generator's device, in its precision and layout."""
    weight = generator.final.weight
    layout = torch.channels_last if weight.is_cuda else torch.contiguous_format
    return image.to(weight, memory_format=layout)


@torch.inference_mode()
def resting_inputs(generator: Generator, sizes: FommSizes) -> tuple[Source, KeyPoints]:
    """A grey source and key points that leave it as it is, for timing and for CUDA graphs."""
    image = torch.full((1, 3, sizes.image_size, sizes.image_size), 0.5)
    device = generator.final.weight.device
    value = torch.zeros(1, sizes.n_points, 2, device=device)
    jacobian = torch.eye(2, device=device).expand(1, sizes.n_points, 2, 2).contiguous()
    points = KeyPoints(value, jacobian)
    return generator.encode(prepared(image, generator), points), points


@torch.inference_mode()
def frame_rate(drive: Callable[..., Tensor], source: Source, points: KeyPoints) -> float:
    """Pictures a second that `drive` manages here, from three of them."""
    drive(source, points)
    start = time.perf_counter()
    for _ in range(3):
        drive(source, points)[0, 0, 0, 0].item()
    return 3 / (time.perf_counter() - start)


def speed_notice(rate: float, device: torch.device) -> str | None:
    """A line for the user when fewer than 25 pictures a second are drawn."""
    if rate >= 25:
        return None
    kind = "CPU" if device.type == "cpu" else "GPU"
    return f"model eamm draws about {rate:.1f} pictures a second on this {kind}; 25 need a GPU"
