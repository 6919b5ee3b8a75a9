"""The virtual camera with a real PulseAudio, the real server and the real sound card client.

Only the kernel's camera device is replaced (`tests/clients/camera_program.py`).
"""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from avatar.portrait import demonstration_picture
from tests.clients.pulse import Recorder, Speaker, is_installed, pulse_audio
from tests.clients.skew import PERIOD, RATE, Beeps, beeps, read_shown, skews_ms

pytestmark = pytest.mark.skipif(not is_installed(), reason="needs PulseAudio")
ROOT = Path(__file__).parents[2]
DEVICES = ("--microphone", "microphone", "--output", "avatar")
START_S, MEASURED_S, SETTLE_S, END_S = 90.0, 25.0, 6.0, 20.0
HAS_CAMERA = any(Path("/sys/class/video4linux").glob("*")) if sys.platform == "linux" else True


@pytest.fixture
def sound(tmp_path: Path) -> Iterator[dict[str, str]]:
    with pulse_audio(tmp_path) as environment:
        yield environment | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


@pytest.fixture
def portrait(tmp_path: Path) -> Path:
    from PIL import Image

    path = tmp_path / "me.png"
    Image.fromarray(demonstration_picture()).save(path)
    return path


class Client:
    """The command in a terminal of its own."""

    def __init__(self, environment: dict[str, str], log: Path, *options: str) -> None:
        self._keys, terminal = pty.openpty()
        self.log = log
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.clients.camera_program", str(log), *options],
            cwd=ROOT, env=environment, stdin=terminal, stdout=subprocess.PIPE, text=True,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        os.close(terminal)

    def press(self, key: str) -> str:
        """The line that answers a key."""
        os.write(self._keys, key.encode())
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def wait_for_pictures(self) -> None:
        self.wait_until(lambda: self.log.exists() and self.log.stat().st_size > 0)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + START_S
        while not condition():
            assert self.process.poll() is None, self.end()
            assert time.monotonic() < deadline_s
            time.sleep(0.1)

    def servers(self) -> list[int]:
        """Process ids of what it has started."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [int(child) for child in children]

    def end(self) -> str:
        """What it still had to say until it ended."""
        return self.process.communicate(timeout=END_S)[0]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(END_S)
        os.close(self._keys)


@contextmanager
def client(environment: dict[str, str], log: Path, *options: str) -> Iterator[Client]:
    running = Client(environment, log, *options)
    try:
        yield running
    finally:
        running.close()


def spoken_from(path: Path) -> Callable[[int, int], np.ndarray]:
    """The sound of a WAV file over and over, for a `Speaker`."""
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    return lambda position, count: samples[np.arange(position, position + count) % len(samples)]


def write_beeps(path: Path) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(beeps(0, 40 * PERIOD).tobytes())
    return path


@pytest.mark.slow
def test_one_command_is_a_camera_and_a_microphone_in_step(sound, portrait, tmp_path):
    """The speaker's crystal is 200 ppm fast; the recording is what a call program would hear."""
    speaker = Speaker(
        tmp_path / "microphone.fifo", spoken_from(write_beeps(tmp_path / "beeps.wav")), ppm=200
    )
    heard, log = Beeps(), tmp_path / "camera.txt"
    options = ("--start", "--portrait", str(portrait), "--emotion", "sad", *DEVICES)
    with client(sound, log, *options) as running:
        running.wait_for_pictures()
        (server,) = running.servers()
        time.sleep(SETTLE_S)
        recorder = Recorder(sound, heard.hear)
        time.sleep(MEASURED_S)
        recorder.close()
        assert_keys_work(running)
    speaker.close()
    assert running.process.returncode == 0
    assert not Path(f"/proc/{server}").exists()
    assert_in_step(log, heard)


def assert_keys_work(running: Client) -> None:
    said = [running.press(key) for key in "1mnm"]
    while "emotion" not in said[0]:
        said = [*said[1:], running.process.stdout.readline()]
    assert [line.split()[-1] for line in said] == ["False", "True", "True", "False"]
    assert "happy" in said[0] and "happy" not in said[2]
    running.press("q")
    running.end()


def assert_in_step(log: Path, heard: Beeps) -> None:
    shown = read_shown(log.read_text().splitlines())
    ms = np.array([skew for _, skew in skews_ms(shown, heard.heard_s)])
    assert len(heard.heard_s) > 0.8 * MEASURED_S * RATE / PERIOD
    assert len(ms) > 0.6 * MEASURED_S * 25
    assert np.percentile(np.abs(ms), 95) <= 40


@pytest.mark.slow
def test_ctrl_c_while_it_starts_and_while_it_runs_ends_the_server_too(sound, tmp_path):
    log = tmp_path / "camera.txt"
    with client(sound, log, "--start", "--size", "256", *DEVICES) as starting:
        starting.wait_until(lambda: bool(starting.servers()))
        servers = starting.servers()
        assert_interrupted(starting, servers)
    with client(sound, log, "--start", "--size", "256", *DEVICES) as running:
        running.wait_for_pictures()
        assert_interrupted(running, running.servers())


def assert_interrupted(running: Client, servers: list[int]) -> None:
    running.process.send_signal(signal.SIGINT)
    said = running.end()
    assert running.process.returncode == 130
    assert "Traceback" not in said
    assert servers and not any(Path(f"/proc/{pid}").exists() for pid in servers)


def run(environment: dict[str, str], *options: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "clients.virtual_camera", *options],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def assert_one_line(done: subprocess.CompletedProcess, *parts: str) -> None:
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert all(part in done.stderr for part in parts)


def test_list_devices_shows_the_virtual_ones(sound):
    shown = run(sound, "--list-devices").stdout
    assert "PulseAudio outputs: avatar" in shown
    assert "microphone" in shown.split("PulseAudio inputs: ")[1]


@pytest.mark.skipif(HAS_CAMERA, reason="there is a camera device")
def test_without_a_camera_device_it_says_what_to_install(sound):
    assert_one_line(run(sound, "--start", *DEVICES), "v4l2loopback", "modprobe")


def test_an_unknown_device_is_one_line(sound):
    done = run(sound, "--microphone", "microphone", "--output", "nowhere")
    assert_one_line(done, "no sound output 'nowhere'", "--list-devices")


def test_without_a_sound_server_it_says_what_to_start(tmp_path):
    environment = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)}
    assert_one_line(run(environment, *DEVICES), "PulseAudio")


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (("--portrait", "me.jpg"), "--start"),
        (("--emotion", "sad", "--emotion", "happy"), "--start"),
        (("--virtual-microphone", "--output", "avatar"), "--output"),
    ],
)
def test_options_that_do_not_go_together_are_one_line(sound, options, part):
    assert_one_line(run(sound, *options), part)
