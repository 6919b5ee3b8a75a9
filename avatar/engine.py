"""The engine: what callers share (`Avatar`) and one caller's face (`AvatarStream`).

One step takes the sound's features and gives a picture: pose and emotion of this step -> the
model's key points -> the portrait, moved. Everything heavy happened before: the weights, the
portrait's encoding and the emotions' features are made once. Read next: `models/talking_head.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from avatar.camera_pose import CameraPose, FollowedFace
from avatar.clip_track import track_clip
from avatar.emotion import read_emotion
from avatar.emotion_blend import NEUTRAL, EmotionBlend, check_number
from avatar.emotion_pixels import read_emotion_pixels
from avatar.ping_pong import PingPong
from avatar.portrait import read_portrait
from avatar.pose import EasedPose, PoseSource, is_pose_name, open_pose
from avatar.presets import PRESETS
from avatar.tracking import FaceTracker, open_tracker
from models.registry import open_model
from models.talking_head import FaceTrack, Motion, TalkingHead

DEFAULT_EASE_MS = 300
MAX_EASE_MS = 10_000
CAMERA = "camera"
LIVELY_MOTION = 0.005
"""Mean motion of the key points per step, in their own units, of lively speech."""


class Avatar:
    """Weights, portrait and emotions: shared by all callers, never changed by one."""

    def __init__(
        self,
        model: TalkingHead,
        tracker: FaceTracker,
        portrait: Path | None,
        size: int,
        keep_smile: bool = False,
    ) -> None:
        """An avatar that can be neutral; `load` adds the rest."""
        self.model, self.size, self.keep_smile = model, size, keep_smile
        self.lookahead_ms = model.lookahead_ms
        self.first_coefficient = model.first_coefficient
        self.tracker = tracker
        face, notices = read_portrait(portrait, size, tracker)
        self.notices = [*notices, *model.notices()]
        self.portrait = model.encode_portrait(face._replace(keep_smile=keep_smile))
        self.emotions: dict[str, Tensor] = {NEUTRAL: torch.zeros(1, model.emotion_dims)}
        self.first_emotion = NEUTRAL
        self.pose_clip: FaceTrack | None = None
        self.first_pose = "idle"

    @classmethod
    def load(
        cls,
        *,
        model: str = "lite",
        weights: Path | None = None,
        device: str = "auto",
        tracker: str = "mediapipe",
        portrait: Path | None = None,
        size: int = 512,
        keep_smile: bool = False,
        emotions: Sequence[str] = (),
        pose: str = "idle",
    ) -> Avatar:
        """Load and encode everything; takes seconds.

        Args:
            model: `lite` or `eamm`.
            weights: folder of weights other than the shipped ones.
            device: `auto`, `cpu` or `cuda`.
            tracker: `mediapipe` or `face-alignment`.
            portrait: an image file; None for the demonstration portrait.
            size: side of the picture, px.
            keep_smile: let portraits keep their own expression where `neutral` takes it off.
            emotions: specs as `--emotion` takes them; the first is worn from the start. Presets
                that no spec names are there as well.
            pose: `idle`, `none` or a video.

        Raises:
            ValueError: one line for the user: an unusable file, an unknown name, missing weights.
        """
        finder = open_tracker(tracker)
        avatar = cls(open_model(model, weights, device), finder, portrait, size, keep_smile)
        read = read_emotion_pixels if avatar.model.sees_pixels else read_emotion
        given = dict(read(spec, finder) for spec in emotions)
        presets = {} if avatar.model.sees_pixels else PRESETS
        for name, track in {**presets, **given}.items():
            avatar.emotions[name] = avatar.model.encode_emotion(track)
        avatar.first_emotion = next(iter(given), NEUTRAL)
        avatar._set_first_pose(pose)
        return avatar

    def _set_first_pose(self, pose: str) -> None:
        if not is_pose_name(pose):
            self.pose_clip = track_clip(Path(pose), self.tracker)
        self.first_pose = pose if self.pose_clip is None else "clip"

    @property
    def poses(self) -> list[str]:
        """Names that `{"type": "pose"}` takes."""
        return ["idle", "none", CAMERA] + (["clip"] if self.pose_clip is not None else [])

    def open_stream(self, seed: int | None = None) -> AvatarStream:
        """A new caller's face; the same seed gives the same idle motion."""
        return AvatarStream(self, seed)

    def encode_portrait(self, data: bytes) -> Any:
        """Encode an image file for `AvatarStream.set_portrait`.

        Raises:
            ValueError: one line for the user when no usable face can be read.
        """
        face, _ = read_portrait(data, self.size, self.tracker)
        return self.model.encode_portrait(face._replace(keep_smile=self.keep_smile))

    def describe(self) -> dict[str, Any]:
        """The model, size, emotion names, pose names and first settings, as JSON values."""
        return {
            "model": self.model.name,
            "size": self.size,
            "lookahead_ms": self.lookahead_ms,
            "emotions": list(self.emotions),
            "poses": self.poses,
            "notices": self.notices,
            "settings": AvatarStream(self, seed=0).settings(),
        }

    def warm_up(self) -> None:
        """Run a few steps, so that the first caller does not wait for compilers."""
        stream = self.open_stream(seed=0)
        for _ in range(3):
            stream.step(np.zeros((28, 12), np.float32))


class AvatarStream:
    """One caller's face: the model's state, the head's motion, the emotions worn now."""

    def __init__(self, avatar: Avatar, seed: int | None = None) -> None:
        """A face that has said nothing yet."""
        self._avatar, self._model, self._portrait = avatar, avatar.model, avatar.portrait
        self._seed = seed
        self._state = avatar.model.init_state()
        self._pose_name = avatar.first_pose
        self._pose = EasedPose(open_pose(avatar.first_pose, seed, avatar.pose_clip))
        self._camera: CameraPose | None = None
        self._eyes: FollowedFace | None = None
        self._points: Tensor | None = None
        self._energy = 0.0
        self._blend = EmotionBlend(tuple(avatar.emotions), avatar.first_emotion)
        self._places = {name: PingPong(len(f)) for name, f in avatar.emotions.items()}

    def step(self, features: np.ndarray, render: bool = True) -> np.ndarray | None:
        """Advance by one step of 40 ms.

        Args:
            features: [28, 12] float32, the MFCC window of this step.
            render: False to advance without drawing.

        Returns:
            [S, S, 3] uint8 RGB, or None without `render`.
        """
        sound = torch.from_numpy(np.ascontiguousarray(features, np.float32))[None]
        pose = torch.from_numpy(self._pose.step(self._energy))[None]
        motion, self._state = self._model.step(
            sound, pose, self._emotion()[None], self._portrait, self._state
        )
        self._listen(motion)
        return self._model.render(self._portrait, motion) if render else None

    def set_portrait(self, encoded: Any) -> None:
        """Show another portrait, from `Avatar.encode_portrait`, from the next step on."""
        self._portrait = encoded

    @property
    def wants_camera(self) -> bool:
        """Whether the head follows the caller's camera."""
        return self._camera is not None

    def look(self, picture: np.ndarray) -> bool:
        """See the caller; of the picture nothing but the pose of the head is kept.

        Args:
            picture: [H, W, 3] uint8 RGB.

        Returns:
            Whether there is a face in it.

        Raises:
            TrackerUnavailable: the tracker cannot run here.
        """
        self._eyes = self._eyes or FollowedFace(self._avatar.tracker)
        face, camera = self._eyes.look(picture), self._camera
        if face is not None and camera is not None:
            camera.observe(face.pose)
        return face is not None

    def stop_looking(self) -> None:
        """Let go of the tracker; called from the thread of `look`."""
        if self._eyes is not None:
            self._eyes.close()
        self._eyes = None

    def control(self, message: dict[str, Any]) -> dict[str, Any]:
        """Apply one control message (docs/wire.md) from the next step on and return the settings.

        Raises:
            ValueError: one line for the user when the message is not valid; nothing changes then.
        """
        kinds = {
            "emotion": self._control_emotion,
            "strength": self._control_strength,
            "pose": self._control_pose,
        }
        kind = message.get("type")
        if not isinstance(kind, str) or kind not in kinds:
            raise ValueError(f"unknown message type {kind!r}: choose {', '.join(kinds)}")
        kinds[kind](message)
        return self.settings()

    def settings(self) -> dict[str, Any]:
        """What the face is set to, JSON values."""
        return {
            "emotion": self._blend.weights,
            "strength": self._blend.strength,
            "pose": self._pose_name,
        }

    def _listen(self, motion: Motion) -> None:
        """How lively the face spoke in this step, 0 .. 1; the head nods along in the next one."""
        moved = 0.0 if self._points is None else float((motion.x - self._points).abs().mean())
        self._points, self._energy = motion.x, min(moved / LIVELY_MOTION, 1.0)

    def _emotion(self) -> Tensor:
        """The feature of this step, [emotion_dims] float32: the weighted sum of what is worn."""
        places = {name: place.step() for name, place in self._places.items()}
        feature = torch.zeros(self._model.emotion_dims)
        for name, weight in self._blend.step().items():
            feature = feature + weight * self._avatar.emotions[name][places[name]]
        return feature

    def _control_emotion(self, message: dict[str, Any]) -> None:
        weights = {message["name"]: 1.0} if "name" in message else message.get("weights")
        if not isinstance(weights, dict):
            raise ValueError(f"emotion needs a name or weights, got {weights!r}")
        self._blend.set(weights, self._ease_steps(message))

    def _ease_steps(self, message: dict[str, Any]) -> int:
        ease_ms = check_number("ease_ms", message.get("ease_ms", DEFAULT_EASE_MS), MAX_EASE_MS)
        return round(ease_ms * self._model.frame_rate / 1000)

    def _control_strength(self, message: dict[str, Any]) -> None:
        self._blend.set_strength(message.get("value"), self._ease_steps(message))

    def _control_pose(self, message: dict[str, Any]) -> None:
        name = message.get("source")
        if name not in self._avatar.poses:
            raise ValueError(f"unknown pose {name!r}: choose {', '.join(self._avatar.poses)}")
        self._pose.switch(self._open_pose(name))
        self._pose_name = name

    def _open_pose(self, name: str) -> PoseSource:
        self._camera = CameraPose(self._seed) if name == CAMERA else None
        return self._camera or open_pose(name, self._seed, self._avatar.pose_clip)
