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
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from avatar.presets import PRESETS, SHAPE_NAMES
from avatar.speech_free import WINDOW_FRAMES, without_speech
from avatar.training.looks import NAMES, TYPICAL, VARIED, Looks, kept_looks
from avatar.training.recordings import allowed
from models.lite.feeling import FLOOR, score_features
from models.lite.head import LiteTalkingHead
from models.lite.measures import MEASURES, measure_faces
from models.talking_head import FaceTrack

UNSEEN = ("_", "eyeLook", "jawLeft", "jawRight", "jawForward", "mouthLeft", "mouthRight")
"""Scores that say nothing about an emotion."""
UPPER_FACE = ("brow", "eye", "cheekSquint", "nose")
"""Scores that a smile leaves alone: how people differ in them shows on portraits that smile."""
LITTLE_SMILE = 0.5
"""Score of a smile up to which a portrait shows how resting mouths differ."""
LEAST_SPREAD = 0.15
"""Least difference between people in a score, logarithm."""
MOUTH = ("opening of the lips", "width of the mouth")
"""Measures that go with a smile, and more with some smiles than with others."""
ROUNDS, ON_PORTRAITS, AT_REST = 10, 3, 0.15
"""How often a look is used; rounds of these that stay on its portrait; share turned to rest."""
PENALTY = 0.003


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
    files = [args.data / "portraits" / name for name in allowed(args.data, "portrait")]
    portraits = files[:: max(1, len(files) // args.portraits)][: args.portraits]
    typical = kept_looks(args.run / "typical.npz", head, portraits, TYPICAL, args.seed)
    varied = kept_looks(args.run / "varied.npz", head, portraits, VARIED, args.seed + 1)
    pairs = shape_pairs()
    weight, bias, right = fit_reading(read_scores(args.data, typical, pairs), args.seed)
    print(f"scores: named rightly on held-out portraits: {right:.3f}")
    measured = read_measures(args.data, varied, head.rig.mesh.numpy())
    measure_weight, measure_bias, measured_right = fit_reading(measured, args.seed)
    print(f"measures: named rightly on held-out portraits: {measured_right:.3f}")
    tensors = {
        "pairs": torch.from_numpy(pairs),
        "weight": weight,
        "bias": bias,
        "measure_weight": measure_weight,
        "measure_bias": measure_bias,
        "faces": torch.cat([head.worn_weights(PRESETS[name]) for name in NAMES]),
    }
    settings = {
        "names": NAMES,
        "held_out_accuracy": {"scores": round(right, 3), "measures": round(measured_right, 3)},
        "looks": [len(typical.emotion), len(varied.emotion)],
    }
    save_tensors("feeling", tensors, settings)


class Reading(NamedTuple):
    """What is read in the faces of N looks and of people at rest; F features.

    features: [N, F] of the looks.
    looks: which emotion and whose face.
    resting: [T, F] of each of some real people who speak without emotion.
    differences: how n people differ whatever they feel, [n, F], drawn by a generator.
    bounds: of every feature.
    """

    features: np.ndarray
    looks: Looks
    resting: list[np.ndarray]
    differences: Callable[[np.random.Generator, int], np.ndarray]
    bounds: tuple[float, float]


def read_scores(data: Path, looks: Looks, pairs: np.ndarray) -> Reading:
    """The tracker's scores: every one differs between people by itself."""
    spread = spread_of_people(data, pairs)
    return Reading(
        features=score_features(pairs, looks.scores),
        looks=looks,
        resting=[score_features(pairs, scores) for scores in resting_scores(data)],
        differences=lambda rng, n: rng.normal(0, spread, (n, len(spread))),
        bounds=(np.log(FLOOR), np.log(1 + FLOOR)),
    )


def read_measures(data: Path, looks: Looks, mesh: np.ndarray) -> Reading:
    """Measures of the mesh: what differs between people is drawn whole from the portraits.

    Args:
        data: DIR.
        looks: faces that wear an emotion.
        mesh: [468, 3] float32, the generic face.
    """
    people = portrait_differences(data, mesh)
    return Reading(
        features=looks.measures,
        looks=looks,
        resting=resting_measures(data, mesh),
        differences=lambda rng, n: people[rng.integers(len(people), size=n)],
        bounds=(-np.inf, np.inf),
    )


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


def resting_measures(data: Path, mesh: np.ndarray) -> list[np.ndarray]:
    """Measures of the same people, medians over a second, [T, M] float32 each."""
    from scipy.ndimage import median_filter

    people = []
    for name in allowed(data, "talking"):
        with np.load(data / "tracks" / f"{Path(name).stem}.npz") as track:
            measures = measure_faces(track["landmarks"], mesh)
        window = (min(WINDOW_FRAMES, len(measures)), 1)
        people.append(median_filter(measures, size=window, mode="mirror"))
    return people


def portrait_differences(data: Path, mesh: np.ndarray) -> np.ndarray:
    """How the portraits of DIR differ in every measure but for their smiles, [P, M].

    What goes with the smile, the opening and the width of the mouth is taken out by least squares.
    """
    with np.load(data / "portraits" / "landmarks.npz") as file:
        scores, measures = file["blendshapes"], measure_faces(file["landmarks"], mesh)
    smile = scores[:, [name.startswith("mouthSmile") for name in SHAPE_NAMES]].mean(1)
    mouth = [tuple(MEASURES).index(name) for name in MOUTH]
    known = np.column_stack([np.ones_like(smile), smile, smile**2, measures[:, mouth]])
    return measures - known @ np.linalg.lstsq(known, measures, rcond=None)[0]


def fit_reading(reading: Reading, seed: int) -> tuple[Tensor, Tensor, float]:
    """Softmax regression on a reading: [F, C], [C], share named rightly on held-out portraits."""
    rng = np.random.default_rng(seed)
    held_out = reading.looks.person % 5 == 0
    trial = fit(*examples(reading, rng, ~held_out))
    right = accuracy(trial, *examples(reading, rng, held_out))
    return *fit(*examples(reading, rng, np.ones_like(held_out))), right


def examples(
    reading: Reading, rng: np.random.Generator, chosen: np.ndarray
) -> tuple[Tensor, Tensor]:
    """Features [M, F] and emotions [M] of looks, on their portraits and on other people.

    What differs between people is added to them.
    """
    looks = reading.looks
    rests = _rests(reading.features, looks)
    change = (reading.features - rests)[chosen]
    made, emotions = [], []
    for turn in range(ROUNDS):
        emotion = np.where(rng.random(len(change)) < AT_REST, 0, looks.emotion[chosen])
        at_home = turn < ON_PORTRAITS
        base = rests[chosen] if at_home else _drawn(reading.resting, len(change), rng)
        row = base + change * (emotion == looks.emotion[chosen])[:, None]
        row += reading.differences(rng, len(row))
        made.append(np.clip(row, *reading.bounds))
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
