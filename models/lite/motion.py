"""Audio to motion of model `lite`: EAMM's Audio2Facial-Dynamics at small width.

f_I (neutral key points), f_a (a 28 x 12 MFCC window) and f_p (head pose) join in an LSTM whose
output is decoded to weights of the rig's speech expressions, so that every output is a face that
can be; their linear basis gives the displacement of key points and jacobians. A second readout says
whether the lips close for /p b m/, which a mean over all that a sound allows blurs. Read next:
`models/lite/head.py`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from models.checkpoints import load_tensors
from models.lite.lips import LipContact
from models.lite.rig import Rig
from models.stateful import Stateful

ROWS, COEFFICIENTS, ROWS_PER_STEP = 28, 12, 4
"""Shape of an MFCC window, whose first coefficient is the log energy, and how much of it is new."""
FAR = 5.0
"""Standard deviations from its running mean at which a coefficient is cut off: digital silence."""
POSE_SCALE = (15.0, 15.0, 15.0, 0.3, 0.3, 0.3)
"""Degrees and inter-ocular distances that count as one in a pose."""
SURENESS = 4.0
"""How much faster than its odds the lips close for what may be a /p b m/."""
SPEECH_SHAPES: dict[str, tuple[str, ...]] = {
    "jaw": ("jawOpen",),
    "close": ("mouthClose",),
    "lower lip": ("mouthLowerDown_L", "mouthLowerDown_R"),
    "upper lip": ("mouthUpperUp_L", "mouthUpperUp_R"),
    "stretch": ("mouthStretch_L", "mouthStretch_R"),
    "smile": ("mouthSmile_L", "mouthSmile_R"),
    "pucker": ("mouthPucker",),
    "funnel": ("mouthFunnel",),
    "roll lower": ("mouthRollLower",),
    "press": ("mouthPress_L", "mouthPress_R"),
}
"""The expressions that speech uses, N groups; both halves of a face move alike."""


@dataclass(frozen=True)
class MotionConfig:
    """Sizes of the network.

    mean_steps: time constant, in steps, of the running mean that is taken off the MFCC.
    dropout: of the audio features while training.
    """

    # features
    conv_channels: tuple[int, int] = (64, 96)
    audio_dims: int = 160
    pose_dims: int = 16
    identity_dims: int = 32
    mean_steps: int = 75
    dropout: float = 0.25
    # memory
    hidden: int = 192
    # readout of /p b m/
    closing_dims: int = 48


class MotionState(NamedTuple):
    """One stream's memory.

    hidden, cell: [1, B, H] float32 of the LSTM.
    mean: [B, 12] float32, running mean of the MFCC rows heard so far.
    weight: [B, 1] float32, how many rows that mean stands for.
    """

    hidden: Tensor
    cell: Tensor
    mean: Tensor
    weight: Tensor


class AudioToMotion(Stateful[MotionState]):
    """Neutral talking motion of the key points.

    Args:
        rig: whose key points are moved.
        config: sizes.
    """

    dx_basis: Tensor  # [N, K, 2]
    dj_basis: Tensor  # [N, K, 2, 2]
    gap_basis: Tensor  # [N], how far each shape parts the inner lips
    x_generic: Tensor  # [K, 2]
    mfcc_mean: Tensor  # [12]
    mfcc_scale: Tensor  # [12]
    pose_scale: Tensor  # [6]
    gain: Tensor  # [], gives back the range that a mean over all that the sound allows takes away

    def __init__(self, rig: Rig, config: MotionConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or MotionConfig()
        dx, dj = speech_basis(rig)
        self.register_buffer("dx_basis", dx, persistent=False)
        self.register_buffer("dj_basis", dj, persistent=False)
        self.register_buffer("x_generic", rig.x.clone(), persistent=False)
        self.contact = LipContact(rig, SPEECH_SHAPES.values())
        self.register_buffer("mfcc_mean", torch.zeros(COEFFICIENTS))
        self.register_buffer("mfcc_scale", torch.ones(COEFFICIENTS))
        self.register_buffer("gain", torch.ones(()))
        self.register_buffer("pose_scale", torch.tensor(POSE_SCALE), persistent=False)
        upper, lower = rig.point_of(13), rig.point_of(14)
        self.register_buffer("gap_basis", dx[:, lower, 1] - dx[:, upper, 1], persistent=False)
        first, second = config.conv_channels
        self.audio = nn.Sequential(  # f_a
            nn.Conv1d(COEFFICIENTS, first, 5, stride=2),
            nn.ReLU(),
            nn.Conv1d(first, second, 5, stride=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(second * 4, config.audio_dims),
            nn.ReLU(),
            nn.Dropout(config.dropout),
        )
        self.pose = nn.Sequential(nn.Linear(len(POSE_SCALE), config.pose_dims), nn.ReLU())  # f_p
        self.identity = nn.Sequential(  # f_I
            nn.Linear(rig.n_points * 6, 64), nn.ReLU(), nn.Linear(64, config.identity_dims)
        )
        self.lstm = nn.LSTM(
            config.audio_dims + config.pose_dims + config.identity_dims,
            config.hidden,
            batch_first=True,
        )
        self.decoder = nn.Linear(config.hidden + config.audio_dims, len(dx))
        nn.init.constant_(self.decoder.bias, -3.0)
        self.closing = nn.Sequential(
            nn.Linear(config.hidden + config.audio_dims, config.closing_dims),
            nn.ReLU(),
            nn.Linear(config.closing_dims, 1),
        )

    def encode_identity(self, x0: Tensor, j0: Tensor) -> Tensor:
        """f_I of neutral key points, x0 [B, K, 2] and j0 [B, K, 2, 2] -> [B, D] float32."""
        offset = (x0 - self.x_generic).flatten(1)
        bend = (j0 - torch.eye(2, device=j0.device)).flatten(1)
        return self.identity(torch.cat([offset, bend], dim=1))

    def init_state(self, batch: int = 1) -> MotionState:
        """The memory of `batch` streams that have heard nothing yet."""
        nothing = self.mfcc_mean.new_zeros(1, batch, self.config.hidden)
        mean = self.mfcc_mean.expand(batch, COEFFICIENTS)
        prior = self.mfcc_mean.new_full((batch, 1), 25.0 * ROWS_PER_STEP)
        return MotionState(nothing, nothing, mean, prior)

    def step(  # type: ignore[override]
        self, audio: Tensor, pose: Tensor, identity: Tensor, state: MotionState
    ) -> tuple[Tensor, Tensor, MotionState]:
        """Advance by one picture.

        Args:
            audio: [B, 28, 12] float32, the MFCC window.
            pose: [B, 6] float32, the first six of POSE_DIMS.
            identity: [B, D] float32 from `encode_identity`.
            state: from `init_state` or the previous step; left unchanged.

        Returns: Displacements of the key points [B, K, 2] and of their jacobians [B, K, 2, 2], and
            the next state.
        """
        features, state = self.features(audio[:, None], pose[:, None], identity, state)
        dx, dj = self.displacements(features[:, 0])
        return dx, dj, state

    def forward(  # type: ignore[override]
        self, audio: Tensor, pose: Tensor, identity: Tensor
    ) -> tuple[Tensor, Tensor]:
        """`step` over a clip from a fresh state: inputs [B, T, ...], outputs [B, T, K, ...]."""
        features, _ = self.features(audio, pose, identity, self.init_state(len(audio)))
        return self.displacements(features)

    def features(
        self, audio: Tensor, pose: Tensor, identity: Tensor, state: MotionState
    ) -> tuple[Tensor, MotionState]:
        """What the LSTM tells beside what f_a heard, [B, T, D], and the state after the inputs."""
        B, T = audio.shape[:2]
        mean, state = self._running_mean(audio, state)
        window = ((audio - mean[:, :, None]) / self.mfcc_scale).clamp(-FAR, FAR)
        energy = window[..., :1].where(has_shape(audio), -FAR)
        window = torch.cat([energy, window[..., 1:]], dim=-1)
        heard = self.audio(window.flatten(0, 1).transpose(1, 2)).unflatten(0, (B, T))
        inputs = torch.cat(
            [heard, self.pose(pose / self.pose_scale), identity[:, None].expand(B, T, -1)], dim=-1
        )
        told, (hidden, cell) = self.lstm(inputs, (state.hidden, state.cell))
        return torch.cat([told, heard], dim=-1), state._replace(hidden=hidden, cell=cell)

    def decoded(self, features: Tensor) -> Tensor:
        """Weights of SPEECH_SHAPES, [..., D] -> [..., N] 0 .. gain."""
        return torch.sigmoid(self.decoder(features)) * self.gain

    def closings(self, features: Tensor) -> Tensor:
        """How surely the lips close for /p b m/, [..., D] -> [...] 0 .. 1."""
        return torch.sigmoid(SURENESS * self.closing(features)[..., 0])

    def displacements(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Motion of `features` [..., D]: [..., K, 2] and [..., K, 2, 2] float32."""
        weights = self.contact(self.decoded(features), self.closings(features))
        N, K, _ = self.dx_basis.shape
        dx = (weights @ self.dx_basis.reshape(N, -1)).unflatten(-1, (K, 2))
        dj = (weights @ self.dj_basis.reshape(N, -1)).unflatten(-1, (K, 2, 2))
        return dx, dj

    def _running_mean(self, audio: Tensor, state: MotionState) -> tuple[Tensor, MotionState]:
        """Mean of the rows heard so far, [B, T, 12]; digital silence (no shape) does not count."""
        rows = audio[:, :, -ROWS_PER_STEP:]
        heard = has_shape(rows).float()
        counts, sums = heard.sum(2), (rows * heard).sum(2)  # [B, T, 1], [B, T, 12]
        keep = 1.0 - 1.0 / self.config.mean_steps
        mean, weight, means = state.mean, state.weight, []
        for t in range(audio.shape[1]):
            decay = torch.where(counts[:, t] > 0, keep, 1.0)
            total = weight * decay + counts[:, t]
            mean = (mean * weight * decay + sums[:, t]) / total
            weight = total
            means.append(mean)
        return torch.stack(means, dim=1), state._replace(mean=mean, weight=weight)


def has_shape(rows: Tensor) -> Tensor:
    """Which MFCC rows [..., 12] are not digital silence, [..., 1] bool."""
    return rows[..., 1:].abs().amax(-1, keepdim=True) > 1e-3


def speech_basis(rig: Rig) -> tuple[Tensor, Tensor]:
    """Key-point motion at weight 1 of each of SPEECH_SHAPES, [N, K, 2] and [N, K, 2, 2] float32."""
    groups = [[rig.shape_names.index(name) for name in names] for names in SPEECH_SHAPES.values()]
    return (
        torch.stack([rig.dx[group].sum(0) for group in groups]),
        torch.stack([rig.dj[group].sum(0) for group in groups]),
    )


def motion_settings(config: MotionConfig) -> dict[str, Any]:
    """The sizes as JSON values, for the file beside the weights."""
    return {"config": asdict(config)}


def load_motion(rig: Rig, folder: Path | None = None) -> AudioToMotion:
    """The trained network.

    Raises: ValueError: the weights in `folder` (the shipped ones by default) cannot be read or do
        not fit.
    """
    tensors, settings = load_tensors("motion", folder)
    config = dict(settings["config"])
    config["conv_channels"] = tuple(config["conv_channels"])
    network = AudioToMotion(rig, MotionConfig(**config))
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise ValueError(f"motion weights do not fit the network: {error}") from None
    return network.eval()
