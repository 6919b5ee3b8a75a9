"""EAMM at a size that a test can afford, with random weights that make every part matter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from models.eamm import weights
from models.eamm.options import EammOptions
from models.eamm.sizes import EammSizes
from models.fomm.sizes import FommSizes
from models.talking_head import FaceImage, FaceTrack

TINY = EammSizes(
    FommSizes(64, 10, 3, 4, 16, 4, 16, 4, 16, 1),
    identity_width=1,
    audio_width=4,
    feature_dims=16,
    hidden_dims=16,
    n_layers=3,
    decoder_width=8,
    emotion_width=4,
    displacement_width=32,
)


def shake(network: nn.Module, seed: int) -> None:
    """Random weights and batch-norm statistics, so that no branch is an identity."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if name.endswith("down.weight") or not value.is_floating_point():
                continue
            noise = torch.randn(value.shape, generator=random)
            if "running_var" in name:
                value.copy_(0.5 + noise.abs())
            else:
                value.add_(0.1 * noise)


def write_tiny(folder: Path, options: EammOptions | None = None) -> Path:
    """A folder of tiny weights."""
    options = options or EammOptions()
    torch.manual_seed(0)
    for networks in (
        weights.build_fomm(TINY, options),
        weights.build_a2fd(TINY),
        weights.build_emotion(TINY),
    ):
        for seed, network in enumerate(networks):
            shake(network, seed)
        weights.save_networks(networks, folder, {"source": "random"})
    weights.write_settings(folder, TINY, options)
    return folder


def paint_face(size: int = 96, seed: int = 0) -> FaceImage:
    """A picture with a face mesh in the middle of it; the pixels are smooth noise."""
    from models.lite.rig import load_rig

    random = np.random.default_rng(seed)
    rough = torch.from_numpy(random.random((1, 3, 6, 6), dtype=np.float32))
    smooth = nn.functional.interpolate(rough, (size, size), mode="bilinear")[0]
    image = (smooth.permute(1, 2, 0).numpy() * 255).astype(np.uint8)
    mesh = np.zeros((478, 3), np.float32)
    mesh[:468] = load_rig().mesh.numpy() * (0.28 * size) + [0.5 * size, 0.45 * size, 0]
    blank = np.zeros((size, size), np.uint8)
    return FaceImage(image, mesh, np.zeros(52, np.float32), blank, image)


def paint_clip(n: int = 3) -> FaceTrack:
    """An emotion clip of n pictures."""
    faces = [paint_face(seed=i) for i in range(n)]
    return FaceTrack(
        np.zeros((n, 52), np.float32),
        np.zeros((n, 6), np.float32),
        np.stack([face.image for face in faces]),
        np.stack([face.landmarks for face in faces]),
    )


def textbook(
    x: np.ndarray, min_cutoff: float, beta: float, gain: float, against_smooth: bool
) -> np.ndarray:
    """The One-Euro filter of its paper written out for [T, ...] at 100 Hz, slope cutoff 1 Hz."""

    def alpha(cutoff):
        return 1 / (1 + 100 / (2 * np.pi * cutoff))

    x = np.asarray(x, np.float64) * gain
    out, reference, slope = [x[0]], x[0], 0.0
    for value in x[1:]:
        slope = alpha(1.0) * (value - reference) * 100 + (1 - alpha(1.0)) * slope
        share = alpha(min_cutoff + beta * np.abs(slope))
        out.append(share * value + (1 - share) * out[-1])
        reference = out[-1] if against_smooth else value
    return np.array(out) / gain
