"""Where a person is in a picture, by MediaPipe's selfie segmenter: coarse, but it knows people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from avatar.mediapipe_models import SELFIE_SEGMENTER, open_quietly, to_mediapipe


def find_person(rgb: np.ndarray) -> np.ndarray:
    """How likely each pixel shows a person: body, hair, glasses and hat.

    Args:
        rgb: [H, W, 3] uint8 RGB; looked at in 256x256.

    Returns:
        [H, W] float32 0..1.

    Raises:
        TrackerUnavailable: the segmenter cannot run here; one line for the user.
    """
    model = SELFIE_SEGMENTER.find()
    return open_quietly(model, lambda: _segment(model, rgb))


def _segment(model: Path, rgb: np.ndarray) -> np.ndarray:
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.ImageSegmenterOptions(
        base_options=BaseOptions(model_asset_path=str(model)),
        output_confidence_masks=True,
        output_category_mask=False,
    )
    with vision.ImageSegmenter.create_from_options(options) as segmenter:
        masks: Any = segmenter.segment(to_mediapipe(rgb)).confidence_masks
        return masks[0].numpy_view().reshape(rgb.shape[:2]).copy()
