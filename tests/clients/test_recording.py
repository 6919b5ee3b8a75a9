import av
import numpy as np
import pytest

from clients.recording import Recording


def picture(level: int) -> av.VideoFrame:
    image = np.full((64, 64, 3), level, np.uint8)
    return av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")


def read(path) -> tuple[list[float], np.ndarray]:
    """Mean grey of every picture, and all samples."""
    with av.open(str(path)) as file:
        greys = [float(f.to_ndarray(format="gray").mean()) for f in file.decode(video=0)]
    with av.open(str(path)) as file:
        samples = np.concatenate([f.to_ndarray()[0] for f in file.decode(audio=0)])
    return greys, samples


def test_missing_pictures_hold_the_last_and_missing_sound_is_silent(tmp_path):
    recording = Recording(str(tmp_path / "out.mp4"))
    tone = (8000 * np.sin(np.arange(48000) / 20)).astype(np.int16)
    recording.sound(0, tone)
    recording.picture(0, picture(50))
    recording.picture(5, picture(200))
    recording.sound(96000, tone)
    recording.close()
    greys, samples = read(tmp_path / "out.mp4")
    assert len(greys) == 6
    assert greys[:5] == pytest.approx([greys[0]] * 5, abs=3)
    assert greys[5] - greys[0] > 100
    assert len(samples) == pytest.approx(144000, abs=2048)
    assert np.abs(samples[52000:90000]).max() < 0.01
    assert np.abs(samples[100000:140000]).max() > 0.1


def test_a_leap_of_the_clock_is_not_filled_up(tmp_path):
    recording = Recording(str(tmp_path / "out.mp4"))
    recording.picture(0, picture(50))
    recording.picture(2**20, picture(60))
    recording.sound(2**32, np.ones(960, np.int16))
    recording.close()
    greys, samples = read(tmp_path / "out.mp4")
    assert len(greys) == 1 + 250 + 1
    assert len(samples) <= 11 * 48000


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(ValueError, match="missing"):
        Recording(str(tmp_path / "missing" / "out.mp4"))
