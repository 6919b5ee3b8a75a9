"""Training examples of EAMM, drawn from prepared clips; arrays without a batch dimension."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from avatar.training import eamm_augment as augment
from avatar.training.eamm_clips import EMOTIONS, Clip
from models.eamm.one_euro import TRAINING_POSE_FILTER

N_PICTURES = 16
"""Length of a training sequence."""
FIRST = 3
"""Earlier pictures are not used: their windows reach before the clip."""
Example = dict[str, np.ndarray]


def draw_pair(clips: Sequence[Clip], random: np.random.Generator) -> Example:
    """Two pictures of one clip: `source` and `driving`, [3, S, S] float32 0..1 RGB."""
    clip = _pick(clips, random)
    pair = clip.pictures(random.integers(0, clip.n_pictures, 2))
    pair = augment.jitter_colour(augment.flip(pair, random), random)
    source, driving = to_network(pair)
    return {"source": source, "driving": driving}


def draw_talk(clips: Sequence[Clip], random: np.random.Generator) -> Example:
    """A sequence after its own first picture.

    Returns:
        `example` [3, S, S] and `driving` [16, 3, S, S] float32 0..1 RGB, `windows` [16, 28, 12],
        `pose` [16, 6] float32.
    """
    clip, start = _stretch(clips, random)
    numbers = np.arange(start, start + N_PICTURES + 1)
    pictures = to_network(augment.jitter_colour(clip.pictures(numbers), random))
    return {
        "example": pictures[0],
        "driving": pictures[1:],
        "windows": clip.windows()[numbers[1:]].astype(np.float32),
        "pose": clip.pose()[numbers[1:]].astype(np.float32),
    }


def draw_emotional_talk(clips: Sequence[Clip], random: np.random.Generator) -> Example:
    """As `draw_talk`, with a neutral picture of the same person as `example`.

    Returns:
        Also `transformed` [16, 3, S, S], what the emotion extractor sees, and `emotion` [] int64.
    """
    clip, start = _stretch(clips, random)
    numbers = np.arange(start + 1, start + N_PICTURES + 1)
    neutral = _neutral_of(clips, clip.person, random)
    pictures = clip.pictures(numbers)
    (example,) = neutral.pictures([int(random.integers(neutral.n_pictures))])
    return {
        "example": to_network(example[None])[0],
        "driving": to_network(pictures),
        "transformed": to_network(augment.emotional(pictures, random)),
        "windows": clip.windows()[numbers].astype(np.float32),
        "pose": smooth_pose(clip.pose())[numbers],
        "emotion": np.array(clip.emotion),
    }


def to_network(pictures: np.ndarray) -> np.ndarray:
    """[n, S, S, 3] uint8 -> [n, 3, S, S] float32 0..1."""
    return np.ascontiguousarray(pictures.transpose(0, 3, 1, 2), np.float32) / 255


def smooth_pose(pose: np.ndarray) -> np.ndarray:
    """A clip's pose after the One-Euro filter of the training, [N, 6] float32."""
    rows = torch.from_numpy(pose.astype(np.float32))[:, None]
    state, smooth = TRAINING_POSE_FILTER.init_state(rows[0]), []
    for row in rows:
        value, state = TRAINING_POSE_FILTER.step(row, state)
        smooth.append(value[0])
    return torch.stack(smooth).numpy()


def _pick(clips: Sequence[Clip], random: np.random.Generator) -> Clip:
    return clips[int(random.integers(len(clips)))]


def _stretch(clips: Sequence[Clip], random: np.random.Generator) -> tuple[Clip, int]:
    """A clip that is long enough, and where a sequence in it starts."""
    long = [clip for clip in clips if clip.n_pictures >= FIRST + N_PICTURES + 1]
    if not long:
        raise ValueError(f"no clip has {FIRST + N_PICTURES + 1} pictures")
    clip = _pick(long, random)
    return clip, int(random.integers(FIRST, clip.n_pictures - N_PICTURES))


def _neutral_of(clips: Sequence[Clip], person: str, random: np.random.Generator) -> Clip:
    neutral = EMOTIONS.index("neutral")
    own = [clip for clip in clips if clip.person == person]
    return _pick([clip for clip in own if clip.emotion == neutral] or own, random)
