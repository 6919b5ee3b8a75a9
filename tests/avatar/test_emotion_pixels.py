"""Emotions for models that see pixels come with pictures and a mesh in each; presets do not."""

import numpy as np
import pytest
from PIL import Image

from avatar.emotion_pixels import on_grid, read_emotion_pixels, to_track
from avatar.engine import Avatar
from avatar.portrait import demonstration_picture
from avatar.tracking import TrackedFace, open_tracker
from models.talking_head import EMOTION_DIMS
from tests.models.tiny_eamm import write_tiny


def face(value: float) -> TrackedFace:
    return TrackedFace(
        np.full((478, 3), value, np.float32), np.zeros(52, np.float32), np.zeros(6, np.float32)
    )


@pytest.fixture(scope="module")
def still(tmp_path_factory):
    path = tmp_path_factory.mktemp("still") / "happy.png"
    Image.fromarray(demonstration_picture()).save(path)
    return path


def test_a_lost_face_lies_between_its_neighbours():
    pictures = [np.zeros((4, 4, 3), np.uint8)] * 3
    track = to_track(pictures, [face(0), None, face(10)])
    assert track.landmarks[:, 0, 0].tolist() == [0, 5, 10]
    assert track.pictures.shape == (3, 4, 4, 3)


@pytest.mark.parametrize("rate, n", [(25, 25), (30, 25), (12.5, 24)])
def test_pictures_of_any_rate_become_25_a_second(rate, n):
    shown = [(k / rate, np.full((1, 1, 3), k, np.uint8)) for k in range(round(rate))]
    out = list(on_grid(iter(shown)))
    assert abs(len(out) - n) <= 1
    assert all(abs(int(p[0, 0, 0]) / rate - k / 25) <= 1 / rate + 0.04 for k, p in enumerate(out))


def test_a_preset_has_no_pictures():
    with pytest.raises(ValueError, match="'sad' has no pictures"):
        read_emotion_pixels("sad", tracker=None)


def test_a_still_is_one_row(still):
    name, track = read_emotion_pixels(f"glad={still}", open_tracker())
    assert name == "glad"
    assert track.landmarks.shape == (1, 478, 3)


def test_an_engine_of_tiny_eamm_wears_a_still(still, tmp_path):
    avatar = Avatar.load(
        model="eamm", weights=write_tiny(tmp_path), device="cpu", size=256, emotions=[str(still)]
    )
    assert set(avatar.emotions) == {"neutral", "happy"}
    assert avatar.emotions["happy"].shape == (1, EMOTION_DIMS + 1)
    silence = np.zeros((28, 12), np.float32)
    calm, glad = avatar.open_stream(seed=0), avatar.open_stream(seed=0)
    calm.control({"type": "emotion", "name": "neutral", "ease_ms": 0})
    pictures = [stream.step(silence) for stream in (calm, glad)]
    assert pictures[0].shape == (256, 256, 3)
    assert not np.array_equal(*pictures)
