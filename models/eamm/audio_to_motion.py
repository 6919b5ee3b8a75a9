"""The Audio2Facial-Dynamics network: sound, pose and identity -> the map of a neutral talking face.

Attribute names are those of the published state dict, its spelling included. The LSTM looks back
only, so the network runs picture by picture; `forward` is the same arithmetic over whole clips in
one call, which training needs. Read next: `models/eamm/head.py`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.eamm.audio import AudioConvolutions, AudioProjection
from models.eamm.decoder import MapDecoder
from models.eamm.identity import IdentityEncoder
from models.eamm.pose import PoseEncoder
from models.eamm.sizes import EammSizes


class MotionState(NamedTuple):
    """Memory of the LSTM: h and c, each [B, n_layers, hidden_dims] float32."""

    h: Tensor
    c: Tensor


class AudioToMotion(nn.Module):
    """E_I, E_a, E_p, the LSTM and D.

    Args:
        sizes: widths.
        audio_gain: factor on the audio feature.
    """

    def __init__(self, sizes: EammSizes, audio_gain: float = 1.0) -> None:
        super().__init__()
        self.sizes, self.audio_gain = sizes, audio_gain
        self.down_blocks = IdentityEncoder(sizes)
        self.pose_encoder = PoseEncoder(sizes)
        self.audio_eocder = AudioConvolutions(sizes)
        self.audio_eocder_fc = AudioProjection(sizes)
        n_in = sizes.identity_dims + 2 * sizes.feature_dims
        self.lstm = nn.LSTM(n_in, sizes.hidden_dims, sizes.n_layers, batch_first=True)
        self.decon = MapDecoder(sizes)

    def init_state(self, batch: int = 1) -> MotionState:
        """The memory of `batch` callers that have said nothing yet."""
        like = next(self.lstm.parameters())
        zeros = like.new_zeros(batch, self.sizes.n_layers, self.sizes.hidden_dims)
        return MotionState(zeros, zeros.clone())

    def encode_identity(self, image: Tensor) -> Tensor:
        """The identity feature of portraits [B, 3, S, S], 0..1 RGB -> [B, identity_dims]."""
        return self.down_blocks(image)

    def step(
        self, windows: Tensor, pose: Tensor, identity: Tensor, state: MotionState
    ) -> tuple[Tensor, MotionState]:
        """One picture.

        Args:
            windows: [B, 28, 12] float32, MFCC.
            pose: [B, 6] float32.
            identity: [B, identity_dims] float32.
            state: from `init_state` or the previous `step`; left unchanged.

        Returns:
            The map [B, C, h, w] for the key-point heads, and the next state.
        """
        inputs = self._inputs(windows, pose, identity)
        memory = tuple(part.transpose(0, 1).contiguous() for part in state)
        hidden, (h, c) = self.lstm(inputs[:, None], memory)
        return self.decon(hidden[:, 0]), MotionState(h.transpose(0, 1), c.transpose(0, 1))

    def forward(self, windows: Tensor, pose: Tensor, identity: Tensor) -> Tensor:
        """Whole clips: [B, T, 28, 12], [B, T, 6] and [B, identity_dims] -> [B, T, C, h, w]."""
        B, T = windows.shape[:2]
        same = identity[:, None].expand(B, T, -1).flatten(0, 1)
        inputs = self._inputs(windows.flatten(0, 1), pose.flatten(0, 1), same)
        hidden, _ = self.lstm(inputs.unflatten(0, (B, T)))
        return self.decon(hidden.flatten(0, 1)).unflatten(0, (B, T))

    def _inputs(self, windows: Tensor, pose: Tensor, identity: Tensor) -> Tensor:
        audio = self.audio_eocder_fc(self.audio_eocder(windows)) * self.audio_gain
        return torch.cat([identity, audio, self.pose_encoder(pose)], dim=1)
