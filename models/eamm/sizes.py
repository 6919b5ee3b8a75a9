"""Widths of EAMM; the defaults are those of the published weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from models.fomm.sizes import FommSizes


@dataclass(frozen=True)
class EammSizes:
    """Sizes of the audio-to-motion and the emotion networks, and of the model below them."""

    fomm: FommSizes = field(default_factory=FommSizes)
    # audio to motion
    identity_width: int = 4
    audio_width: int = 64
    feature_dims: int = 256
    hidden_dims: int = 256
    n_layers: int = 3
    decoder_width: int = 128
    # emotion
    emotion_width: int = 64
    displacement_width: int = 512

    @property
    def identity_dims(self) -> int:
        """Size of the identity feature, 512 at full size."""
        return self.identity_width * self.fomm.image_size // 2

    @property
    def emotion_dims(self) -> int:
        """Size of the emotion feature f_e, 512 at full size."""
        return 8 * self.emotion_width

    def to_json(self) -> dict[str, Any]:
        """The sizes as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> EammSizes:
        """Sizes from what `to_json` gave.

        Raises:
            ValueError: a name is unknown.
        """
        try:
            return cls(**{**values, "fomm": FommSizes(**values.get("fomm", {}))})
        except TypeError as error:
            raise ValueError(f"sizes: {error}") from None
