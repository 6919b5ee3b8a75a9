import sys

import numpy as np
import pytest

from avatar import tracking_68
from avatar.mediapipe_models import TrackerUnavailable
from avatar.presets import SHAPE_NAMES
from avatar.tracking import open_tracker
from models.lite.rig import load_rig


@pytest.fixture(scope="module")
def both(tracker, face_picture):
    """The same face by MediaPipe and from its own 68 points."""
    face = tracker.settle_face(face_picture)
    points = face.landmarks[tracking_68.MESH_OF_68, :2]
    return face, tracking_68.face_from_68(points, load_rig().mesh.numpy(), face_picture.shape)


def test_the_mesh_meets_the_68_points_and_is_near_in_between(both):
    full, bent = both
    assert bent.landmarks.shape == (478, 3)
    off = np.linalg.norm((full.landmarks - bent.landmarks)[:, :2], axis=1)
    assert off[tracking_68.MESH_OF_68].max() < 0.01 * full.width
    assert off.mean() < 0.03 * full.width


def test_the_head_pose_is_near(both):
    full, bent = both
    assert np.abs(full.pose[:3] - bent.pose[:3]).max() < 12


def test_her_smile_is_seen(both):
    _, bent = both
    assert bent.blendshapes[SHAPE_NAMES.index("mouthSmileLeft")] > 0.3
    assert bent.blendshapes[SHAPE_NAMES.index("eyeBlinkLeft")] < 0.5


def test_without_the_package_the_remedy_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "face_alignment", None)
    with pytest.raises(TrackerUnavailable, match=r"emotive-avatar\[landmarks\]"):
        open_tracker("face-alignment")


def test_without_weights_the_remedy_is_told(monkeypatch):
    class Offline:
        class LandmarksType:
            TWO_D = 1

        @staticmethod
        def FaceAlignment(*args, **options):
            raise OSError("name or service not known")

    monkeypatch.setitem(sys.modules, "face_alignment", Offline)
    with pytest.raises(TrackerUnavailable, match="--tracker mediapipe"):
        open_tracker("face-alignment")
