"""When pictures are sent to a camera: drop rules and order."""

from __future__ import annotations

import sys
import time
import types

import av
import numpy as np
import pytest

from clients.camera import (
    LATE_S,
    LONGEST_WAIT_S,
    MOST_LATE,
    MOST_PICTURES,
    CameraPlayer,
    open_camera,
)

SIZE = 16


class FakeCamera:
    """Keeps the brightness of what it gets, and when."""

    width = height = SIZE

    def __init__(self, failure: Exception | None = None) -> None:
        self.sent: list[tuple[int, float]] = []
        self.failure = failure

    def send(self, planes: np.ndarray) -> None:
        if self.failure is not None:
            raise self.failure
        self.sent.append((int(planes[0, 0]), time.monotonic()))


def picture(brightness: int, size: int = SIZE) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(
        np.full((size * 3 // 2, size), brightness, np.uint8), format="yuv420p"
    )
    return frame


def wait_for(condition) -> None:
    for _ in range(400):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("waited 4 s in vain")


def test_a_picture_waits_for_its_own_sound():
    camera, start_s = FakeCamera(), time.monotonic()
    player = CameraPlayer(camera, lambda position: start_s + position / 48000)
    player.put(0.3 * 48000, picture(100))
    wait_for(lambda: camera.sent)
    player.close()
    assert camera.sent[0][1] - start_s >= 0.3
    assert player.counters.unheard == 0


def test_of_several_due_pictures_only_the_newest_is_sent():
    camera, is_due = FakeCamera(), []
    wait_s = lambda: -0.001 if is_due else 0.4  # noqa: E731
    player = CameraPlayer(camera, lambda position: time.monotonic() + wait_s())
    for brightness in (20, 40, 60):
        player.put(0, picture(brightness))
    is_due.append(True)
    wait_for(lambda: camera.sent)
    player.close()
    assert [brightness for brightness, _ in camera.sent] == [60]
    assert (player.counters.sent, player.counters.overtaken) == (1, 2)


def test_a_picture_later_than_its_sound_is_left_out_while_another_is_fresh():
    camera, late_s = FakeCamera(), [0.0]
    player = CameraPlayer(camera, lambda position: time.monotonic() - late_s[0])
    player.put(0, picture(20))
    wait_for(lambda: camera.sent)
    late_s[0] = 2 * LATE_S
    player.put(0, picture(40))
    wait_for(lambda: player.counters.late)
    late_s[0] = 0.0
    player.put(0, picture(60))
    wait_for(lambda: len(camera.sent) == 2)
    player.close()
    assert [brightness for brightness, _ in camera.sent] == [20, 60]


def test_where_every_picture_is_late_they_are_shown_late():
    camera = FakeCamera()
    player = CameraPlayer(camera, lambda position: time.monotonic() - 2 * LATE_S)
    for i in range(MOST_LATE + 3):
        player.put(0, picture(20))
        wait_for(lambda: player.counters.late + player.counters.sent > i)  # noqa: B023
    player.close()
    assert (player.counters.late, player.counters.sent) == (MOST_LATE, 3)


def test_the_oldest_of_too_many_waiting_pictures_is_dropped():
    player = CameraPlayer(FakeCamera(), lambda position: time.monotonic() + 0.4)
    for _ in range(MOST_PICTURES + 3):
        player.put(0, picture(20))
    player.close()
    assert player.counters.dropped == 3


def test_a_picture_whose_sound_never_comes_is_sent_without_it():
    camera, start_s = FakeCamera(), time.monotonic()
    player = CameraPlayer(camera, lambda position: None)
    player.put(0, picture(20))
    wait_for(lambda: camera.sent)
    player.close()
    assert camera.sent[0][1] - start_s >= LONGEST_WAIT_S
    assert player.counters.unheard == 1


def test_without_sound_pictures_go_as_they_come_and_fit_the_camera():
    camera = FakeCamera()
    player = CameraPlayer(camera, None)
    player.put(0, picture(120, size=64))
    wait_for(lambda: camera.sent)
    player.close()
    assert camera.sent[0][0] == pytest.approx(120, abs=2)


def test_a_camera_that_fails_is_told_to_the_caller():
    player = CameraPlayer(FakeCamera(OSError("unplugged")), None)
    player.put(0, picture(20))
    player._thread.join(5)
    with pytest.raises(ValueError, match="unplugged"):
        player.put(0, picture(20))


def fake_pyvirtualcam(error: Exception) -> types.ModuleType:
    module = types.ModuleType("pyvirtualcam")

    def camera(*arguments, **options):
        raise error

    module.Camera = camera
    module.PixelFormat = types.SimpleNamespace(I420="I420")
    module.camera = types.SimpleNamespace(BACKENDS={"v4l2loopback": None})
    return module


@pytest.mark.parametrize(
    ("system", "remedy"),
    [("linux", "v4l2loopback"), ("darwin", "OBS 30"), ("win32", "OBS")],
)
def test_a_missing_camera_is_one_line_that_says_what_to_install(monkeypatch, system, remedy):
    error = RuntimeError("'v4l2loopback' backend: none\nfound")
    monkeypatch.setitem(sys.modules, "pyvirtualcam", fake_pyvirtualcam(error))
    monkeypatch.setattr(sys, "platform", system)
    with pytest.raises(ValueError, match=remedy) as caught:
        open_camera(512, None, None)
    assert "\n" not in str(caught.value)


def test_an_unknown_backend_names_the_known_ones(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyvirtualcam", fake_pyvirtualcam(KeyError("obs")))
    with pytest.raises(ValueError, match="there is: v4l2loopback"):
        open_camera(512, None, "obs")


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    with pytest.raises(ValueError, match=r"emotive-avatar\[camera\]"):
        open_camera(512, None, None)
