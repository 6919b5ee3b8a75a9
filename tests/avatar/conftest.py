import numpy as np
import pytest


@pytest.fixture(autouse=True)
def cache_of_its_own(tmp_path, monkeypatch):
    """No test reads or leaves anything in the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def tracker():
    from avatar.mediapipe_models import TrackerUnavailable
    from avatar.tracking import open_tracker

    try:
        return open_tracker()
    except TrackerUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def face_picture():
    """The astronaut, [512, 512, 3] uint8 RGB; smiling."""
    from skimage import data

    return data.astronaut()


@pytest.fixture(scope="session")
def face_file(face_picture, tmp_path_factory):
    from PIL import Image

    path = tmp_path_factory.mktemp("face") / "astronaut.png"
    Image.fromarray(face_picture).save(path)
    return path


def write_clip(path, picture, n=25, sound=None):
    from avatar.media import SOUND_RATE, ClipWriter

    if sound is None:
        sound = np.zeros((1, n * SOUND_RATE // 25), np.float32)
    with ClipWriter(path, picture.shape[0], sound) as clip:
        for _ in range(n):
            clip.write(picture)
    return path


@pytest.fixture(scope="session")
def face_clip(face_picture, tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clips") / "happy.mp4", face_picture)


@pytest.fixture(scope="session")
def grey_clip(tmp_path_factory):
    grey = np.full((256, 256, 3), 128, np.uint8)
    return write_clip(tmp_path_factory.mktemp("clips") / "grey.mp4", grey)


@pytest.fixture(scope="session")
def grey_picture(tmp_path_factory):
    from PIL import Image

    path = tmp_path_factory.mktemp("face") / "grey.png"
    Image.new("RGB", (640, 480), (128, 128, 128)).save(path)
    return path


@pytest.fixture(scope="session")
def random_eamm_clips(tmp_path_factory):
    from tests.avatar.eamm_runs import random_clips

    return random_clips(tmp_path_factory.mktemp("random_clips"))
