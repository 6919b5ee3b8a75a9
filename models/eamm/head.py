"""Model `eamm` behind the contract of `models/talking_head.py`: the paper's networks, for a GPU.

Sound, pose and identity -> `audio_to_motion.py` -> neutral key points; emotion -> `displacement.py`
-> what it adds to some of them; both smoothed; key points -> `models/fomm/generator.py` -> picture.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.eamm.audio_to_motion import MotionState
from models.eamm.clip import RAISED_PX, cover_mouth, hold_still, mouth_noise
from models.eamm.combining import MAX_BATCH, Combined
from models.eamm.cuda_graph import Graphed
from models.eamm.device import frame_rate, place, resting_inputs, speed_notice
from models.eamm.one_euro import DISPLACEMENT_FILTER, POINT_FILTER, POSE_FILTER, FilterState
from models.eamm.options import EammOptions
from models.eamm.portrait import EammPortrait, Person, align, encode_image
from models.eamm.pose import EAMM_POSE_DIMS, add_pose
from models.eamm.weights import load_a2fd, load_emotion, load_fomm, read_settings
from models.fomm.generator import to_picture
from models.fomm.key_points import KeyPoints
from models.fomm.relative import movement_scale, relative_motion
from models.talking_head import EMOTION_DIMS, FaceImage, FaceTrack, Motion, TalkingHead

CLIP_BATCH = 8
"""Pictures of an emotion clip that E_e looks at in one go."""


class EammState(NamedTuple):
    """One caller's memory, or that of several as a batch.

    motion: of the LSTM.
    pose, points, displacement: of the One-Euro filters.
    first: [B, K, 6] float32, unsmoothed key points of the first step, for relative motion.
    """

    motion: MotionState
    pose: FilterState
    points: FilterState
    displacement: FilterState
    first: Tensor


class EammTalkingHead(TalkingHead[EammPortrait, EammState]):
    """The paper's networks.

    Args:
        folder: weights as `python -m avatar.convert` or the training writes them.
        device: where it runs, as torch names it.
        options: those of the folder by default.

    Raises:
        ValueError: the weights cannot be read or do not fit.
    """

    name = "eamm"
    lookahead_ms = 175
    first_coefficient = 1
    sees_pixels = True
    emotion_dims = EMOTION_DIMS + 1
    """f_e, and how much of it there is: 1 for a feature, the sum of the weights for a blend."""

    def __init__(
        self, folder: Path, device: str = "cpu", options: EammOptions | None = None
    ) -> None:
        self.sizes, settings = read_settings(folder)
        self.options = options or settings
        fomm, template = load_fomm(folder, self.sizes, self.options)
        a2fd = load_a2fd(folder, self.sizes, self.options.audio_gain)
        self.fomm, self.a2fd, self.emotion = place(
            fomm, a2fd, load_emotion(folder, self.sizes), device
        )
        self.device = torch.device(device)
        self._template = None if template is None else template.double().numpy()
        self._spread = self._spread_displacements()
        self._resting = resting_inputs(self.fomm.generator, self.sizes.fomm)
        self._drive: Callable[..., Tensor] = self.fomm.generator.drive
        self._move: Callable[..., tuple[KeyPoints, EammState]] = self.move
        if self.device.type == "cuda":
            self.combine(Graphed(self.fomm.generator.drive, self._resting, MAX_BATCH))

    @torch.inference_mode()
    def encode_portrait(self, face: FaceImage) -> EammPortrait:
        """Align a tracked portrait to the template and encode it; pictures get its size."""
        image, mesh = align(face, self.sizes.fomm.image_size, self._template)
        return encode_image(image, mesh, face.image.shape[0], self.fomm, self.a2fd.audio_feature)

    @torch.inference_mode()
    def encode_emotion(self, track: FaceTrack) -> Tensor:
        """Emotion features of a clip, [T, emotion_dims] float32.

        Raises:
            ValueError: the track has no pictures, as that of a preset.
        """
        if track.pictures is None or track.landmarks is None:
            raise ValueError("model eamm takes an emotion from pictures: give a video or an image")
        size = self.sizes.fomm.image_size
        up = RAISED_PX if track.name in self.options.raised else 0.0
        images = hold_still(track.pictures, track.landmarks, size, self._template, up)
        if self.options.mouth != "open":
            n = len(images) if self.options.mouth == "fresh noise" else 1
            images = cover_mouth(images, mouth_noise(n, size))
        parts = images.to(self.device).split(CLIP_BATCH)
        features = torch.cat([self.emotion.extractor(part) for part in parts]).cpu()
        coded = features.new_zeros(len(features), self.emotion_dims)
        coded[:, : features.shape[1]] = features
        coded[:, EMOTION_DIMS] = 1.0
        return coded

    def init_state(self, batch: int = 1) -> EammState:
        """The memory of `batch` new callers."""
        K = self.sizes.fomm.n_points
        points = torch.zeros(batch, K, 6, device=self.device)
        displaced = torch.zeros(batch, len(self.options.points), 6, device=self.device)
        return EammState(
            motion=self.a2fd.audio_feature.init_state(batch),
            pose=POSE_FILTER.init_state(points.new_zeros(batch, EAMM_POSE_DIMS)),
            points=POINT_FILTER.init_state(points),
            displacement=DISPLACEMENT_FILTER.init_state(displaced),
            first=points,
        )

    def combine(self, drive: Callable[..., Tensor]) -> None:
        """From now on callers that ask at the same time from their threads share a batch.

        Args:
            drive: as `Generator.drive`, for batches of up to MAX_BATCH.
        """
        self._move = Combined(self.move, self._finish)
        self._drive = Combined(drive, self._finish)

    @torch.inference_mode()
    def step(
        self,
        audio_features: Tensor,
        pose: Tensor,
        emotion: Tensor,
        portrait: EammPortrait,
        state: EammState,
    ) -> tuple[Motion, EammState]:
        """One step of motion; shapes as in the contract, but [B, emotion_dims] of emotion.

        On a GPU, single callers that ask at the same time from their threads share a batch.
        """
        sound, turn, feeling = (x.to(self.device) for x in (audio_features, pose, emotion))
        move = self._move if len(sound) == 1 else self.move
        driving, state = move(sound, turn, feeling, portrait.person, state)
        return Motion(driving.value, driving.jacobian, pose), state

    def move(
        self, sound: Tensor, turn: Tensor, feeling: Tensor, person: Person, state: EammState
    ) -> tuple[KeyPoints, EammState]:
        """The key points of one step of B callers; inputs as those of `step`, on the device."""
        own, pose_state = self._pose(person, turn, state.pose)
        identity = person.identity.expand(len(sound), -1)
        features, memory = self.a2fd.audio_feature.step(sound, own, identity, state.motion)
        neutral = self.a2fd.kp_detector_a(features)
        flat = neutral.flat()
        smooth, point_state = POINT_FILTER.step(flat, state.points)
        displaced = self._displacement(feeling, neutral)
        added, added_state = DISPLACEMENT_FILTER.step(displaced, state.displacement)
        if not self.options.smooth_points:
            smooth, added = flat, displaced
        moved = smooth + torch.einsum("bnd,nk->bkd", added, self._spread)
        first = torch.where(state.points.started[:, None, None], state.first, flat)
        driving = self._place(KeyPoints.from_flat(moved), KeyPoints.from_flat(first), person)
        return driving, EammState(memory, pose_state, point_state, added_state, first)

    @torch.inference_mode()
    def render(self, portrait: EammPortrait, motion: Motion) -> np.ndarray:
        """The picture of a motion of batch 1, [S, S, 3] uint8 RGB; callers share as in `step`."""
        images = self._drive(portrait.source, KeyPoints(motion.x, motion.jacobian))
        return to_picture(images, portrait.size)[0].cpu().numpy()

    def notices(self) -> list[str]:
        """What the user should know of this machine: the frame rate where it is below 25."""
        notice = speed_notice(frame_rate(self._drive, *self._resting), self.device)
        return [notice] if notice else []

    def _finish(self) -> None:
        """Wait for the GPU."""
        if self.device.type == "cuda":
            torch.cuda.current_stream(self.device).synchronize()

    def _pose(self, person: Person, turn: Tensor, state: FilterState) -> tuple[Tensor, FilterState]:
        pose = add_pose(person.pose, turn)
        smooth, state = POSE_FILTER.step(pose, state)
        return (smooth if self.options.smooth_pose else pose), state

    def _displacement(self, emotion: Tensor, neutral: KeyPoints) -> Tensor:
        """[B, 4, 6]: that of the blended feature, in proportion to how much of it there is."""
        amount = emotion[:, EMOTION_DIMS:]
        feature = emotion[:, : self.sizes.emotion_dims] / amount.clamp(min=1e-6)
        return self.emotion.predictor(feature, neutral).flat() * amount[..., None]

    def _place(self, driving: KeyPoints, first: KeyPoints, person: Person) -> KeyPoints:
        if not self.options.relative:
            return driving
        scale: Tensor | float = 1.0
        if self.options.adapt_scale:
            scale = movement_scale(person.points.value, first.value)
        return relative_motion(person.points, driving, first, scale)

    def _spread_displacements(self) -> Tensor:
        """Which key point each displacement goes to and how much of it, [4, K] float32."""
        spread = torch.zeros(len(self.options.points), self.sizes.fomm.n_points)
        for row, (point, gain) in enumerate(
            zip(self.options.points, self.options.gains, strict=True)
        ):
            spread[row, point] = gain
        return spread.to(self.device)
