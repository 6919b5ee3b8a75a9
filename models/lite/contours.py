"""Contours of the face mesh around mouth and eyes, as vertex numbers."""

from __future__ import annotations

import numpy as np

# fmt: off
INNER_UPPER = np.array([78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308])
INNER_LOWER = np.array([78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308])
"""Inner contours of the lips, image left to image right; they share the corners."""
OUTER_UPPER = np.array([61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291])
OUTER_LOWER = np.array([61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291])
"""Outer contours of the lips, in step with the inner ones."""
LIP_ROWS = (
    (np.array([62, 183, 42, 41, 38, 12, 268, 271, 272, 407, 292]),
     np.array([76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306])),
    (np.array([62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292]),
     np.array([76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306])),
)
"""Rows of vertices between the contours of the upper and of the lower lip, in step with them."""
UPPER_LID = np.array([246, 161, 160, 159, 158, 157, 173, 466, 388, 387, 386, 385, 384, 398])
LOWER_LID = np.array([7, 163, 144, 145, 153, 154, 155, 249, 390, 373, 374, 380, 381, 382])
"""Lid contours of both eyes, corners left out; upper and lower correspond."""
# fmt: on
EYE_RIMS = np.concatenate([UPPER_LID, LOWER_LID, [33, 133, 362, 263]])
