"""`python -m benchmarks.virtual_camera --seconds 3600 --ppm 200`: does it stay in step for an hour?

The real client with a real PulseAudio and the real server, the painted meter in place of the face:
it flashes in the step in which it hears a beep. The microphone speaks `--ppm` faster than the
machine's clock, by which the output plays. Only the kernel's camera device is replaced. Every few
seconds a line tells the largest skew of any picture since the line before, every minute the memory
of the client and of the server.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tests.clients.pulse import Recorder, Speaker, pulse_audio
from tests.clients.skew import Beeps, beeps, read_shown, skews_ms

REPORT_S, MEMORY_S = 5.0, 60.0
SETTLE_S = 10.0
"""A call's first seconds, in which sound is skipped until the reserve fits, are not measured."""
KEPT_PICTURES = 1500


def get_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--ppm", type=float, default=200, help="of the microphone's clock")
    return parser


class Run:
    """One call and what is known of it."""

    def __init__(self, client: subprocess.Popen, server_pid: int, log: Path) -> None:
        self.client, self.server_pid, self._log = client, server_pid, log.open()
        self.started_s = time.monotonic()
        self.beeps = Beeps()
        self.lines: list[str] = []
        self.skews: list[tuple[float, float]] = []
        self.memory_mb: list[tuple[float, float]] = []
        self._measured_until_s = 0.0

    def measure(self) -> np.ndarray:
        """Skews in ms of the pictures that have become measurable since the last call."""
        self.lines = (self.lines + self._log.readlines())[-KEPT_PICTURES:]
        new = [(t, ms) for t, ms in self._skews() if t > self._measured_until_s]
        if new:
            self._measured_until_s = new[-1][0]
        self.skews += new
        return np.array([ms for _, ms in new])

    def _skews(self) -> list[tuple[float, float]]:
        whole = [line for line in self.lines if line.endswith("\n")]
        return skews_ms(read_shown(whole), tuple(self.beeps.heard_s))

    def look_at_memory(self) -> tuple[float, float]:
        """Memory of client and server, MB."""
        self.memory_mb.append((memory_mb(self.client.pid), memory_mb(self.server_pid)))
        return self.memory_mb[-1]


def server_of(client_pid: int) -> int:
    """The process that a client has started."""
    children = Path(f"/proc/{client_pid}/task/{client_pid}/children").read_text()
    return int(children.split()[0])


def memory_mb(pid: int) -> float:
    """Resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


@contextmanager
def calling(folder: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen]:
    """The client, until the context ends; its last words are printed by itself."""
    options = ("--start", "--emotion", "happy", "--microphone", "microphone", "--output", "avatar")
    program = [sys.executable, "-m", "tests.clients.camera_program", str(folder / "camera.txt")]
    client = subprocess.Popen([*program, *options], env=environment, stdin=subprocess.DEVNULL)
    try:
        yield client
    finally:
        client.send_signal(signal.SIGTERM)
        client.wait(20)


def run(seconds: float, ppm: float) -> dict:
    """Call for so long; the figures."""
    with (
        tempfile.TemporaryDirectory() as name,
        pulse_audio(Path(name)) as environment,
    ):
        folder = Path(name)
        speaker = Speaker(folder / "microphone.fifo", beeps, ppm)
        with calling(folder, environment) as client:
            log = folder / "camera.txt"
            while not (log.exists() and log.stat().st_size):
                if client.poll() is not None:
                    raise SystemExit(f"the client ended with {client.returncode}")
                time.sleep(0.1)
            call = Run(client, server_of(client.pid), log)
            time.sleep(SETTLE_S)
            recorder = Recorder(environment, call.beeps.hear)
            _watch(call, seconds)
            recorder.close()
        speaker.close()
    return figures(call)


def _watch(call: Run, seconds: float) -> None:
    """Report until the time is over or the client has ended."""
    next_memory_s = SETTLE_S
    while (passed_s := time.monotonic() - call.started_s) < seconds and call.client.poll() is None:
        time.sleep(REPORT_S)
        if len(ms := call.measure()):
            print(f"{passed_s:7.0f} s  skew {ms.min():+6.1f} .. {ms.max():+6.1f} ms", flush=True)
        if passed_s >= next_memory_s:
            client, server = call.look_at_memory()
            next_memory_s += MEMORY_S
            print(f"{passed_s:7.0f} s  memory {client:.1f} and {server:.1f} MB", flush=True)


def figures(call: Run) -> dict:
    """Everything measured."""
    ms = np.array([skew for _, skew in call.skews])
    times = np.array([at for at, _ in call.skews])
    hour = np.polyfit(times, ms, 1)[0] * 3600
    return {
        "pictures": len(ms),
        "seconds": round(float(times[-1] - times[0]), 1),
        "skew_ms": dict(
            zip(
                ("min", "p1", "p50", "p95", "p99", "max"),
                np.percentile(ms, [0, 1, 50, 95, 99, 100]).round(1).tolist(),
                strict=True,
            )
        ),
        "p95_of_distance_ms": round(float(np.percentile(np.abs(ms), 95)), 1),
        "share_within_40_ms": float(np.mean(np.abs(ms) <= 40)),
        "worst_seconds": _worst_seconds(times - call.started_s, ms),
        "skew_trend_ms_per_hour": round(float(hour), 2),
        "client_mb": [round(client, 1) for client, _ in call.memory_mb],
        "server_mb": [round(server, 1) for _, server in call.memory_mb],
    }


def _worst_seconds(passed_s: np.ndarray, ms: np.ndarray) -> list[str]:
    """Every second with a picture beyond 40 ms: when, how many of how many, from where to where."""
    lines = []
    for second in np.unique(passed_s[np.abs(ms) > 40].astype(int)):
        here = ms[passed_s.astype(int) == second]
        beyond = int(np.sum(np.abs(here) > 40))
        lines.append(f"{second} s: {beyond} of {len(here)}, {here.min():+.0f} .. {here.max():+.0f}")
    return lines


def main(argv: list[str] | None = None) -> None:
    options = get_parser().parse_args(argv)
    print(json.dumps(run(options.seconds, options.ppm), indent=2))


if __name__ == "__main__":
    main()
