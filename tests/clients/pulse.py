"""A real PulseAudio with virtual devices, and the two ends of them that a test holds.

`microphone` is a pipe source that hears what is written into its FIFO, at the writer's pace;
`avatar` is a null sink, and `avatar_mic` the microphone that a call program would choose for it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

RATE = 48000
CHUNK = 480
PIPE_BYTES = 4096
SCRIPT = """load-module module-native-protocol-unix auth-anonymous=1
load-module module-null-sink sink_name=avatar rate=48000 channels=2
load-module module-remap-source source_name=avatar_mic master=avatar.monitor
load-module module-pipe-source source_name=microphone file={fifo} format=s16le rate=48000 channels=1
set-default-source microphone
set-default-sink avatar
"""


def is_installed() -> bool:
    return shutil.which("pulseaudio") is not None and shutil.which("parec") is not None


@contextmanager
def pulse_audio(folder: Path) -> Iterator[dict[str, str]]:
    """Run a daemon of our own; gives the environment in which programs find it."""
    environment = os.environ | {"XDG_RUNTIME_DIR": str(folder), "HOME": str(folder)}
    (folder / "devices.pa").write_text(SCRIPT.format(fifo=folder / "microphone.fifo"))
    options = ("-n", "--daemonize=no", "--exit-idle-time=-1", "-F", str(folder / "devices.pa"))
    with (folder / "pulseaudio.log").open("wb") as log:
        daemon = subprocess.Popen(["pulseaudio", *options], env=environment, stderr=log, stdout=log)
        try:
            _wait_for_devices(environment)
            yield environment
        finally:
            daemon.terminate()
            daemon.wait(10)


def _wait_for_devices(environment: dict[str, str]) -> None:
    for _ in range(100):
        command = ["pactl", "list", "short", "sources"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if "microphone" in done.stdout:
            return
        time.sleep(0.1)
    raise RuntimeError(f"PulseAudio has no devices: {done.stderr}")


class Speaker:
    """Speaks into the microphone's FIFO at a pace of its own, in chunks of 10 ms."""

    def __init__(self, fifo: Path, sound: Callable[[int, int], np.ndarray], ppm: float) -> None:
        """Begin to write `sound(position, count)`, [count] int16, `ppm` faster than 48 kHz."""
        self._sound, self._hz = sound, RATE * (1 + ppm * 1e-6)
        self._is_over = False
        self._fifo = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        fcntl.fcntl(self._fifo, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._thread = threading.Thread(target=self._speak, daemon=True)
        self._thread.start()

    def _speak(self) -> None:
        started_s, position = time.monotonic(), 0
        while not self._is_over:
            if self._write(self._sound(position, CHUNK).tobytes()):
                position += CHUNK
            time.sleep(max(0.001, started_s + position / self._hz - time.monotonic()))

    def _write(self, chunk: bytes) -> bool:
        """Whether the FIFO took it: nobody reads when nobody records."""
        try:
            return os.write(self._fifo, chunk) == len(chunk)
        except (BlockingIOError, BrokenPipeError):
            return False

    def close(self) -> None:
        self._is_over = True
        self._thread.join()
        os.close(self._fifo)


class Recorder:
    """Records the virtual microphone as a call program would, and says when each sample came."""

    SETTLE_CHUNKS = 500

    def __init__(
        self, environment: dict[str, str], heard: Callable[[np.ndarray, float], None]
    ) -> None:
        """Call `heard(samples [n] int16, time of the first one)` for everything recorded."""
        options = ("-d", "avatar_mic", "--raw", "--rate=48000", "--channels=1", "--latency-msec=5")
        self._process = subprocess.Popen(
            ["parec", *options, "--format=s16le"], env=environment, stdout=subprocess.PIPE
        )
        self._heard = heard
        self._starts_s: list[float] = []
        self._thread = threading.Thread(target=self._record, daemon=True)
        self._thread.start()

    def _record(self) -> None:
        assert self._process.stdout is not None
        descriptor, count, odd = self._process.stdout.fileno(), 0, b""
        while data := os.read(descriptor, 65536):
            now_s = time.monotonic()
            data, odd = odd + data, b""
            if len(data) % 2:
                data, odd = data[:-1], data[-1:]
            samples = np.frombuffer(data, np.int16)
            # chunks come late, never early: the earliest of the last ones tells the pace
            self._starts_s = [*self._starts_s, now_s - (count + len(samples)) / RATE]
            self._starts_s = self._starts_s[-self.SETTLE_CHUNKS :]
            self._heard(samples, min(self._starts_s) + count / RATE)
            count += len(samples)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._thread.join()
