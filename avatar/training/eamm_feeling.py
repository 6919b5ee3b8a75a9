"""The stage in which EAMM learns what an emotional face adds to a neutral talking one.

The target is the difference between the key points of the real emotional pictures and those that
the frozen audio-to-motion networks give for the same sound and a neutral picture of the person.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from avatar.training.eamm_clips import Clip, find_clips
from avatar.training.eamm_loop import Batches
from avatar.training.eamm_networks import save_stage
from avatar.training.eamm_run import RunOptions
from avatar.training.eamm_samples import Example, draw_emotional_talk
from avatar.training.eamm_stage import Losses, Stage, point_losses
from models.eamm.displacement import N_DISPLACED
from models.eamm.emotion import EmotionClassifier
from models.eamm.options import EammOptions
from models.eamm.sizes import EammSizes
from models.eamm.weights import A2fd, Fomm, build_emotion
from models.fomm.key_points import KeyPoints

LOOKS = 8
"""Batches from which `--points auto` tells which key points emotion moves."""


class EmotionStage(Stage):
    """E_e and P_d, with a classifier of the feature.

    Args:
        sizes: widths.
        options: saved with the weights; its points are those that are displaced.
        teacher: E_k and G of the base model.
        speaker: the audio-to-motion networks.
        classify: cross-entropy of the emotion's name, weight 1.
    """

    name = "eamm-emotion"
    milestones = (0.2, 0.3)

    def __init__(
        self,
        sizes: EammSizes,
        options: EammOptions,
        teacher: Fomm,
        speaker: A2fd,
        classify: bool = True,
    ) -> None:
        learner, classifier = build_emotion(sizes), EmotionClassifier(sizes)
        super().__init__([*learner, classifier], [*teacher, *speaker])
        self.sizes, self.options, self.learner = sizes, options, learner
        self.teacher, self.speaker = teacher, speaker
        self._classifier = classifier if classify else None

    def draw(self, clips: Sequence[Clip], random: np.random.Generator) -> Example:
        """A sequence of emotional talking and a neutral picture of the person."""
        return draw_emotional_talk(clips, random)

    def forward(self, batch: dict[str, Tensor], player: str = "networks") -> Losses:
        """Differences from the displacements that the real pictures show, and of the names."""
        neutral, target = self.displacements(batch)
        chosen = list(self.options.points)
        wanted = KeyPoints(*(part[:, chosen] for part in target))
        feature = self.learner.extractor(batch["transformed"].flatten(0, 1))
        losses = point_losses(self.learner.predictor(feature, neutral), wanted, 10.0 * N_DISPLACED)
        if self._classifier is not None:
            names = batch["emotion"].repeat_interleave(batch["driving"].shape[1])
            losses["classification"] = F.cross_entropy(self._classifier(feature), names)
        return losses

    @torch.no_grad()
    def displacements(self, batch: dict[str, Tensor]) -> tuple[KeyPoints, KeyPoints]:
        """Neutral key points of a batch, and how far all of the real ones are from them."""
        audio, heads = self.speaker
        identity = audio.encode_identity(batch["example"])
        neutral = heads(audio(batch["windows"], batch["pose"], identity).flatten(0, 1))
        real = self.teacher.kp_detector(batch["driving"].flatten(0, 1))
        apart = zip(real, neutral, strict=True)
        return neutral, KeyPoints(*(there - here for there, here in apart))

    def save(self, folder: Path) -> None:
        """Write `emotion`, and the other networks beside it."""
        note = {"trained_by": "avatar/training/eamm_feeling.py"}
        for networks in (self.learner, self.teacher, self.speaker):
            save_stage(networks, folder, self.sizes, self.options, note)


def find_points(stage: EmotionStage, options: RunOptions) -> tuple[int, ...]:
    """The key points whose displacement differs most from moment to moment, in order of index."""
    batches = Batches(stage, find_clips(options.data, held_out=False), options, rank=0)
    stage.eval()
    seen = [stage.displacements(batches[i])[1].value for i in range(LOOKS)]
    spread = torch.cat(seen).std(dim=0).sum(dim=-1)  # [K]
    return tuple(sorted(spread.topk(N_DISPLACED).indices.tolist()))
