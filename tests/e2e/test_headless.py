"""The headless client against the real server: the figures it writes are sane."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KEYS = {
    *("frames", "fps", "first_frame_ms", "mic_to_sound_ms", "av_skew_ms", "mic_to_picture_ms"),
    *("frozen_frames", "dropped_frames"),
}


@pytest.mark.slow
def test_headless_call_has_all_figures_within_bounds(server, speech_with_pauses, tmp_path):
    out, stats = tmp_path / "out.mp4", tmp_path / "stats.json"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "clients.headless", "--url", server),
            *("--audio", str(speech_with_pauses), "--out", str(out), "--stats", str(stats)),
            *("--seconds", "15", "--emotion", "happy"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(stats.read_text())
    assert figures.keys() >= KEYS
    assert figures["frames"] >= 24 * 13
    assert figures["fps"] >= 24
    assert figures["first_frame_ms"] < 3000
    assert -40 <= figures["av_skew_ms"] <= 40
    for name in ("mic_to_sound_ms", "mic_to_picture_ms"):
        assert 60 < figures[name]["p50"] <= figures[name]["p95"] < 400
    assert figures["dropped_frames"] < 0.04 * figures["frames"]
    assert out.stat().st_size > 50_000
