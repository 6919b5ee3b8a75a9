"""The stage in which EAMM learns neutral talking: sound, pose and a picture -> key points.

The teacher is E_k: on the real pictures it says where the key points are. Where the supplement of
the paper and the published code differ, `recipe` chooses:

                      paper                          code
    heat-map weight   10                             1000
    perceptual 0.1    in the stage itself            only in the fine-tuning, which trains G too
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from avatar.training.eamm_clips import Clip
from avatar.training.eamm_networks import save_stage
from avatar.training.eamm_perceptual import PerceptualLoss
from avatar.training.eamm_samples import Example, draw_talk
from avatar.training.eamm_stage import Losses, Stage, point_losses
from models.eamm.options import EammOptions
from models.eamm.sizes import EammSizes
from models.eamm.weights import A2fd, Fomm
from models.fomm.key_points import KeyPoints

HEAT_WEIGHTS = {"paper": 10.0, "code": 1000.0}
PERCEPTUAL = 0.1
DRAWN_EVERY = 4
"""Of a sequence's pictures, every fourth is drawn for the perceptual loss."""


class TalkStage(Stage):
    """Audio2Facial-Dynamics.

    Args:
        sizes: widths.
        options: saved with the weights.
        teacher: E_k and G of the base model.
        speaker: the networks that learn.
        heat_weight: of the difference of heat maps.
        perceptual: adds a loss on drawn pictures; None for none.
        tune_generator: G learns too.
    """

    milestones = (0.2, 0.3)

    def __init__(
        self,
        sizes: EammSizes,
        options: EammOptions,
        teacher: Fomm,
        speaker: A2fd,
        heat_weight: float,
        perceptual: PerceptualLoss | None = None,
        tune_generator: bool = False,
    ) -> None:
        tuned = [teacher.generator] if tune_generator else []
        kept = [network for network in teacher if network not in tuned]
        super().__init__([*speaker, *tuned], [*kept, *([perceptual] if perceptual else [])])
        self.sizes, self.options = sizes, options
        self.teacher, self.speaker = teacher, speaker
        self._heat_weight, self._perceptual = heat_weight, perceptual
        self.name = "a2fd-finetune" if tune_generator else "a2fd"

    def draw(self, clips: Sequence[Clip], random: np.random.Generator) -> Example:
        """A sequence of talking after its first picture."""
        return draw_talk(clips, random)

    def forward(self, batch: dict[str, Tensor], player: str = "networks") -> Losses:
        """Differences from the teacher's key points and heat maps, and from the real pictures."""
        audio, heads = self.speaker
        identity = audio.encode_identity(batch["example"])
        found, heat = heads.read(audio(batch["windows"], batch["pose"], identity).flatten(0, 1))
        with torch.no_grad():
            real, real_heat = self.teacher.kp_detector.detect(batch["driving"].flatten(0, 1))
        losses = point_losses(found, real)
        losses["heat"] = self._heat_weight * (heat - real_heat).abs().mean()
        if self._perceptual is not None:
            losses["perceptual"] = PERCEPTUAL * self._picture_loss(batch, found)
        return losses

    def save(self, folder: Path) -> None:
        """Write `a2fd`, and the base model beside it: the same, or tuned."""
        note = {"trained_by": f"avatar/training/eamm_talk.py ({self.name})"}
        save_stage(self.speaker, folder, self.sizes, self.options, note)
        save_stage(self.teacher, folder, self.sizes, self.options, note)

    def _picture_loss(self, batch: dict[str, Tensor], found: KeyPoints) -> Tensor:
        assert self._perceptual is not None, "asked for only with a perceptual loss"
        B, T = batch["driving"].shape[:2]
        drawn = batch["driving"][:, ::DRAWN_EVERY]
        points = KeyPoints(
            *(part.unflatten(0, (B, T))[:, ::DRAWN_EVERY].flatten(0, 1) for part in found)
        )
        example = batch["example"][:, None].expand_as(drawn).flatten(0, 1)
        with torch.no_grad():
            own = self.teacher.kp_detector(example)
        made = self.teacher.generator(example, own, points)
        return self._perceptual(made, drawn.flatten(0, 1))
