"""Sound and pose of a training clip in the layout of EAMM's data sets."""

from __future__ import annotations

import numpy as np

SAMPLE_RATE = 16000
PAD = 1920
"""Zeros before and after the sound, 120 ms."""
ROWS, ROWS_PER_PICTURE = 28, 4
DEPTH = -66.67
"""What 3DDFA_V2 reports as tz, always; it is not used."""


def mfcc_windows(samples: np.ndarray) -> np.ndarray:
    """The MFCC windows of a recording, one per picture.

    Args:
        samples: [S] float32 -1..1, 16 kHz.

    Returns:
        [floor(rows / 4) - 6, 28, 13] float32 with rows = 1 + ceil((S + 3440) / 160); for whole
        seconds that is one less than 25 a second. Coefficient 0 is the log energy.
    """
    from python_speech_features import mfcc

    rows = mfcc(np.pad(samples.astype(np.float64), PAD), SAMPLE_RATE, winstep=0.01)
    n = len(rows) // ROWS_PER_PICTURE - ROWS // ROWS_PER_PICTURE + 1
    numbers = ROWS_PER_PICTURE * np.arange(n)[:, None] + np.arange(ROWS)
    return rows[numbers].astype(np.float32)


def pose_rows(meshes: np.ndarray) -> np.ndarray:
    """Pose of aligned face meshes [T, 478, 3] px, as 3DDFA_V2 would give it, [T, 7] float32."""
    from models.eamm.pose import own_pose
    from models.lite.pose import fit_pose
    from models.lite.rig import load_rig

    generic = load_rig().mesh.numpy()
    own = [own_pose(fit_pose(mesh, generic).rotation)[0].numpy() for mesh in meshes]
    return np.column_stack([np.stack(own), np.full(len(own), DEPTH)]).astype(np.float32)
