"""The perceptual loss: distance of pictures in the features of a classifier, on an image pyramid.

The trunk is VGG-19 with torchvision's weights, or the same layers, narrow and random: fixed random
filters compare edges and colours at several scales and need no file (Ulyanov et al., "Deep Image
Prior", 2018, on why random convolutions still tell pictures apart).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from models.fomm.blocks import AntiAlias

LAYERS: tuple[int | str, ...] = (
    64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M", 512, 512, 512, 512, "M", 512,
)  # fmt: skip
"""Widths of VGG-19's convolutions up to relu5_1; M halves the resolution."""
LAST_OF_SLICE = (1, 6, 11, 20, 29)
"""relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1 in torchvision's numbering."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SCALES = (1, 2, 4, 8)
MIN_SIDE = 16
"""Smaller pictures have no pixel left at relu5_1."""
URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
RANDOM_DIVISOR = 8


class Trunk(nn.Module):
    """VGG-19 up to relu5_1.

    Args:
        divisor: of the widths; 1 for the real one.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, divisor: int = 1) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        n_in = 3
        for layer in LAYERS:
            if isinstance(layer, str):
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(n_in, layer // divisor, 3, padding=1), nn.ReLU()]
                n_in = layer // divisor
        self.features = nn.Sequential(*layers)
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> list[Tensor]:
        """[B, 3, S, S] 0..1 RGB -> the five slices' outputs."""
        x, maps = (images - self.mean) / self.std, []
        for i, layer in enumerate(self.features):
            x = layer(x)
            if i in LAST_OF_SLICE:
                maps.append(x)
        return maps


class PerceptualLoss(nn.Module):
    """Mean absolute difference of every slice at every scale, summed."""

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self.trunk = trunk.eval().requires_grad_(False)
        self.shrink = nn.ModuleDict({str(s): AntiAlias(s) for s in SCALES if s > 1})

    def forward(self, made: Tensor, real: Tensor) -> Tensor:
        """[B, 3, S, S] twice, 0..1 RGB -> [] float32."""
        total = made.new_zeros(())
        for scale in SCALES:
            if made.shape[-1] // scale < MIN_SIDE:
                break
            a, b = (x if scale == 1 else self.shrink[str(scale)](x) for x in (made, real))
            for mine, theirs in zip(self.trunk(a), self.trunk(b), strict=True):
                total = total + (mine - theirs.detach()).abs().mean()
        return total


def open_trunk(source: str) -> Trunk:
    """The trunk that `--trunk` names: `random`, `download`, or a file of torchvision's weights.

    Raises:
        ValueError: the weights cannot be read or fetched.
    """
    if source == "random":
        return random_trunk()
    trunk = Trunk()
    try:
        if source == "download":
            tensors = torch.hub.load_state_dict_from_url(URL, map_location="cpu", check_hash=True)
        else:
            tensors = torch.load(Path(source), map_location="cpu", weights_only=True)
        trunk.load_state_dict({k: v for k, v in tensors.items() if k in trunk.state_dict()})
    except (OSError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"no VGG-19 weights from {source}: {reason}") from None
    return trunk


def random_trunk(seed: int = 0) -> Trunk:
    """Narrow and random, the same for the same seed; scaled so that no layer fades."""
    trunk = Trunk(RANDOM_DIVISOR)
    random = torch.Generator().manual_seed(seed)
    for layer in trunk.features:
        if isinstance(layer, nn.Conv2d):
            spread = (2 / layer.weight[0].numel()) ** 0.5
            weight = spread * torch.randn(layer.weight.shape, generator=random)
            layer.weight = nn.Parameter(weight)
            nn.init.zeros_(layer.bias if layer.bias is not None else torch.empty(0))
    return trunk
