"""The contract of a talking head: what engine, server, renderer and evaluation know of a model.

Time is counted in steps: one step is `samples_per_frame` samples of sound and one picture. A model
never sees a file, a clock or a socket; everything about one caller is in the state it hands back.
Read next: `models/lite/head.py` (the default model), `avatar/engine.py` (who calls this).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from torch import Tensor

POSE_DIMS = 9
"""yaw, pitch, roll (degrees; yaw > 0 turns the nose to image right, pitch > 0 nods down, roll > 0
lifts the image-right eye), tx, ty, tz (inter-ocular distances: image right, image down, towards the
camera), blink (0 open .. 1 closed), gaze_x, gaze_y (-1 .. 1, image right, image down)."""

EMOTION_DIMS = 512
"""Size of one emotion feature f_e."""


class FaceImage(NamedTuple):
    """A portrait that the tracker has looked at, cropped to the output size.

    image: [S, S, 3] uint8 RGB.
    landmarks: [478, 3] float32, MediaPipe face mesh in px of `image`; z in the scale of x,
        smaller when nearer.
    blendshapes: [52] float32 0..1, MediaPipe's ARKit-style scores (index 0 is `_neutral`).
    matte: [S, S] uint8, 255 where the person is, 0 where the background is.
    background: [S, S, 3] uint8 RGB, the picture without the person.
    keep_smile: whether the face at rest keeps the expression of the portrait, lips closed.
    """

    image: np.ndarray
    landmarks: np.ndarray
    blendshapes: np.ndarray
    matte: np.ndarray
    background: np.ndarray
    keep_smile: bool = False


class FaceTrack(NamedTuple):
    """The face of a clip over time, at 25 frames a second; a still is a track of one row.

    blendshapes: [T, 52] float32 0..1, MediaPipe's ARKit-style scores (index 0 is `_neutral`).
    pose: [T, 6] float32, the first six entries of POSE_DIMS, relative to the camera.
    pictures: [T, H, W, 3] uint8 RGB, for models that look at pixels; None for a preset.
    landmarks: [T, 478, 3] float32, face mesh in px of the clip's pictures; None for a preset.
    name: of the emotion, as the user calls it; empty when there is none.
    literal: whether the scores are meant as they are; else they are read as a hint of an emotion.
    """

    blendshapes: np.ndarray
    pose: np.ndarray
    pictures: np.ndarray | None = None
    landmarks: np.ndarray | None = None
    name: str = ""
    literal: bool = False


class Motion(NamedTuple):
    """What moves the picture in one step.

    x: [B, K, 2] float32, key points.
    jacobian: [B, K, 2, 2] float32, the local linear motion around each key point.
    pose: [B, POSE_DIMS] float32, for models that pose the head apart from the key points.
    """

    x: Tensor
    jacobian: Tensor
    pose: Tensor


Portrait = TypeVar("Portrait")
State = TypeVar("State")


class TalkingHead(ABC, Generic[Portrait, State]):
    """A model that turns sound, pose and emotion into pictures of one person, step by step."""

    sample_rate: int = 16000
    frame_rate: int = 25
    lookahead_ms: int
    """How far past a picture's own start (40 ms * k) the sound is that can still change it."""
    first_coefficient: int = 0
    """Number of the first of the twelve MFCC that it hears: 0, the log energy, or 1."""
    name: str
    sees_pixels: bool = False
    """Whether `encode_emotion` needs the pictures of a clip; such a model cannot wear presets."""
    emotion_dims: int = EMOTION_DIMS
    """Size of one row of `encode_emotion`; a weighted sum of rows is what `step` takes."""

    @property
    def samples_per_frame(self) -> int:
        """Samples of sound in one step."""
        samples, rest = divmod(self.sample_rate, self.frame_rate)
        assert rest == 0, "a step must be a whole number of samples"
        return samples

    def notices(self) -> list[str]:
        """What the user should know of the model on this machine, one line each."""
        return []

    @abstractmethod
    def encode_portrait(self, face: FaceImage) -> Portrait:
        """Everything about a portrait that does not change from picture to picture."""

    @abstractmethod
    def encode_emotion(self, track: FaceTrack) -> Tensor:
        """The emotion features of a clip, [T, EMOTION_DIMS] float32, one row per track row."""

    @abstractmethod
    def init_state(self, batch: int = 1) -> State:
        """The memory of `batch` callers that have said nothing yet."""

    @abstractmethod
    def step(
        self,
        audio_features: Tensor,
        pose: Tensor,
        emotion: Tensor,
        portrait: Portrait,
        state: State,
    ) -> tuple[Motion, State]:
        """One step of motion.

        Args:
            audio_features: [B, 28, 12] float32, the MFCC window of this step.
            pose: [B, POSE_DIMS] float32.
            emotion: [B, EMOTION_DIMS] float32, a feature or a weighted sum of features.
            portrait: from `encode_portrait`.
            state: from `init_state` or the previous `step`; left unchanged.
        """

    @abstractmethod
    def render(self, portrait: Portrait, motion: Motion) -> np.ndarray:
        """The picture of a motion of batch 1, [S, S, 3] uint8 RGB."""

    def forward(
        self, audio_features: Tensor, pose: Tensor, emotion: Tensor, portrait: Portrait
    ) -> list[Motion]:
        """A whole clip: `step` from a fresh state over [B, T, ...] inputs, T motions."""
        state: Any = self.init_state(audio_features.shape[0])
        motions = []
        for t in range(audio_features.shape[1]):
            motion, state = self.step(
                audio_features[:, t], pose[:, t], emotion[:, t], portrait, state
            )
            motions.append(motion)
        return motions
