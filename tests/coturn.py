"""A real coturn on loopback: STUN and TURN over UDP and TCP, with one user."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

TURNSERVER = shutil.which("turnserver")
needs_coturn = pytest.mark.skipif(TURNSERVER is None, reason="needs coturn")
CONFIGURATION = """
listening-ip=127.0.0.1
relay-ip=127.0.0.1
listening-port={port}
min-port=41000
max-port=41200
realm=test.invalid
user={user}:{password}
lt-cred-mech
fingerprint
no-tls
no-dtls
no-cli
allow-loopback-peers
no-multicast-peers
log-file={folder}/turn.log
simple-log
pidfile={folder}/turn.pid
userdb={folder}/turn.db
"""


class Coturn(NamedTuple):
    """Where it listens and whom it lets in."""

    address: str
    user: str = "someone"
    password: str = "s:e/c@r et"

    @property
    def environment(self) -> dict[str, str]:
        """Its credentials as our programs take them."""
        return {"AVATAR_TURN_USER": self.user, "AVATAR_TURN_PASSWORD": self.password}


@contextmanager
def running_coturn(folder: Path) -> Iterator[Coturn]:
    """A server that runs until the end, its files in `folder`."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    coturn = Coturn(f"127.0.0.1:{port}")
    path = folder / "turn.conf"
    path.write_text(
        CONFIGURATION.format(port=port, folder=folder, user=coturn.user, password=coturn.password)
    )
    command = [TURNSERVER, "-c", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield coturn
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int) -> None:
    for _ in range(100):
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("coturn did not start")
