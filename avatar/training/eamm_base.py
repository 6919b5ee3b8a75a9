"""The stage in which the base model learns: reconstruction of one picture of a clip from another.

Losses and weights: Siarohin et al. 2019.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from avatar.training.eamm_clips import Clip
from avatar.training.eamm_deform import random_deformation
from avatar.training.eamm_networks import save_stage
from avatar.training.eamm_perceptual import PerceptualLoss
from avatar.training.eamm_samples import Example, draw_pair
from avatar.training.eamm_stage import Losses, Stage, generator_of
from models.eamm.options import EammOptions
from models.eamm.sizes import EammSizes
from models.eamm.weights import build_fomm
from models.fomm.discriminator import Discriminator
from models.fomm.geometry import full_precision, inverse
from models.fomm.key_points import KeyPoints

PERCEPTUAL = 10.0
EQUIVARIANCE_VALUE = EQUIVARIANCE_JACOBIAN = 10.0
FEATURE_MATCHING = 10.0


class FommStage(Stage):
    """E_k, F and G, and with `adversarial` a discriminator against them."""

    name = "fomm"
    milestones = (0.6, 0.9)

    def __init__(
        self,
        sizes: EammSizes,
        options: EammOptions,
        perceptual: PerceptualLoss,
        adversarial: bool = False,
    ) -> None:
        networks = build_fomm(sizes, options)
        critics: list[nn.Module] = []
        if adversarial:
            critics = [Discriminator(spectral=False, n_points=sizes.fomm.n_points)]
        super().__init__([*networks, *critics], [perceptual])
        self.sizes, self.options, self.networks = sizes, options, networks
        self._perceptual, self._critic = perceptual, critics[0] if critics else None

    def players(self) -> dict[str, list[nn.Parameter]]:
        """The networks, and the critic if there is one."""
        players = {"networks": [p for network in self.networks for p in network.parameters()]}
        if self._critic is not None:
            players["critic"] = list(self._critic.parameters())
        return players

    def draw(self, clips: Sequence[Clip], random: np.random.Generator) -> Example:
        """A pair of pictures of one clip."""
        return draw_pair(clips, random)

    def forward(self, batch: dict[str, Tensor], player: str = "networks") -> Losses:
        """Reconstruction and equivariance of the networks, or the critic's own loss."""
        source, driving = batch["source"], batch["driving"]
        if player == "critic":
            with torch.no_grad():
                made, points = self._drive(source, driving)
            return self._critic_losses(made, driving, points)
        made, points = self._drive(source, driving)
        losses = {
            "perceptual": PERCEPTUAL * self._perceptual(made, driving),
            **self._equivariance(driving, points, generator_of(batch)),
        }
        return losses | self._adversarial_losses(made, driving, points)

    def save(self, folder: Path) -> None:
        """Write `fomm`."""
        note = {"trained_by": "avatar/training/eamm_base.py"}
        save_stage(self.networks, folder, self.sizes, self.options, note)

    def _drive(self, source: Tensor, driving: Tensor) -> tuple[Tensor, KeyPoints]:
        detector, generator = self.networks
        points = detector(driving)
        return generator(source, detector(source), points), points

    def _equivariance(self, driving: Tensor, points: KeyPoints, random: torch.Generator) -> Losses:
        """Key points of a deformed picture, put back, are those of the picture."""
        deformation = random_deformation(len(driving), random, driving.device)
        moved = self.networks.kp_detector(deformation.images(driving))
        with full_precision(driving):
            back = deformation.points(moved.value)
            turned = deformation.jacobian(moved.value) @ moved.jacobian
            turn = inverse(points.jacobian) @ turned
        eye = torch.eye(2, device=driving.device)
        return {
            "equivariance value": EQUIVARIANCE_VALUE * (points.value - back).abs().mean(),
            "equivariance jacobian": EQUIVARIANCE_JACOBIAN * (eye - turn).abs().mean(),
        }

    def _adversarial_losses(self, made: Tensor, real: Tensor, points: KeyPoints) -> Losses:
        if self._critic is None:
            return {}
        at = points.value.detach()
        made_maps, made_scores = self._critic(made, at)
        real_maps, _ = self._critic(real, at)
        pairs = zip(made_maps, real_maps, strict=True)
        matching = torch.stack([(a - b.detach()).abs().mean() for a, b in pairs]).sum()
        return {
            "adversarial": (1 - made_scores).square().mean(),
            "feature matching": FEATURE_MATCHING * matching,
        }

    def _critic_losses(self, made: Tensor, real: Tensor, points: KeyPoints) -> Losses:
        """Least-squares GAN."""
        assert self._critic is not None, "there is no critic's turn without one"
        _, real_scores = self._critic(real, points.value)
        _, made_scores = self._critic(made, points.value)
        return {"critic": (1 - real_scores).square().mean() + made_scores.square().mean()}
