"""The training loop of the audio-to-motion network: loss, validation on held-out voices, resuming.

Read next: `models/lite/motion.py` (the network), `run_log.py` (metrics and curves).
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from avatar.evaluation.lips import correlation
from avatar.training.mouth_shapes import Range, gap_per_shape, shape_weights, width_per_shape
from avatar.training.run_log import note, plot_metrics
from avatar.training.variation import OWN_VOICE, Examples, Voices, new_examples
from avatar.training.visemes import BILABIAL_SOUND, SOUNDS
from models.checkpoints import save_tensors
from models.lite.motion import AudioToMotion, MotionConfig, load_motion, motion_settings
from models.lite.rig import Rig

RANGE_FACTOR, MAX_GAIN = 1.2, 2.0
"""How far the lips move for targets of 1, and the largest gain that gives them that range: the
table is a mean of speakers, which moves less than GRID's do, by 1.22 to 1.28."""
CLOSED, CLOSURE_REACH = 0.012, 5
"""Inter-ocular distances below which lips are closed, and pictures within which a closure must have
open lips before or after it to count as part of speech."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast.

    steps: at most; patience: validations without improvement after which it ends.
    held_out_takes: of the voices that are held out, always the same.
    absolute, velocity: weights of the L1 beside the squared loss, and of the loss on the change
        from picture to picture.
    hearing: weight of naming the phoneme, which only training asks for.
    averaging: what the mean of the weights keeps per step.
    closure: extra weight of pictures in which the lips close between open ones.
    closing, closing_odds: weight of telling /p b m/ from all else, and how many times as much one
        that is missed counts as one too many.
    closing_only: whether nothing but that is learnt, by a readout of features that stay.
    """

    # length
    steps: int = 6000
    batch: int = 32
    validate_every: int = 200
    patience: int = 8
    held_out_takes: int = 128
    # loss
    learning_rate: float = 2e-3
    averaging: float = 0.998
    absolute: float = 0.3
    velocity: float = 1.0
    hearing: float = 0.15
    closure: float = 3.0
    closing: float = 1.0
    closing_odds: float = 2.0
    closing_only: bool = False
    seed: int = 0

    def warm_cosine(self, step: int) -> float:
        """Share of the learning rate: a rise over 5 % of the steps, then half a cosine."""
        done = step / self.steps
        return min(done / 0.05 + 1e-3, 0.5 + 0.5 * math.cos(math.pi * min(done, 1.0)))


class Learner(NamedTuple):
    """All that has a state while training; `average` is the mean network of the last steps."""

    network: AudioToMotion
    listener: nn.Linear  # features -> logits of SOUNDS
    average: AudioToMotion
    optimiser: torch.optim.Optimizer
    rate: torch.optim.lr_scheduler.LRScheduler


class Progress(NamedTuple):
    """Steps done, the best held-out loss, and validations since then."""

    step: int = 0
    best: float = float("inf")
    stale: int = 0


def train(
    rig: Rig,
    voices: tuple[Voices, Voices],
    schedule: Schedule,
    span: Range,
    folders: tuple[Path, Path],
    recipe: dict[str, Any],
    start: Path | None = None,
) -> AudioToMotion:
    """Train until the held-out voices no longer improve.

    Args:
        rig: whose key points move.
        voices: to train on, and held out.
        schedule: how long and how fast.
        span: what a measure of the mouth means.
        folders: where the run is kept, and where the best weights go.
        recipe: JSON values to write beside the weights.
        start: folder of weights to go on from; None for a fresh network.

    Returns:
        The averaged network as it was at the end; the best one is on disk.
    """
    from tqdm import tqdm

    run, out = folders
    run.mkdir(parents=True, exist_ok=True)
    learner = new_learner(rig, voices[0], schedule, start)
    progress = _resume(run / "last.pt", learner)
    rng = np.random.default_rng(schedule.seed + progress.step)
    asked = np.random.default_rng(schedule.seed)
    held_out = new_examples(voices[1], schedule.held_out_takes, asked, OWN_VOICE)
    losses: list[float] = []
    steps = range(progress.step, schedule.steps)
    for step in tqdm(steps, "training", unit="step", initial=progress.step, total=schedule.steps):
        examples = new_examples(voices[0], schedule.batch, rng)
        losses.append(_learn(learner, examples, schedule, rig, span, rng))
        if (step + 1) % schedule.validate_every and step + 1 < schedule.steps:
            continue
        figures = validate(learner, rig, held_out, schedule, span)
        note(run, {"step": step + 1, "train_loss": float(np.mean(losses)), **figures})
        losses.clear()
        reached = figures["closing_loss" if schedule.closing_only else "held_out_loss"]
        better, best = reached < progress.best, min(reached, progress.best)
        progress = Progress(step + 1, best, 0 if better else progress.stale + 1)
        if better:
            settings = motion_settings(learner.network.config)
            settings |= {"recipe": recipe, "step": step + 1, "held_out": figures}
            tensors = learner.average.state_dict()
            if not schedule.closing_only:
                gain = float(np.clip(RANGE_FACTOR / figures["aperture_range"], 1.0, MAX_GAIN))
                tensors |= {"gain": torch.tensor(gain)}
            save_tensors("motion", tensors, settings, out)
        _save(run / "last.pt", learner, progress)
        if progress.stale >= schedule.patience:
            break
    plot_metrics(run)
    return learner.average


def new_learner(rig: Rig, voices: Voices, schedule: Schedule, start: Path | None = None) -> Learner:
    """A network that knows mean and scale of the MFCC, fresh or with weights, and its optimiser."""
    network = AudioToMotion(rig, MotionConfig()) if start is None else load_motion(rig, start)
    if schedule.closing_only:
        network.eval().requires_grad_(False).closing.requires_grad_(True)
    else:
        network.train().gain.fill_(1.0)
    if start is None:
        rows = new_examples(voices, 64, np.random.default_rng(schedule.seed)).rows[:, ::7]
        rows = rows.reshape(-1, rows.shape[-1])
        heard = rows[np.abs(rows[:, 1:]).max(axis=1) > 1e-3]
        network.mfcc_mean.copy_(torch.from_numpy(heard.mean(0)))
        network.mfcc_scale.copy_(torch.from_numpy(heard.std(0)))
    listener = nn.Linear(network.decoder.in_features, len(SOUNDS))
    parameters = [p for p in [*network.parameters(), *listener.parameters()] if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, schedule.learning_rate, weight_decay=1e-3)
    rate = torch.optim.lr_scheduler.LambdaLR(optimiser, schedule.warm_cosine)
    average = copy.deepcopy(network).requires_grad_(False)
    return Learner(network, listener, average, optimiser, rate)


def _learn(
    learner: Learner,
    examples: Examples,
    schedule: Schedule,
    rig: Rig,
    span: Range,
    rng: np.random.Generator,
) -> float:
    """One step of the optimiser; returns the loss."""
    wanted = wanted_weights(examples, rig, span)
    with torch.autocast("cpu", torch.bfloat16):
        weights, features = _told(learner.network, examples, rng)
        named = learner.listener(features)
        closing = learner.network.closing(features)[..., 0]
    loss = motion_loss(learner.network, weights.float(), wanted, schedule)
    sounds = torch.from_numpy(examples.sounds)
    heard = nn.functional.cross_entropy(
        named.float().flatten(0, 1), sounds.flatten(), ignore_index=-1
    )
    closed = closing_loss(closing.float(), sounds, schedule)
    total = loss + schedule.hearing * heard + schedule.closing * closed
    learner.optimiser.zero_grad()
    total.backward()
    torch.nn.utils.clip_grad_norm_(learner.network.parameters(), 1.0)
    learner.optimiser.step()
    learner.rate.step()
    keep = min(schedule.averaging, 1 - 1 / (1 + learner.rate.last_epoch))
    with torch.no_grad():
        pairs = zip(learner.average.parameters(), learner.network.parameters(), strict=True)
        for mean, value in pairs:
            mean.lerp_(value, 1 - keep)
    return loss.item()


def wanted_weights(examples: Examples, rig: Rig, span: Range) -> Tensor:
    """Weights of SPEECH_SHAPES [N, T, S] that show the measures of the examples."""
    measures = examples.measures
    weights = shape_weights(measures.reshape(-1, measures.shape[-1]), rig, span)
    return torch.from_numpy(weights.reshape(*measures.shape[:2], -1))


def _told(
    network: AudioToMotion, examples: Examples, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Weights [N, T, S] and features [N, T, D] of a network that sees random heads and faces."""
    audio = windows(torch.from_numpy(examples.rows))
    identity = network.encode_identity(*random_faces(network.x_generic, len(audio), rng))
    pose = torch.from_numpy(random_poses(len(audio), audio.shape[1], rng))
    features, _ = network.features(audio, pose, identity, network.init_state(len(audio)))
    return network.decoded(features), features


def motion_loss(
    network: AudioToMotion, weights: Tensor, wanted: Tensor, schedule: Schedule
) -> Tensor:
    """Squared error of key points and jacobians and of their change, and L1 on the lip gap.

    The squared loss makes the output the mean of what the sound allows, which follows real mouths
    more closely than the median that L1 gives; L1 keeps closures closed.
    """
    error = (weights - wanted) @ key_point_metric(network)  # [B, T, N]
    change = error[:, 1:] - error[:, :-1]
    gap = wanted @ network.gap_basis
    importance = 1 + schedule.closure * closures(gap)
    squared = (importance * error.square().sum(-1)).mean()
    squared = squared + schedule.velocity * change.square().sum(-1).mean()
    absolute = (importance * (weights @ network.gap_basis - gap).abs()).mean()
    return 150 * squared + 3 * schedule.absolute * absolute


def closing_loss(logits: Tensor, sounds: Tensor, schedule: Schedule) -> Tensor:
    """Cross-entropy of telling /p b m/ in [B, T] sounds, where they are known."""
    known = sounds >= 0
    return nn.functional.binary_cross_entropy_with_logits(
        logits[known],
        (sounds[known] == BILABIAL_SOUND).float(),
        pos_weight=torch.tensor(schedule.closing_odds),
    )


def key_point_metric(network: AudioToMotion) -> Tensor:
    """L [N, N]: |e L|^2 is the mean square motion of key points and jacobians at weights e."""
    motion = torch.cat([network.dx_basis.flatten(1), network.dj_basis.flatten(1)], dim=1)
    return torch.linalg.cholesky(motion @ motion.T / motion.shape[1])


def closures(gap: Tensor) -> Tensor:
    """1 where the lips are closed shortly before or after being open, else 0; [B, T] -> [B, T]."""
    width = 2 * CLOSURE_REACH + 1
    near = torch.nn.functional.max_pool1d(gap, width, stride=1, padding=CLOSURE_REACH)
    return ((gap < CLOSED) & (near > 5 * CLOSED)).float()


def windows(rows: Tensor) -> Tensor:
    """MFCC rows [B, 4 T + 24, 12] -> windows [B, T, 28, 12]."""
    return rows.unfold(1, 28, 4).transpose(2, 3)


def random_faces(x: Tensor, batch: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Neutral faces of other proportions: random smooth maps of the generic key points [K, 2].

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
def validate(
    learner: Learner, rig: Rig, examples: Examples, schedule: Schedule, span: Range
) -> dict[str, float]:
    """Loss, share of phonemes named, correlation and range of aperture and width.

    The mean network is tested; its loss is that of heads and faces which do not change.
    """
    network, rng = learner.average.eval(), np.random.default_rng(0)
    wanted = wanted_weights(examples, rig, span)
    weights, features = _told(network, examples, rng)
    sounds = torch.from_numpy(examples.sounds)
    named = learner.listener(features).argmax(-1)[sounds >= 0] == sounds[sounds >= 0]
    closing = network.closing(features)[..., 0]
    figures = {
        "held_out_loss": float(motion_loss(network, weights, wanted, schedule)),
        "named": float(named.float().mean()),
        "closing_loss": float(closing_loss(closing, sounds, schedule)),
    }
    for name, per_shape in (("aperture", gap_per_shape(rig)), ("width", width_per_shape(rig))):
        ours, asked = weights.numpy() @ per_shape, wanted.numpy() @ per_shape  # [N, T]
        figures[f"{name}_r"] = float(np.mean(list(map(correlation, ours, asked))))
        figures[f"{name}_range"] = float(ours.std() / asked.std())
    return figures


def _resume(path: Path, learner: Learner) -> Progress:
    """Load the last state of a run, if there is one."""
    if not path.exists():
        return Progress()
    kept = torch.load(path, weights_only=True)
    for name, item in learner._asdict().items():
        item.load_state_dict(kept[name])
    return Progress(*kept["progress"])


def _save(path: Path, learner: Learner, progress: Progress) -> None:
    """Keep the state of a run so that it can go on."""
    part = path.with_suffix(".part")
    states = {name: item.state_dict() for name, item in learner._asdict().items()}
    torch.save({**states, "progress": tuple(progress)}, part)
    part.replace(path)
