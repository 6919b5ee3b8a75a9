import os
import shutil
import socket
import subprocess
import sys
import wave
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.streaming.conftest import start_server  # noqa: F401

ROOT = Path(__file__).parents[2]
SPEECH = ROOT.parent / "shared" / "data" / "speech" / "librivox_sense_0870.wav"
RATE = 48000
START_S = 120


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serving(folder: Path, *flags: str, env: dict[str, str] | None = None):
    """The address of the real server with the demonstration portrait, in its own process."""
    port = free_port()
    log = folder / "log.txt"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "avatar.serve", "--port", str(port), "--seed", "1", *flags],
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1"} | (env or {}),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        line = process.stdout.readline()
        assert line.startswith("Serving on"), f"the server did not start: {log.read_text()}"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The real server as it is without options."""
    with serving(tmp_path_factory.mktemp("server")) as address:
        yield address


@pytest.fixture
def sad_server(tmp_path):
    """The real server with `--emotion sad`."""
    with serving(tmp_path, "--emotion", "sad") as address:
        yield address


def read_mono(path: Path) -> np.ndarray:
    """[S] float64 at 48 kHz of a 16-bit mono WAV."""
    with wave.open(str(path)) as file:
        rate = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)
    times = np.arange(int(len(samples) * RATE / rate)) / RATE
    return np.interp(times, np.arange(len(samples)) / rate, samples)


def some_speech(folder: Path) -> np.ndarray:
    """At least 4 s of real speech if the data is there, else of espeak-ng's."""
    if SPEECH.exists():
        return read_mono(SPEECH)
    if shutil.which("espeak-ng") is None:
        pytest.skip("neither speech data nor espeak-ng is here")
    path = folder / "espeak.wav"
    text = "People who mumble may open banana boxes for mama. A pop or a bump amuses Bob every day."
    subprocess.run(["espeak-ng", "-w", str(path), text], check=True)
    return read_mono(path)


@pytest.fixture(scope="session")
def speech_with_pauses(tmp_path_factory) -> Path:
    """A WAV of two stretches of speech with pauses of 2.5 s before and between them."""
    folder = tmp_path_factory.mktemp("speech")
    speech = some_speech(folder)
    loud = np.flatnonzero(np.abs(speech) > 0.05 * np.abs(speech).max())
    speech = speech[loud[0] : loud[0] + 5 * RATE]
    speech *= 12000 / np.abs(speech).max()
    pause = np.zeros(int(2.5 * RATE))
    half = len(speech) // 2
    whole = np.concatenate((pause, speech[:half], pause, speech[half:]))
    path = folder / "speech.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(whole.astype("<i2").tobytes())
    return path


@pytest.fixture(scope="session")
def expected_opening(speech_with_pauses, tmp_path_factory) -> np.ndarray:
    """How far the lips open when the engine itself renders that speech, [N], one each 40 ms."""
    from tests.e2e.synchrony import rendered_opening

    return rendered_opening(speech_with_pauses, tmp_path_factory.mktemp("rendered"))
