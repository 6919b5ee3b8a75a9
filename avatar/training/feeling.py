"""Trains which emotion a clip's scores mean (`models/lite/feeling.py`).

    python -m avatar.train feeling --data DIR

Portraits wear the prototypes of the emotions, weaker and stronger, are drawn and tracked like any
clip: what the tracker reads then, against the portrait at rest, is laid on what it reads on real
people who speak without emotion, and spread as much as the faces of many people differ. DIR has a
manifest, `portraits/`, `tracks/` and `talking/`; only files that may train weights that ship are
read. No acted footage is used.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from avatar.presets import PRESETS, SHAPE_NAMES, face_scores
from avatar.speech_free import without_speech
from avatar.training.recordings import allowed
from models.lite.feeling import FLOOR, score_features
from models.lite.head import LiteTalkingHead
from models.lite.portrait import LitePortrait
from models.talking_head import POSE_DIMS, FaceTrack, Motion

NAMES = tuple(PRESETS)
SIDE = 320
"""Side of the drawn portraits, px."""
LOOKS_EACH = 14
STRENGTH = (0.5, 1.6)
"""Range of how strongly a portrait wears a prototype."""
UNSEEN = ("_", "eyeLook", "jawLeft", "jawRight", "jawForward", "mouthLeft", "mouthRight")
"""Scores that say nothing about an emotion."""
UPPER_FACE = ("brow", "eye", "cheekSquint", "nose")
"""Scores that a smile leaves alone: how people differ in them shows on portraits that smile."""
LITTLE_SMILE = 0.5
"""Score of a smile up to which a portrait shows how resting mouths differ."""
LEAST_SPREAD = 0.15
"""Least difference between people in a score, logarithm."""
ROUNDS, ON_PORTRAITS, AT_REST = 10, 3, 0.15
"""How often a look is used; rounds of these that stay on its portrait; share turned to rest."""
PENALTY = 0.003

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
FACES = dict(PRESETS) | {
    name: FaceTrack(face_scores(weights)[None], np.zeros((1, 6), np.float32), literal=True)
    for name, weights in PROTOTYPES.items()
}


class Looks(NamedTuple):
    """Tracked faces that wear an emotion; N looks.

    scores: [N, 52] float32.
    emotion: [N] int64, place in NAMES.
    person: [N] int64.
    """

    scores: np.ndarray
    emotion: np.ndarray
    person: np.ndarray


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m avatar.train feeling`."""
    parser.add_argument("--data", type=Path, required=True, help="folder with a manifest")
    parser.add_argument("--run", type=Path, default=Path("runs/feeling"), help="run folder")
    parser.add_argument("--portraits", type=int, default=100, help="how many are drawn")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> None:
    """Draw and track, or reuse what the run folder has; fit, print, write the weights.

    Raises:
        ValueError: the data folder has no manifest.
    """
    from models.checkpoints import save_tensors

    head = LiteTalkingHead()
    args.run.mkdir(parents=True, exist_ok=True)
    kept = args.run / "looks.npz"
    if not kept.exists():
        looks = Looks(*map(np.array, zip(*draw_looks(head, args), strict=True)))
        np.savez(kept, **looks._asdict())
    with np.load(kept) as file:
        looks = Looks(**file)
    pairs = shape_pairs()
    resting = [score_features(pairs, scores) for scores in resting_scores(args.data)]
    spread = spread_of_people(args.data, pairs)
    rng = np.random.default_rng(args.seed)
    held_out = looks.person % 5 == 0
    trial = fit(*examples(pairs, looks, resting, spread, rng, ~held_out))
    right = accuracy(trial, *examples(pairs, looks, resting, spread, rng, held_out))
    weight, bias = fit(*examples(pairs, looks, resting, spread, rng, np.ones_like(held_out)))
    print(f"named rightly on held-out portraits: {right:.3f}")
    faces = torch.cat([head.worn_weights(PRESETS[name]) for name in NAMES])
    tensors = {"pairs": torch.from_numpy(pairs), "weight": weight, "bias": bias, "faces": faces}
    settings = {"names": NAMES, "held_out_accuracy": round(right, 3), "looks": len(looks.emotion)}
    save_tensors("feeling", tensors, settings)


def shape_pairs() -> np.ndarray:
    """The mean of both sides of every score that counts, [F, 52] float32."""
    groups: dict[str, list[int]] = {}
    for place, name in enumerate(SHAPE_NAMES):
        if not name.startswith(UNSEEN):
            groups.setdefault(_sideless(name), []).append(place)
    pairs = np.zeros((len(groups), len(SHAPE_NAMES)), np.float32)
    for row, places in zip(pairs, groups.values(), strict=True):
        row[places] = 1 / len(places)
    return pairs


def _sideless(name: str) -> str:
    return name.removesuffix("Left").removesuffix("Right")


def draw_looks(
    head: LiteTalkingHead, args: argparse.Namespace
) -> Iterator[tuple[np.ndarray, int, int]]:
    """Scores, emotion and person of faces that were drawn and tracked."""
    from tqdm import tqdm

    from avatar.portrait import read_portrait
    from avatar.tracking import open_tracker
    from avatar.training.emotion import speech_mix

    tracker, rng = open_tracker(), np.random.default_rng(args.seed)
    generator = torch.Generator().manual_seed(args.seed)
    files = [args.data / "portraits" / name for name in allowed(args.data, "portrait")]
    chosen = files[:: max(1, len(files) // args.portraits)][: args.portraits]
    for person, path in enumerate(tqdm(chosen, desc="looks")):
        face, _ = read_portrait(path.read_bytes(), SIDE, tracker)
        portrait = head.encode_portrait(face)
        speech = speech_mix(head.rig, LOOKS_EACH, generator) * torch.rand(
            LOOKS_EACH, 1, generator=generator
        )
        for k in range(LOOKS_EACH):
            emotion = k % len(NAMES)
            motion = _motion(head, portrait, NAMES[emotion], speech[k : k + 1], rng)
            found = tracker.find_faces(head.render(portrait, motion))
            if found:
                yield found[0].blendshapes, emotion, person


def _motion(
    head: LiteTalkingHead,
    portrait: LitePortrait,
    name: str,
    speech: Tensor,
    rng: np.random.Generator,
) -> Motion:
    """A portrait that speaks and wears an emotion, each of its shapes more or less."""
    from avatar.training.emotion import displacement

    worn = head.worn_weights(FACES[name])
    varied = np.exp(rng.normal(0, 0.35, worn.shape)) * (rng.random(worn.shape) > 0.15)
    strength = rng.uniform(*STRENGTH)
    weights = (worn * torch.from_numpy((strength * varied).astype(np.float32))).clamp(max=2.0)
    dx, dj = displacement(head.rig, speech)
    dx = head.contact(dx)
    with torch.no_grad():
        more_dx, more_dj = head.predictor(head.encoder(weights), dx, dj)
    pose = np.zeros((1, POSE_DIMS), np.float32)
    pose[0, :3] = rng.normal(0, (6, 6, 2))
    return Motion(portrait.x0 + dx + more_dx, portrait.j0 + dj + more_dj, torch.from_numpy(pose))


def resting_scores(data: Path) -> list[np.ndarray]:
    """Scores of real people who speak without emotion, speech taken out, [T, 52] float32 each."""
    people = []
    for name in allowed(data, "talking"):
        with np.load(data / "tracks" / f"{Path(name).stem}.npz") as track:
            scores = track["blendshapes"].astype(np.float32)
        people.append(without_speech(FaceTrack(scores, np.zeros((len(scores), 6)))).blendshapes)
    return people


def spread_of_people(data: Path, pairs: np.ndarray) -> np.ndarray:
    """How much people differ in every feature whatever they feel, [F]; from the portraits of DIR.

    Args:
        data: DIR.
        pairs: [F, 52] float32, from `shape_pairs`.
    """
    with np.load(data / "portraits" / "landmarks.npz") as file:
        scores = file["blendshapes"]
    features = score_features(pairs, scores)
    smile = scores[:, [name.startswith("mouthSmile") for name in SHAPE_NAMES]].mean(1)
    upper = [SHAPE_NAMES[row.argmax()].startswith(UPPER_FACE) for row in pairs]
    spread = np.where(upper, features.std(0), features[smile < LITTLE_SMILE].std(0))
    return np.maximum(spread, LEAST_SPREAD)


def examples(
    pairs: np.ndarray,
    looks: Looks,
    resting: list[np.ndarray],
    spread: np.ndarray,
    rng: np.random.Generator,
    chosen: np.ndarray,
) -> tuple[Tensor, Tensor]:
    """Features [M, F] and emotions [M] of looks, on their portraits and on other people.

    What differs between people is added to them, `spread` [F] in size.
    """
    features = score_features(pairs, looks.scores)
    rests = _rests(features, looks)
    change = (features - rests)[chosen]
    made, emotions = [], []
    for turn in range(ROUNDS):
        emotion = np.where(rng.random(len(change)) < AT_REST, 0, looks.emotion[chosen])
        base = rests[chosen] if turn < ON_PORTRAITS else _drawn(resting, len(change), rng)
        row = base + change * (emotion == looks.emotion[chosen])[:, None]
        row += rng.normal(0, spread, row.shape)
        made.append(np.clip(row, np.log(FLOOR), np.log(1 + FLOOR)))
        emotions.append(emotion)
    rows = torch.from_numpy(np.concatenate(made).astype(np.float32))
    return rows, torch.from_numpy(np.concatenate(emotions))


def _rests(features: np.ndarray, looks: Looks) -> np.ndarray:
    """The features of every look's own portrait at rest, [N, F]."""
    at_rest = looks.emotion == 0
    rests = {p: features[at_rest & (looks.person == p)].mean(0) for p in looks.person[at_rest]}
    mean = np.mean(list(rests.values()), axis=0)
    return np.array([rests.get(p, mean) for p in looks.person])


def _drawn(resting: list[np.ndarray], n: int, rng: np.random.Generator) -> np.ndarray:
    """Features of n resting people, every person equally often."""
    people = rng.integers(len(resting), size=n)
    return np.array([resting[p][rng.integers(len(resting[p]))] for p in people])


def fit(rows: Tensor, emotions: Tensor) -> tuple[Tensor, Tensor]:
    """Softmax regression with a penalty on standardised weights, [F, C] and [C]."""
    mean, scale = rows.mean(0), rows.std(0) + 1e-3
    standard = (rows - mean) / scale
    weight = torch.zeros(rows.shape[1], len(NAMES), requires_grad=True)
    bias = torch.zeros(len(NAMES), requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=80)

    def loss() -> float:
        optimiser.zero_grad()
        error = torch.nn.functional.cross_entropy(standard @ weight + bias, emotions)
        total = error + PENALTY * weight.square().sum()
        total.backward()
        return total.item()

    optimiser.step(loss)
    weight, bias = weight.detach() / scale[:, None], bias.detach()
    return weight, bias - mean @ weight


def accuracy(model: tuple[Tensor, Tensor], rows: Tensor, emotions: Tensor) -> float:
    """Share of rows whose emotion is named rightly."""
    weight, bias = model
    return float(((rows @ weight + bias).argmax(1) == emotions).float().mean())
