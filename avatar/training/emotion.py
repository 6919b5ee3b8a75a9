"""Trains E_e and P_d of model `lite` on mixes of the expression basis.

    python -m avatar.train emotion --portraits DIR/landmarks.npz

An emotional face is a mix of expressions; what it adds to a talking face is the mix's displacement
of the key points, except between the lips: a mouth that speech has closed stays closed, and one
that is open follows the emotion (the paper's method breaks closures, its Figure 7).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.lite.emotion import DisplacementPredictor, EmotionEncoder
from models.lite.lips import INNER_PAIRS, OUTER_PAIRS, OUTER_SHARE
from models.lite.rig import Rig

OPEN_GAP = 0.08
"""Inter-ocular distances between the lips from which on the emotion may open them fully."""
SPEECH = {
    "jawOpen": 0.5, "mouthClose": 0.15, "mouthFunnel": 0.6, "mouthPucker": 0.7,
    "mouthLowerDown": 0.5, "mouthUpperUp": 0.35, "mouthStretch": 0.4, "mouthRollLower": 0.4,
    "mouthRollUpper": 0.3, "mouthPress": 0.3, "mouthSmile": 0.3, "mouthShrugLower": 0.3,
}  # fmt: skip
"""Expressions of speech and how far they go."""
MAX_EMOTION = 1.3
REST_PERCENTILE = 10.0
QUIET = ("jawLeft", "jawRight", "jawForward", "mouthLeft", "mouthRight", "cheekPuff")
"""Expressions that emotions hardly use; drawn weaker."""


def emotion_mix(rig: Rig, n: int, rng: torch.Generator) -> Tensor:
    """Random emotional faces [n, E]: a few expressions at a time, left and right mostly alike."""
    E = len(rig.shape_names)
    weights = torch.rand(n, E, generator=rng) * (torch.rand(n, E, generator=rng) < 0.2)
    mirrored = weights.clone()
    for index, name in enumerate(rig.shape_names):
        if name.endswith("_R"):
            other = rig.shape_names.index(name[:-1] + "L")
            side = 0.8 + 0.2 * torch.rand(n, generator=rng)
            mirrored[:, index] = weights[:, other] * side
        if name.startswith(QUIET):
            mirrored[:, index] *= 0.3
    lone = torch.rand(n, 1, generator=rng) < 0.15
    return torch.where(lone, weights, mirrored) * MAX_EMOTION * torch.rand(n, 1, generator=rng)


def speech_mix(rig: Rig, n: int, rng: torch.Generator) -> Tensor:
    """Random talking faces [n, E], a quarter of them at rest or closed."""
    weights = torch.zeros(n, len(rig.shape_names))
    for name, most in SPEECH.items():
        value = most * torch.rand(n, generator=rng) * (torch.rand(n, generator=rng) < 0.5)
        for index, shape in enumerate(rig.shape_names):
            if shape.removesuffix("_L").removesuffix("_R") == name:
                weights[:, index] = value
    return weights * (torch.rand(n, 1, generator=rng) > 0.25)


def displacement(rig: Rig, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Key points and jacobians that expression weights [n, E] add: [n, K, 2], [n, K, 2, 2]."""
    dx = torch.einsum("ne,eki->nki", weights, rig.dx)
    return dx, torch.einsum("ne,ekij->nkij", weights, rig.dj)


def keep_closures(rig: Rig, talking: Tensor, emotion: Tensor) -> Tensor:
    """The displacement [n, K, 2] of an emotion, without what opens lips that speech has closed."""
    out = emotion.clone()
    for (upper, lower), (above, below) in zip(INNER_PAIRS, OUTER_PAIRS, strict=True):
        u, low, a, b = (rig.point_of(v) for v in (upper, lower, above, below))
        gap = (talking[:, low, 1] - talking[:, u, 1]).clamp(min=0)
        opened = emotion[:, low, 1] - emotion[:, u, 1]
        allowed = opened * torch.clamp(gap / OPEN_GAP, 0, 1)
        excess = (opened - allowed) / 2
        for upper_point, lower_point, share in ((u, low, 1.0), (a, b, OUTER_SHARE)):
            out[:, upper_point, 1] += share * excess
            out[:, lower_point, 1] -= share * excess
    return out


def resting_scores(portraits: Path) -> np.ndarray:
    """What the tracker reads even on a relaxed face, [52] float32.

    A low percentile over the portraits that do not smile.
    """
    with np.load(portraits) as file:
        scores, landmarks = file["blendshapes"], file["landmarks"]
    span = np.linalg.norm(landmarks[:, 33] - landmarks[:, 263], axis=-1)
    closed = np.linalg.norm(landmarks[:, 13] - landmarks[:, 14], axis=-1) / span < 0.03
    smile = scores[:, 44:46].mean(1)
    unsmiling = closed & (smile < np.quantile(smile[closed], 0.4))
    return np.percentile(scores[unsmiling], REST_PERCENTILE, axis=0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m avatar.train emotion`."""
    parser.add_argument(
        "--portraits", type=Path, required=True, help="npz with blendshapes of portraits"
    )
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)


def run(args: argparse.Namespace) -> None:
    """Train, print the held-out error in per cent of the eyes' distance, write the weights."""
    from models.checkpoints import save_tensors
    from models.lite.rig import load_rig

    rig = load_rig()
    encoder, predictor, error = train(rig, args.steps, args.batch, args.seed)
    tensors = {f"encoder.{k}": v.half() for k, v in encoder.state_dict().items()}
    tensors |= {f"predictor.{k}": v.half() for k, v in predictor.state_dict().items()}
    tensors["rest"] = torch.from_numpy(resting_scores(args.portraits).astype(np.float32))
    settings = {"error": error, "steps": args.steps, "batch": args.batch, "seed": args.seed}
    save_tensors("emotion", tensors, settings)


def train(
    rig: Rig, steps: int, batch: int, seed: int
) -> tuple[EmotionEncoder, DisplacementPredictor, dict[str, float]]:
    """L1 on displacements of points and jacobians (paper, L_kp), cosine learning rate."""
    from tqdm import tqdm

    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    encoder = EmotionEncoder(len(rig.shape_names))
    predictor = DisplacementPredictor(rig.n_points)
    parameters = [*encoder.parameters(), *predictor.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps, 1e-5)
    bar = tqdm(range(steps), desc="emotion", mininterval=2)
    for step in bar:
        loss = torch.stack(losses(rig, encoder, predictor, batch, rng)).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 200 == 0:
            bar.set_postfix(loss=f"{loss.item():.4f}")
    with torch.no_grad():
        held_out = losses(rig, encoder, predictor, 4000, torch.Generator().manual_seed(seed + 1))
    names = ("x_percent", "lip_gap_percent", "jacobian_percent")
    error = {n: round(float(v), 4) for n, v in zip(names, held_out, strict=True)}
    print(error)
    return encoder, predictor, error


def losses(
    rig: Rig,
    encoder: EmotionEncoder,
    predictor: DisplacementPredictor,
    n: int,
    rng: torch.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean absolute errors x 100 of points, of the gaps between the lips, and of jacobians."""
    weights = emotion_mix(rig, n, rng)
    talking, talking_j = displacement(rig, speech_mix(rig, n, rng))
    wanted, wanted_j = displacement(rig, weights)
    wanted = keep_closures(rig, talking, wanted)
    made, made_j = predictor(encoder(weights), talking, talking_j)
    pairs = torch.tensor([[rig.point_of(u), rig.point_of(low)] for u, low in INNER_PAIRS])
    off = made - wanted
    gap = off[:, pairs[:, 1], 1] - off[:, pairs[:, 0], 1]
    return off.abs().mean() * 100, gap.abs().mean() * 100, (made_j - wanted_j).abs().mean() * 100
