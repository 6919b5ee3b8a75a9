"""Makes a small training set for EAMM without any footage: portraits that model `lite` moves.

    python -m avatar.train eamm-synthetic --out DIR

Every person says random sounds with every emotion while the head turns. Without `--portraits` the
persons are one public-domain portrait in other colours, which is enough to see that a stage learns.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from avatar.training.eamm_clips import is_written, write_clip
from avatar.training.eamm_features import DEPTH, mfcc_windows
from avatar.training.eamm_voice import EMOTIONAL_FACES, speak

if TYPE_CHECKING:
    from models.lite.portrait import LitePortrait
    from models.talking_head import FaceImage

RENDER_SIZE = 256
SWING_DEG = (8.0, 5.0, 3.0)
"""How far the head turns: yaw, pitch, roll."""


class Actor(NamedTuple):
    """A portrait that can be moved: model `lite`'s encoding, and how it is laid on the template.

    alignment: [2, 3], px of the rendered picture to px of the training picture.
    own_pose: [6], its pose as E_p reads it.
    """

    name: str
    portrait: LitePortrait
    alignment: np.ndarray
    own_pose: np.ndarray


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m avatar.train eamm-synthetic`."""
    parser.add_argument("--out", type=Path, required=True, help="folder of prepared clips")
    parser.add_argument("--portraits", type=Path, nargs="*", default=[], help="image files")
    parser.add_argument("--persons", type=int, default=3, help="without --portraits")
    parser.add_argument("--clips", type=int, default=3, help="per person and emotion")
    parser.add_argument("--pictures", type=int, default=50, help="per clip")
    parser.add_argument("--image-size", type=int, default=64, help="side of the pictures, px")
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> None:
    """Render all clips that are not there yet."""
    from tqdm import tqdm

    actors = open_actors(args.portraits, args.persons, args.image_size)
    emotions = list(EMOTIONAL_FACES)
    todo = [
        (actor, emotion, i)
        for actor in actors
        for emotion in emotions
        for i in range(args.clips)
        if not is_written(args.out, actor.name, f"{emotion}_{i:03d}")
    ]
    for actor, emotion, i in tqdm(todo, unit=" clips"):
        seeds = (args.seed, actors.index(actor), emotions.index(emotion), i)
        random = np.random.default_rng(seeds)
        make_clip(args.out, actor, emotion, i, args.pictures, args.image_size, random)


def open_actors(files: Sequence[Path], n: int, size: int) -> list[Actor]:
    """Actors from portraits, or n of them from the demonstration portrait.

    Raises:
        ValueError: a portrait cannot be used.
    """
    from avatar.portrait import read_portrait
    from avatar.tracking import open_tracker

    tracker = open_tracker()
    if files:
        faces = [read_portrait(path, RENDER_SIZE, tracker)[0] for path in files]
    else:
        face, _ = read_portrait(None, RENDER_SIZE, tracker)
        faces = [recolour(face, np.random.default_rng(i)) for i in range(n)]
    return [open_actor(f"person{i:03d}", face, size) for i, face in enumerate(faces)]


def recolour(face: FaceImage, random: np.random.Generator) -> FaceImage:
    """The portrait with other strengths of red, green and blue."""
    gains = random.uniform(0.6, 1.2, 3)

    def painted(image: np.ndarray) -> np.ndarray:
        return np.clip(image * gains, 0, 255).astype(np.uint8)

    return face._replace(image=painted(face.image), background=painted(face.background))


def open_actor(name: str, face: FaceImage, size: int) -> Actor:
    """Encode a portrait for model `lite` and align it for EAMM."""
    from models.eamm.alignment import to_68, to_template
    from models.eamm.pose import own_pose
    from models.lite.portrait import encode_portrait
    from models.lite.rig import load_rig

    portrait = encode_portrait(load_rig(), face)
    alignment = to_template(to_68(face.landmarks), size)
    return Actor(name, portrait, alignment, own_pose(portrait.own.rotation)[0].numpy())


def make_clip(
    root: Path,
    actor: Actor,
    emotion: str,
    number: int,
    n: int,
    size: int,
    random: np.random.Generator,
) -> None:
    """Render and write one clip of n pictures."""
    samples, mouths = speak(n, random)
    pose = swing(n, random)
    weights = expressions(mouths, EMOTIONAL_FACES[emotion])
    pictures = render(actor, weights, pose, size)
    turn = pose[:, :3] * [-1, 1, 1]
    rows = np.tile([*actor.own_pose, DEPTH], (n, 1))
    rows[:, :3] += turn
    write_clip(root, actor.name, f"{emotion}_{number:03d}", pictures, rows, mfcc_windows(samples))


def swing(n: int, random: np.random.Generator) -> np.ndarray:
    """Slow random turns of the head, [n, POSE_DIMS] float32."""
    from models.talking_head import POSE_DIMS

    pose = np.zeros((n, POSE_DIMS), np.float32)
    time = np.arange(n) / 25
    for axis, most in enumerate(SWING_DEG):
        rate, phase = random.uniform(0.15, 0.5), random.uniform(0, 2 * np.pi)
        pose[:, axis] = most * random.uniform(0.4, 1) * np.sin(2 * np.pi * rate * time + phase)
    return pose


def expressions(mouths: list[dict[str, float]], emotion: dict[str, float]) -> np.ndarray:
    """Weights of the rig's expressions in every picture, eased over three, [n, E] float32."""
    from models.lite.rig import load_rig

    names = [name.removesuffix("_L").removesuffix("_R") for name in load_rig().shape_names]
    spoken = np.array([[mouth.get(name, 0.0) for name in names] for mouth in mouths])
    padded = np.pad(spoken, ((1, 1), (0, 0)), mode="edge")
    eased = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    return (eased + [emotion.get(name, 0.0) for name in names]).clip(0, 1).astype(np.float32)


def render(actor: Actor, weights: np.ndarray, pose: np.ndarray, size: int) -> np.ndarray:
    """Pictures of an actor, aligned, [n, size, size, 3] uint8 RGB."""
    import torch

    from models.eamm.alignment import warp_image
    from models.lite.picture import draw
    from models.lite.rig import load_rig
    from models.talking_head import Motion

    rig, pictures = load_rig(), []
    for face, turn in zip(torch.from_numpy(weights), torch.from_numpy(pose), strict=True):
        dx = torch.einsum("e,eki->ki", face, rig.dx)
        dj = torch.einsum("e,ekij->kij", face, rig.dj)
        motion = Motion(actor.portrait.x0 + dx, actor.portrait.j0 + dj, turn[None])
        picture = warp_image(draw(rig, actor.portrait, motion), actor.alignment, size)[0]
        pictures.append((picture * 255).round().byte().permute(1, 2, 0).numpy())
    return np.stack(pictures)
