"""A tiny EAMM, its base model trained for a moment, is a caller's face through the real server."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from avatar import train
from tests.e2e.conftest import serving

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A few steps of every stage on a synthetic set: enough to have all files, not to look good."""
    data, out = tmp_path_factory.mktemp("clips"), tmp_path_factory.mktemp("eamm")
    size = ["--persons", "2", "--clips", "1", "--pictures", "26"]
    assert train.main(["eamm-synthetic", "--out", str(data), *size]) == 0
    common = ["--data", str(data), "--out", str(out), "--batch", "2"]
    trunk = ["--trunk", "random"]
    assert train.main(["fomm", *common, *trunk, "--size", "small", "--steps", "30"]) == 0
    assert train.main(["a2fd", *common, *trunk, "--steps", "5"]) == 0
    assert train.main(["eamm-emotion", *common, "--steps", "5"]) == 0
    return out


@pytest.fixture(scope="module")
def eamm_server(trained, tmp_path_factory):
    flags = ["--model", "eamm", "--weights", str(trained), "--device", "cpu", "--size", "256"]
    with serving(tmp_path_factory.mktemp("server"), *flags) as address:
        yield address


@pytest.mark.slow
def test_a_trained_eamm_runs_live(eamm_server, tmp_path):
    sound, stats = tmp_path / "noise.wav", tmp_path / "stats.json"
    _write_noise(sound)
    command = [sys.executable, "-m", "clients.headless", "--url", eamm_server]
    command += ["--audio", str(sound), "--out", str(tmp_path / "out.mp4")]
    command += ["--stats", str(stats), "--seconds", "8"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    figures = json.loads(stats.read_text())
    assert figures["frames"] >= 100
    assert figures["mic_to_sound_ms"]["p50"] > 175  # the lookahead of the model is kept to


def _write_noise(path: Path) -> None:
    """Bursts of noise that can be recognised when they come back, 16-bit mono WAV."""
    import wave

    noise = np.random.default_rng(0).normal(size=48000 * 8) * 4000
    noise[np.arange(len(noise)) % 24000 > 8000] = 0
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 48000, 0, "NONE", ""))
        file.writeframes(noise.clip(-32000, 32000).astype("<i2").tobytes())
