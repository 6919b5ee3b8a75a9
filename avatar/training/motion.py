"""Trains the audio-to-motion network of model `lite`.

    python -m avatar.train motion --run runs/motion [--data DIR]

Speech is synthesised by every voice of this machine and joined by licence-clean recordings (`--data`), sent through channels, and its
phonemes are turned into mouth shapes; the loss is L1 on key points and jacobians and on their change
from picture to picture. Everything is kept in the run folder, and a second call goes on where the first stopped.
"""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from avatar.evaluation.lips import correlation
from avatar.training.corpus import CorpusOptions, make_corpus
from avatar.training.motion_data import (
    HELD_OUT,
    Examples,
    TakeOptions,
    clip_examples,
    speech_examples,
    take_files,
)
from avatar.training.mouth_shapes import Range
from avatar.training.visemes import Timing
from models.checkpoints import save_tensors
from models.lite.motion import AudioToMotion, MotionConfig, motion_settings
from models.lite.rig import Rig, load_rig

METRICS = ("step", "train_loss", "held_out_loss", "aperture_r", "width_r")


@dataclass(frozen=True)
class Schedule:
    """How long and how fast.

    steps: at most; patience: validations without improvement after which it ends.
    velocity: weight of the loss on the change from picture to picture.
    """

    steps: int = 3000
    batch: int = 24
    learning_rate: float = 2e-3
    validate_every: int = 50
    patience: int = 16
    velocity: float = 1.0
    seed: int = 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m avatar.train motion`."""
    parser.add_argument("--run", type=Path, default=Path("runs/motion"), help="run folder")
    parser.add_argument("--data", type=Path, help="folder with manifest.csv, speech/ and tracks/")
    parser.add_argument("--hours", type=float, default=2.5, help="hours of clean synthetic speech")
    parser.add_argument("--speakers", type=int, default=36, help="blended neural speakers")
    parser.add_argument("--variants", type=int, default=4, help="channels per second of speech")
    parser.add_argument("--steps", type=int, default=3000, help="training steps at most")
    parser.add_argument("--batch", type=int, default=24, help="takes of 8 s per step")
    parser.add_argument("--lead-ms", type=float, default=10.0, help="lips ahead of the sound")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder of the weights (default: the run folder)")


def run(args: argparse.Namespace) -> None:
    """Make or reuse the data of the run folder, train, and write the best weights.

    Raises:
        ValueError: no voice is installed, or the data folder has no manifest.
    """
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    rig = load_rig()
    corpus = CorpusOptions(args.hours, args.speakers, args.seed)
    takes = TakeOptions(args.variants, args.data, seed=args.seed)
    timing, span = Timing(lead=args.lead_ms / 1000), Range()
    voices = make_corpus(args.run / "voices", corpus)
    files = take_files(voices, args.run / f"takes-{args.variants}", takes)
    training = speech_examples([f for f in files if f.stem not in HELD_OUT], rig, timing, span)
    held_out = speech_examples([f for f in files if f.stem in HELD_OUT], rig, timing, span)
    clips = clip_examples(takes, rig, span)
    if clips is not None:
        training = Examples(*(np.concatenate(pair) for pair in zip(training, clips, strict=True)))
    schedule = Schedule(steps=args.steps, batch=args.batch, seed=args.seed)
    recipe = {"corpus": asdict(corpus), "timing": asdict(timing), "schedule": asdict(schedule)}
    recipe["hours"] = {"clean": args.hours, "takes": len(training.rows) * 8 / 3600}
    train(rig, training, held_out, schedule, args.run, args.out or args.run, recipe)


def train(
    rig: Rig,
    training: Examples,
    held_out: Examples,
    schedule: Schedule,
    folder: Path,
    out: Path,
    recipe: dict[str, Any],
) -> AudioToMotion:
    """Train until the held-out voices no longer improve, keeping the best weights in `out`."""
    from tqdm import tqdm

    folder.mkdir(parents=True, exist_ok=True)
    network = AudioToMotion(rig, MotionConfig())
    rows = training.rows[:, ::7].reshape(-1, training.rows.shape[-1])
    rows = rows[np.abs(rows).max(axis=1) > 1e-3]
    network.mfcc_mean.copy_(torch.from_numpy(rows.mean(0)))
    network.mfcc_scale.copy_(torch.from_numpy(rows.std(0)))
    optimiser = torch.optim.AdamW(network.parameters(), schedule.learning_rate, weight_decay=1e-3)
    rate = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, schedule.learning_rate, total_steps=schedule.steps + 1, pct_start=0.1
    )
    first, best, stale = _resume(folder / "last.pt", network, optimiser, rate)
    rng = np.random.default_rng(schedule.seed + first)
    losses: list[float] = []
    for step in tqdm(range(first, schedule.steps), desc="training", unit="step", initial=first):
        batch = rng.choice(len(training.rows), min(schedule.batch, len(training.rows)), False)
        loss = batch_loss(network, training, batch, schedule.velocity, rng)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        rate.step()
        losses.append(loss.item())
        if (step + 1) % schedule.validate_every and step + 1 < schedule.steps:
            continue
        figures = validate(network, held_out, schedule.velocity)
        _note(folder, {"step": step + 1, "train_loss": float(np.mean(losses)), **figures})
        losses.clear()
        stale = 0 if figures["held_out_loss"] < best else stale + 1
        if stale == 0:
            best = figures["held_out_loss"]
            settings = motion_settings(network.config) | {"recipe": recipe, "held_out": figures}
            save_tensors("motion", network.state_dict(), settings, out)
        _save(folder / "last.pt", network, optimiser, rate, (step + 1, best, stale))
        if stale >= schedule.patience:
            break
    plot_metrics(folder)
    return network


def batch_loss(
    network: AudioToMotion,
    examples: Examples,
    batch: np.ndarray,
    velocity: float,
    rng: np.random.Generator,
) -> Tensor:
    """L1 on key points and jacobians, and on their change, for random heads and faces."""
    audio = windows(torch.from_numpy(examples.rows[batch]))
    identity = network.encode_identity(*random_faces(network.x_generic, len(batch), rng))
    pose = torch.from_numpy(random_poses(len(batch), audio.shape[1], rng))
    dx, dj = network(audio, pose, identity)
    wanted_dx, wanted_dj = network.displacements(torch.from_numpy(examples.weights[batch]))
    motion = torch.cat([(dx - wanted_dx), (dj - wanted_dj).flatten(-2)], dim=-1)  # [B, T, K, 6]
    change = motion[:, 1:] - motion[:, :-1]
    return 10 * (motion.abs().mean() + velocity * change.abs().mean())


def windows(rows: Tensor) -> Tensor:
    """MFCC rows [B, 4 T + 24, 12] -> windows [B, T, 28, 12]."""
    return rows.unfold(1, 28, 4).transpose(2, 3)


def random_faces(x: Tensor, batch: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Neutral faces of other proportions: a random smooth map of the generic key points [K, 2].

    Returns:
        [B, K, 2] and [B, K, 2, 2] float32; jacobians stay near the identity.
    """
    terms = torch.cat([x, x**2, x[:, :1] * x[:, 1:]], dim=1)  # [K, 5]
    coefficients = torch.from_numpy(rng.normal(0, 0.06, (batch, 5, 2)).astype(np.float32))
    noise = torch.from_numpy(rng.normal(0, 0.01, (batch, len(x), 2)).astype(np.float32))
    bend = rng.normal(0, 0.02, (batch, 1, 2, 2)).astype(np.float32)
    jacobians = torch.eye(2) + torch.from_numpy(bend)
    return x + terms @ coefficients + noise, jacobians.expand(batch, len(x), 2, 2)


def random_poses(batch: int, frames: int, rng: np.random.Generator) -> np.ndarray:
    """Heads that drift within +-20 degrees and +-0.3 inter-ocular distances, [B, T, 6] float32."""
    scale = np.array([8, 6, 4, 0.1, 0.1, 0.1])
    start = rng.normal(size=(batch, 1, 6))
    drift = np.cumsum(rng.normal(0, 0.05, (batch, frames, 6)), axis=1)
    return ((start + drift) * scale).astype(np.float32)


@torch.inference_mode()
def validate(network: AudioToMotion, examples: Examples, velocity: float) -> dict[str, float]:
    """Loss, and correlation of aperture and width with their targets, on held-out voices."""
    rng = np.random.default_rng(0)
    losses, apertures, widths = [], [], []
    jaw, width = _directions(network)
    for start in range(0, len(examples.rows), 32):
        batch = np.arange(start, min(start + 32, len(examples.rows)))
        losses.append(float(batch_loss(network, examples, batch, velocity, rng)))
        audio = windows(torch.from_numpy(examples.rows[batch]))
        x0 = network.x_generic[None].expand(len(batch), -1, -1)
        identity = network.encode_identity(x0, torch.eye(2).expand(*x0.shape, 2))
        still = torch.zeros(*audio.shape[:2], 6)
        weights, _ = network.expressions(audio, still, identity, network.init_state(len(batch)))
        for told, wanted in zip(weights.numpy(), examples.weights[batch], strict=True):
            apertures.append(correlation(told @ jaw, wanted @ jaw))
            widths.append(correlation(told @ width, wanted @ width))
    return {
        "held_out_loss": float(np.mean(losses)),
        "aperture_r": float(np.mean(apertures)),
        "width_r": float(np.mean(widths)),
    }


def _directions(network: AudioToMotion) -> tuple[np.ndarray, np.ndarray]:
    """How aperture and mouth width change per weight of each speech shape, [S] and [S]."""
    from avatar.training.mouth_shapes import gap_per_shape, width_per_shape

    rig = load_rig()
    return gap_per_shape(rig), width_per_shape(rig)


def _resume(path: Path, network: AudioToMotion, *others: Any) -> tuple[int, float, int]:
    """Load the last state of a run; steps done, best loss and stale validations."""
    if not path.exists():
        return 0, float("inf"), 0
    kept = torch.load(path, weights_only=True)
    for item, state in zip((network, *others), kept["states"], strict=True):
        item.load_state_dict(state)
    return kept["progress"]


def _save(path: Path, network: AudioToMotion, *rest: Any) -> None:
    """Keep the state of a run so that it can go on."""
    *others, progress = rest
    states = [item.state_dict() for item in (network, *others)]
    part = path.with_suffix(".part")
    torch.save({"states": states, "progress": progress}, part)
    part.replace(path)


def _note(folder: Path, figures: dict[str, float]) -> None:
    """Append one row of metrics."""
    path = folder / "metrics.csv"
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, METRICS)
        if new:
            writer.writeheader()
        writer.writerow({k: f"{v:.5g}" for k, v in figures.items()})


def plot_metrics(folder: Path) -> None:
    """Draw metrics.csv as learning curves, where matplotlib is installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return
    with (folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    steps = [float(row["step"]) for row in rows]
    for axes, names in ((left, METRICS[1:3]), (right, METRICS[3:])):
        for name in names:
            axes.plot(steps, [float(row[name]) for row in rows], label=name)
        axes.set_xlabel("step")
        axes.legend()
    figure.savefig(folder / "metrics.png", dpi=120)
