"""A real Janus in a network of its own.

Janus finds no candidates on the loopback interface, so the network is a namespace in which a
virtual Ethernet device carries 127.0.0.2 as well; that takes root. Everything that talks to Janus
must run in the namespace: `Network.command`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

JANUS = shutil.which("janus")
needs_janus = [
    pytest.mark.skipif(JANUS is None, reason="needs Janus (Debian: apt-get install janus)"),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: Janus wants a network namespace"),
]
ROOM, PIN, API_SECRET, URL = "1234", "5678", "tell nobody", "ws://127.0.0.1:8188"

SERVER = """
general: {{
  configs_folder = "{folder}"
  plugins_folder = "{plugins}"
  transports_folder = "{transports}"
  api_secret = "{secret}"
  session_timeout = 60
}}
media: {{ rtp_port_range = "40000-40400" }}
nat: {{ ice_enforce_list = "127.0.0.2"; ignore_mdns = true; full_trickle = {full_trickle} }}
plugins: {{ disable = "{other_plugins}" }}
transports: {{ disable = "{other_transports}" }}
"""
VIDEOROOM = f"""
general: {{}}
room-{ROOM}: {{
  pin = "{PIN}"
  publishers = 6
  bitrate = 128000
  notify_joining = true
}}
"""
WEBSOCKETS = """
general: { ws = true; ws_port = 8188; ws_ip = "127.0.0.1"; wss = false }
"""
NETWORK = """
ip link set lo up
ip link add jv0 type veth peer name jv1
ip addr add 127.0.0.2/32 dev jv0
ip link set jv0 up
ip link set jv1 up
echo up
exec sleep infinity
"""


class Network(NamedTuple):
    """A network namespace, by a process that lives in it."""

    pid: int

    def command(self, *words: str) -> list[str]:
        """The command that runs `words` in this network."""
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net", "--", *words]


@contextmanager
def network() -> Iterator[Network]:
    """A network namespace with loopback and 127.0.0.2; skips where none can be made."""
    holder = subprocess.Popen(
        ["unshare", "-n", "sh", "-ec", NETWORK],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        if holder.stdout.readline().strip() != "up":
            pytest.skip(f"no network namespace can be made: {holder.stderr.readline().strip()}")
        yield Network(holder.pid)
    finally:
        holder.kill()
        holder.communicate()


class Janus:
    """A server that can be stopped and started again."""

    def __init__(self, folder: Path, network: Network, full_trickle: bool = False) -> None:
        """Write its configuration into `folder`."""
        self._folder, self._network = folder, network
        library = next(Path("/usr/lib").glob("*/janus"))
        server = SERVER.format(
            folder=folder,
            plugins=library / "plugins",
            transports=library / "transports",
            secret=API_SECRET,
            full_trickle=str(full_trickle).lower(),
            other_plugins=_all_but(library / "plugins", "libjanus_videoroom"),
            other_transports=_all_but(library / "transports", "libjanus_websockets"),
        )
        (folder / "janus.jcfg").write_text(server)
        (folder / "janus.plugin.videoroom.jcfg").write_text(VIDEOROOM)
        (folder / "janus.transport.websockets.jcfg").write_text(WEBSOCKETS)
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        """Start, and return when it takes connections."""
        words = [JANUS, "-F", str(self._folder), "-C", str(self._folder / "janus.jcfg"), "-o"]
        log = (self._folder / "janus.log").open("ab")
        self._process = subprocess.Popen(
            self._network.command(*words), stdout=log, stderr=subprocess.STDOUT
        )
        probe = self._network.command("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8188")
        for _ in range(100):
            if subprocess.run(probe, stderr=subprocess.DEVNULL, check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise AssertionError(f"Janus did not start: {self._folder / 'janus.log'}")

    def stop(self) -> None:
        """Kill it: nobody is told."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(10)


def _all_but(folder: Path, name: str) -> str:
    return ",".join(p.name for p in folder.glob("*.so") if p.stem != name)


@contextmanager
def running_janus(folder: Path, full_trickle: bool = False) -> Iterator[tuple[Janus, Network]]:
    """A server and the network that it is in."""
    with network() as namespace:
        janus = Janus(folder, namespace, full_trickle)
        janus.start()
        try:
            yield janus, namespace
        finally:
            janus.stop()
