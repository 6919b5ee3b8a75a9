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
from models.lite.measures import measure_faces
from models.lite.motion import AudioToMotion, MotionState, load_motion
from models.lite.picture import draw
from models.lite.portrait import LitePortrait, encode_portrait
from models.lite.rig import Rig, expression_weights, load_rig
from models.lite.warp import warp
from models.lite.warp_torch import TorchWarp
from models.talking_head import FaceImage, FaceTrack, Motion, TalkingHead

LIDS = {"_L": (386, 374), "_R": (159, 145)}
"""Key points in the middle of the upper and the lower lid of each eye."""
LID_PRESSURE = 1.8
"""How much further than to their touch the lids of a whole blink go: the upper lid comes down over
the edge of the lower one, and no slit is left."""
STILL_GAP, FREE_GAP = 0.06, 0.085
"""Resting gap between those key points up to which an emotion does not narrow an eye at all, and
from which on it narrows it as far as that of the rig's face; inter-ocular distances. The median of
300 portraits is 0.085: eyes that are hardly open have no room for a squint and for a blink."""
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
        names = self.rig.shape_names
        self._warp = warp if device == "cpu" else TorchWarp(device)
        self.motion: AudioToMotion = load_motion(self.rig, folder)
        self._folder = folder
        self.encoder, self.predictor, self.rest = _load_emotion(self.rig, folder)
        self._blinks = [
            (names.index("eyeBlink" + side), self.rig.point_of(upper), self.rig.point_of(lower))
            for side, (upper, lower) in LIDS.items()
        ]
        self._worn = torch.tensor([not n.startswith("eyeLook") for n in names])

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
                likely = likeness(feelings, track.blendshapes, self._measures(track))
            weights = emphasised(feelings, weights, likely)
        return self.encoder(weights)

    def _measures(self, track: FaceTrack) -> np.ndarray | None:
        """The measures of a track's faces, [T, M] float32, where it has a mesh."""
        if track.landmarks is None:
            return None
        return measure_faces(track.landmarks, self.rig.mesh.numpy())

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
        more_dx, more_dj = self.predictor(emotion, dx, dj)
        more_dx = self.motion.contact.kept(dx, more_dx)
        x, jacobian = portrait.x0 + dx + more_dx, portrait.j0 + dj + more_dj
        x, jacobian = self.ease_squint(x, jacobian, portrait.x0)
        x, jacobian = self.blink(x, jacobian, pose[:, BLINK])
        return Motion(x, jacobian, pose), LiteState(memory)

    def render(self, portrait: LitePortrait, motion: Motion) -> np.ndarray:
        """The picture of a motion of batch 1, [S, S, 3] uint8 RGB."""
        return draw(self.rig, portrait, motion, self._warp)

    def ease_squint(self, x: Tensor, jacobian: Tensor, x0: Tensor) -> tuple[Tensor, Tensor]:
        """Narrow eyes the less the less they are open at rest.

        Args:
            x: [B, K, 2] float32, key points of an emotional face.
            jacobian: [B, K, 2, 2] float32.
            x0: [1, K, 2] float32, the same face at rest.
        """
        for lids in self._blinks:
            rest = _lid_gap(x0, lids)
            narrowed = (rest - _lid_gap(x, lids)).clamp(min=0)
            kept = ((rest - STILL_GAP) / (FREE_GAP - STILL_GAP)).clamp(0, 1)
            x, jacobian = self._lower_lid(x, jacobian, lids, (kept - 1) * narrowed)
        return x, jacobian

    def blink(self, x: Tensor, jacobian: Tensor, blink: Tensor) -> tuple[Tensor, Tensor]:
        """Lower the lids by the share `blink` [B] of however far they are open now."""
        for lids in self._blinks:
            gap = _lid_gap(x, lids).clamp(min=0)
            x, jacobian = self._lower_lid(x, jacobian, lids, LID_PRESSURE * blink * gap)
        return x, jacobian

    def _lower_lid(
        self, x: Tensor, jacobian: Tensor, lids: tuple[int, int, int], way: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Bring the lids of one eye closer by `way` [B], as its blink does."""
        shape, upper, lower = lids
        dx, dj = self.rig.dx[shape], self.rig.dj[shape]
        amount = way / (dx[upper, 1] - dx[lower, 1])
        return x + amount[:, None, None] * dx, jacobian + amount[:, None, None, None] * dj


def _lid_gap(x: Tensor, lids: tuple[int, int, int]) -> Tensor:
    """How far the key points [..., K, 2] of the lids of one eye are apart, [...]."""
    _, upper, lower = lids
    return x[..., lower, 1] - x[..., upper, 1]


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
