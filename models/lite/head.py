"""Model `lite` behind the contract of `models/talking_head.py`: the default, for any machine.

Sound, pose and identity -> `motion.py` -> talking key points; emotion -> `emotion.py` -> their
displacement; lids blink; key points -> `picture.py` -> the portrait's own pixels, moved.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.checkpoints import load_tensors
from models.lite.emotion import DisplacementPredictor, EmotionEncoder
from models.lite.feeling import Feelings, emphasised, likeness, load_feelings, named
from models.lite.lips import LipContact
from models.lite.motion import AudioToMotion, MotionState, load_motion
from models.lite.picture import draw
from models.lite.portrait import LitePortrait, encode_portrait
from models.lite.rig import Rig, expression_weights, load_rig
from models.lite.warp import warp
from models.lite.warp_torch import TorchWarp
from models.talking_head import FaceImage, FaceTrack, Motion, TalkingHead

LIDS = {"_L": (386, 374), "_R": (159, 145)}
"""Key points in the middle of the upper and the lower lid of each eye."""
LID_PRESSURE = 1.6
"""How much further than to their touch the lids of a whole blink go: the upper lid comes down over
the edge of the lower one, and no slit is left."""
BLINK = 6
"""Where the blink is in a pose row."""
EXPRESSIVENESS = 1.5
"""Expression weight per unit of what a clip's scores say: actors' scores stay far below 1."""
MAX_WEIGHT = 1.4
"""Largest expression weight that an emotion may ask for."""


class LiteState(NamedTuple):
    """One caller's memory: the audio-to-motion network's; all else is a function of the step."""

    motion: MotionState


class LiteTalkingHead(TalkingHead[LitePortrait, LiteState]):
    """The default model.

    Args:
        folder: where the weights are; the shipped ones by default.
        device: `cpu` or `cuda`, where the picture is drawn; the networks always run on the CPU
            (2 ms).
    """

    name = "lite"
    lookahead_ms = 80

    def __init__(self, folder: Path | None = None, device: str = "cpu") -> None:
        self.rig: Rig = load_rig()
        self._warp = warp if device == "cpu" else TorchWarp(device)
        self.motion: AudioToMotion = load_motion(self.rig, folder)
        self.contact = LipContact(self.rig)
        self._folder = folder
        self.encoder, self.predictor, self.rest = _load_emotion(self.rig, folder)
        self._blinks = [
            (self.rig.shape_names.index("eyeBlink" + side), *map(self.rig.point_of, lids))
            for side, lids in LIDS.items()
        ]
        self._worn = torch.tensor([not n.startswith("eyeLook") for n in self.rig.shape_names])

    @cached_property
    def feelings(self) -> Feelings:
        """What tells the emotion of a clip; presets do not need it."""
        return load_feelings(self._folder)

    def encode_portrait(self, face: FaceImage) -> LitePortrait:
        """Fit the rig to a tracked portrait."""
        return encode_portrait(self.rig, face)

    @torch.inference_mode()
    def encode_emotion(self, track: FaceTrack) -> Tensor:
        """Emotion features of a clip, [T, EMOTION_DIMS] float32.

        What is not literal is emphasised (`models/lite/feeling.py`); a literal face at rest gives
        zeros.
        """
        weights = self.worn_weights(track)
        if not track.literal:
            feelings = self.feelings
            likely = named(feelings, track.name)
            if likely is None:
                likely = likeness(feelings, track.blendshapes)
            weights = emphasised(feelings, weights, likely)
        return self.encoder(weights)

    def worn_weights(self, track: FaceTrack) -> Tensor:
        """Expression weights of a track's scores above rest, [T, E] float32."""
        above_rest = np.maximum(track.blendshapes - self.rest, 0)
        weights = torch.from_numpy(expression_weights(self.rig, above_rest)) * EXPRESSIVENESS
        return weights.clamp(max=MAX_WEIGHT) * self._worn

    def init_state(self, batch: int = 1) -> LiteState:
        """The memory of `batch` new callers."""
        return LiteState(self.motion.init_state(batch))

    @torch.inference_mode()
    def step(
        self,
        audio_features: Tensor,
        pose: Tensor,
        emotion: Tensor,
        portrait: LitePortrait,
        state: LiteState,
    ) -> tuple[Motion, LiteState]:
        """One step of motion; shapes as in the contract."""
        identity = self.motion.encode_identity(portrait.x0, portrait.j0)
        dx, dj, memory = self.motion.step(audio_features, pose[:, :6], identity, state.motion)
        dx = self.contact(dx)
        more_dx, more_dj = self.predictor(emotion, dx, dj)
        x, jacobian = portrait.x0 + dx + more_dx, portrait.j0 + dj + more_dj
        x, jacobian = self.blink(x, jacobian, pose[:, BLINK])
        return Motion(x, jacobian, pose), LiteState(memory)

    def render(self, portrait: LitePortrait, motion: Motion) -> np.ndarray:
        """The picture of a motion of batch 1, [S, S, 3] uint8 RGB."""
        return draw(self.rig, portrait, motion, self._warp)

    def blink(self, x: Tensor, jacobian: Tensor, blink: Tensor) -> tuple[Tensor, Tensor]:
        """Lower the lids by the share `blink` [B] of however far they are open now."""
        for shape, upper, lower in self._blinks:
            dx, dj = self.rig.dx[shape], self.rig.dj[shape]
            closing = dx[upper, 1] - dx[lower, 1]
            gap = (x[:, lower, 1] - x[:, upper, 1]).clamp(min=0)
            amount = LID_PRESSURE * blink * gap / closing
            x = x + amount[:, None, None] * dx
            jacobian = jacobian + amount[:, None, None, None] * dj
        return x, jacobian


def _load_emotion(
    rig: Rig, folder: Path | None
) -> tuple[EmotionEncoder, DisplacementPredictor, np.ndarray]:
    """E_e, P_d and the tracker's scores of a face at rest [52]."""
    tensors, _ = load_tensors("emotion", folder)
    rest = tensors.pop("rest").numpy()
    encoder, predictor = EmotionEncoder(len(rig.shape_names)), DisplacementPredictor(rig.n_points)
    for name, module in (("encoder", encoder), ("predictor", predictor)):
        own = {
            k.removeprefix(name + "."): v.float() for k, v in tensors.items() if k.startswith(name)
        }
        module.load_state_dict(own)
        module.eval()
    return encoder, predictor, rest
