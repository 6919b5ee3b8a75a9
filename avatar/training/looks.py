"""Faces that wear an emotion: portraits are drawn with the prototypes of emotions, and tracked.

What the recogniser of emotions (`avatar/training/feeling.py`) learns from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from avatar.presets import PRESETS, face_scores
from models.lite.head import LiteTalkingHead
from models.lite.lips import LipContact
from models.lite.measures import measure_faces
from models.lite.portrait import LitePortrait
from models.talking_head import POSE_DIMS, FaceTrack, Motion

NAMES = tuple(PRESETS)
SIDE = 320
"""Side of the drawn portraits, px."""
LOOKS_EACH = 14
STRENGTH = (0.5, 1.6)
"""Range of how strongly a portrait wears a prototype."""

# fmt: off
PROTOTYPES: dict[str, dict[str, float]] = {
    "sad": {  # AU 1 + 4 + 15 + 17
        "browInnerUp": 0.63, "browDown": 0.41, "mouthFrown": 0.57, "mouthShrugLower": 0.28,
        "mouthStretch": 0.06, "eyeBlink": 0.19,
    },
    "angry": {  # AU 4 + 5 + 9 + 10 + 22 + 25
        "browDown": 0.74, "browOuterUp": 0.09, "eyeWide": 0.17, "noseSneer": 0.26,
        "mouthUpperUp": 0.37, "mouthLowerDown": 0.37, "mouthFunnel": 0.17, "mouthFrown": 0.46,
        "jawOpen": 0.07,
    },
    "fear": {  # AU 1 + 2 + 4 + 5 + 20 + 25
        "browInnerUp": 0.63, "browOuterUp": 0.07, "browDown": 0.45, "eyeWide": 0.70,
        "mouthStretch": 0.15, "mouthLowerDown": 0.45, "mouthFunnel": 0.05, "mouthFrown": 0.33,
        "jawOpen": 0.08,
    },
    "disgusted": {  # AU 4 + 7 + 9 + 10 + 17
        "noseSneer": 0.50, "mouthUpperUp": 0.51, "browDown": 0.48, "eyeSquint": 0.51,
        "cheekSquint": 0.13, "mouthFrown": 0.40, "mouthShrugLower": 0.25,
    },
}
# fmt: on
"""What people show where it differs from the presets: these faces are nearer to the tables of the
Facial Action Coding System, the presets are what is best told on a portrait."""
# fmt: off
VARIANTS: dict[str, tuple[dict[str, float], ...]] = {
    "happy": ({"mouthSmile": 0.70, "mouthDimple": 0.20, "cheekSquint": 0.25},),  # AU 6 + 12
    "sad": (
        {"browInnerUp": 0.60, "mouthFrown": 0.35, "eyeBlink": 0.20},  # AU 1 + 15
        {  # AU 1 + 4 + 6 + 7 + 15 + 20 + 25, weeping
            "browInnerUp": 0.45, "browDown": 0.50, "eyeSquint": 0.60, "cheekSquint": 0.40,
            "mouthFrown": 0.55, "mouthStretch": 0.25, "mouthLowerDown": 0.15, "jawOpen": 0.06,
        },
    ),
    "angry": (
        {  # AU 4 + 7 + 15 + 24, lips pressed
            "browDown": 0.80, "eyeSquint": 0.40, "mouthPress": 0.50, "mouthRollLower": 0.20,
            "noseSneer": 0.20, "mouthFrown": 0.20,
        },
        {  # AU 4 + 5 + 10 + 22 + 26, shouting
            "browDown": 0.75, "eyeWide": 0.25, "jawOpen": 0.15, "mouthFunnel": 0.30,
            "mouthLowerDown": 0.40, "mouthUpperUp": 0.25,
        },
    ),
    "surprised": (
        {"browInnerUp": 0.70, "browOuterUp": 0.70, "eyeWide": 0.60, "jawOpen": 0.25},
        {"browInnerUp": 0.50, "browOuterUp": 0.60, "eyeWide": 0.50},
    ),
    "fear": (
        {  # AU 1 + 2 + 4 + 5 + 20
            "browInnerUp": 0.60, "browOuterUp": 0.25, "browDown": 0.20, "eyeWide": 0.60,
            "mouthStretch": 0.40,
        },
        {  # AU 1 + 4 + 5 + 20 + 25 + 26
            "browInnerUp": 0.60, "browDown": 0.30, "eyeWide": 0.70, "mouthStretch": 0.30,
            "mouthLowerDown": 0.40, "jawOpen": 0.15,
        },
    ),
    "disgusted": (
        {  # AU 4 + 6 + 7 + 9 + 10 + 16 + 20 + 26
            "noseSneer": 0.65, "browDown": 0.50, "mouthUpperUp": 0.45, "mouthLowerDown": 0.40,
            "jawOpen": 0.10, "mouthStretch": 0.20, "cheekSquint": 0.30, "eyeSquint": 0.40,
        },
        {  # AU 7 + 10 + 15 + 17
            "mouthUpperUp": 0.60, "mouthShrugLower": 0.50, "noseSneer": 0.35, "eyeSquint": 0.35,
            "mouthFrown": 0.30,
        },
    ),
}
# fmt: on
"""Further ways to show an emotion, mouths closed and open among them."""


def _worn(weights: dict[str, float]) -> FaceTrack:
    return FaceTrack(face_scores(weights)[None], np.zeros((1, 6), np.float32), literal=True)


TYPICAL: dict[str, tuple[FaceTrack, ...]] = {
    name: (_worn(PROTOTYPES[name]) if name in PROTOTYPES else preset,)
    for name, preset in PRESETS.items()
}
"""One face of each emotion."""
VARIED: dict[str, tuple[FaceTrack, ...]] = {
    name: (
        preset,
        *(TYPICAL[name] if name in PROTOTYPES else ()),
        *(_worn(weights) for weights in VARIANTS.get(name, ())),
    )
    for name, preset in PRESETS.items()
}
"""All of them."""


class Looks(NamedTuple):
    """Tracked faces that wear an emotion; N looks.

    scores: [N, 52] float32.
    measures: [N, M] float32, from `models/lite/measures.py`.
    emotion: [N] int64, place in NAMES.
    person: [N] int64.
    """

    scores: np.ndarray
    measures: np.ndarray
    emotion: np.ndarray
    person: np.ndarray


def kept_looks(
    kept: Path,
    head: LiteTalkingHead,
    portraits: Sequence[Path],
    faces: Mapping[str, Sequence[FaceTrack]],
    seed: int,
) -> Looks:
    """Draw and track, or read what was drawn before.

    Args:
        kept: the npz that keeps the looks.
        head: who draws.
        portraits: image files, one person each.
        faces: what is worn, by emotion; one of them is drawn each time.
        seed: of all that is varied.
    """
    if not kept.exists():
        looks = Looks(*map(np.array, zip(*_drawn(head, portraits, faces, seed), strict=True)))
        np.savez(kept, **looks._asdict())
    with np.load(kept) as file:
        return Looks(**file)


def _drawn(
    head: LiteTalkingHead,
    portraits: Sequence[Path],
    faces: Mapping[str, Sequence[FaceTrack]],
    seed: int,
) -> Iterator[tuple[np.ndarray, np.ndarray, int, int]]:
    """Scores, measures, emotion and person of faces that were drawn and tracked."""
    from tqdm import tqdm

    from avatar.portrait import read_portrait
    from avatar.tracking import open_tracker
    from avatar.training.emotion import speech_mix

    tracker, rng = open_tracker(), np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    mesh = head.rig.mesh.numpy()
    for person, path in enumerate(tqdm(portraits, desc="looks")):
        face, _ = read_portrait(path.read_bytes(), SIDE, tracker)
        portrait = head.encode_portrait(face)
        speech = speech_mix(head.rig, LOOKS_EACH, generator) * torch.rand(
            LOOKS_EACH, 1, generator=generator
        )
        for k in range(LOOKS_EACH):
            emotion = k % len(NAMES)
            choice = faces[NAMES[emotion]]
            worn = choice[int(rng.integers(len(choice)))] if len(choice) > 1 else choice[0]
            motion = _motion(head, portrait, worn, speech[k : k + 1], rng)
            found = tracker.find_faces(head.render(portrait, motion))
            if found:
                measures = measure_faces(found[0].landmarks[None], mesh)[0]
                yield found[0].blendshapes, measures, emotion, person


def _motion(
    head: LiteTalkingHead,
    portrait: LitePortrait,
    face: FaceTrack,
    speech: Tensor,
    rng: np.random.Generator,
) -> Motion:
    """A portrait that speaks and wears an emotion, each of its shapes more or less."""
    from avatar.training.emotion import displacement

    worn = head.worn_weights(face)
    varied = np.exp(rng.normal(0, 0.35, worn.shape)) * (rng.random(worn.shape) > 0.15)
    strength = rng.uniform(*STRENGTH)
    weights = (worn * torch.from_numpy((strength * varied).astype(np.float32))).clamp(max=2.0)
    contact = LipContact(head.rig, ([name] for name in head.rig.shape_names))
    dx, dj = displacement(head.rig, contact(speech, torch.zeros(len(speech))))
    with torch.no_grad():
        more_dx, more_dj = head.predictor(head.encoder(weights), dx, dj)
    pose = np.zeros((1, POSE_DIMS), np.float32)
    pose[0, :3] = rng.normal(0, (6, 6, 2))
    return Motion(portrait.x0 + dx + more_dx, portrait.j0 + dj + more_dj, torch.from_numpy(pose))
