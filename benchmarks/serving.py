"""Servers as processes of their own, as a user starts them, for the benchmarks beside this file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SERVERS = {
    "echo": ["benchmarks.echo"],
    "meter": ["tests.streaming.meter_server", "--max-sessions", "64"],
    "lite": ["avatar.serve", "--max-sessions", "64"],
}
"""A bare aiortc echo of a constant picture; our server without and with the model."""


@contextmanager
def running(name: str) -> Iterator[str]:
    """Run one of `SERVERS` on a free port; gives its URL."""
    command = [sys.executable, "-m", *SERVERS[name], "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        line = server.stdout.readline()
        if not line.startswith("Serving on "):
            raise RuntimeError(f"{name} did not start: {line!r}")
        yield line.removeprefix("Serving on ").strip()
    finally:
        server.terminate()
        server.wait(10)
