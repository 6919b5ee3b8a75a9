"""Where paper and published code part ways: an option each, default = what the weights expect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

MOUTHS = ("fixed noise", "fresh noise", "open")


@dataclass(frozen=True)
class EammOptions:
    """How a set of weights is run.

    Raises:
        ValueError: a value is outside its range.
    """

    # sound
    audio_gain: float = 1.6
    """Factor on the audio feature. The paper and the training have 1."""
    # smoothing, which the paper does not mention; One-Euro filters at a nominal 100 Hz
    smooth_pose: bool = True
    smooth_points: bool = True
    # emotion
    points: tuple[int, ...] = (1, 4, 6, 8)
    """Key points that the predicted displacements belong to. The paper does not single any out."""
    gains: tuple[float, ...] = (0.2, 1.0, 1.0, 0.0)
    """Factor on each displacement. Training moves point 8 too, the published demo leaves it out."""
    mouth: str = "fixed noise"
    """What covers the mouth in an emotion clip: the training's noise, the same in every picture
    (`fixed noise`), drawn anew as the published demo does (`fresh noise`), or nothing (`open`)."""
    raised: tuple[str, ...] = ("surprised", "fear")
    """Names of the emotions whose clips lie 10 px higher, as in the published demo; () for none."""
    # motion
    relative: bool = False
    """Move the portrait by the change since the first step instead of to absolute key points."""
    adapt_scale: bool = False
    """With `relative`: scale the movement by the size of the portrait's face."""
    align_corners: bool = False
    """How flows are sampled: False as torch >= 1.3 does, True as the base model was published."""

    def __post_init__(self) -> None:
        if self.mouth not in MOUTHS:
            raise ValueError(f"mouth must be one of {', '.join(MOUTHS)}, got {self.mouth!r}")
        if len(self.points) != len(self.gains):
            raise ValueError(f"{len(self.points)} points but {len(self.gains)} gains")

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> EammOptions:
        """Options from JSON values; those left out keep their defaults.

        Raises:
            ValueError: a name is unknown or a value is outside its range.
        """
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise ValueError(
                f"unknown option {unknown[0]!r}: choose from {', '.join(sorted(known))}"
            )
        chosen: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        return cls(**chosen)
