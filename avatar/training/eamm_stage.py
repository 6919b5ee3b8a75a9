"""What a training stage of EAMM is: networks that learn, networks that stay, losses, examples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from avatar.training.eamm_clips import Clip
from avatar.training.eamm_samples import Example
from models.fomm.key_points import KeyPoints

Losses = dict[str, Tensor]


class Stage(nn.Module, ABC):
    """A stage; a call gives its losses, weighted, by name.

    `learning` and `frozen` partition the networks. Frozen ones get no gradient and stay in eval
    mode: in training mode their batch norms would drift, and a teacher with them.
    """

    name: str
    milestones: ClassVar[tuple[float, float]]
    """Where the published schedule divides the rate by ten, as shares of the steps."""

    def __init__(self, learning: Iterable[nn.Module], frozen: Iterable[nn.Module]) -> None:
        super().__init__()
        self.learning, self.frozen = nn.ModuleList(learning), nn.ModuleList(frozen)
        self.frozen.requires_grad_(False)
        self.learning.requires_grad_(True)

    def train(self, mode: bool = True) -> Stage:
        """As in torch, but frozen networks stay in eval mode."""
        super().train(mode)
        self.frozen.eval()
        return self

    def players(self) -> dict[str, list[nn.Parameter]]:
        """Parameters by whose turn it is; each player has an optimizer and its own losses."""
        return {"networks": list(self.learning.parameters())}

    @abstractmethod
    def draw(self, clips: Sequence[Clip], random: np.random.Generator) -> Example:
        """One training example."""

    @abstractmethod
    def forward(self, batch: dict[str, Tensor], player: str = "networks") -> Losses:
        """The losses that a player lowers.

        Args:
            batch: examples as `draw` gives them, with a batch dimension in front; `seed` [] int64
                is that of further randomness.
            player: one of `players`.
        """

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the networks that learnt as weights for `models.eamm`."""


def point_losses(found: KeyPoints, real: KeyPoints, weight: float = 10.0) -> Losses:
    """Mean absolute difference of values and of jacobians."""
    return {
        "value": weight * (found.value - real.value).abs().mean(),
        "jacobian": weight * (found.jacobian - real.jacobian).abs().mean(),
    }


def generator_of(batch: dict[str, Tensor]) -> torch.Generator:
    """The randomness that belongs to a batch, on the CPU."""
    return torch.Generator().manual_seed(int(batch["seed"]))
