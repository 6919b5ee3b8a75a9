"""The media of one Janus handle: our connection, with the candidates and the hang-up of Janus."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from streaming.ice import IceSettings
from streaming.peer import Peer
from streaming.playout import Outlet
from streaming.rooms.first_of import first_of
from streaming.rooms.janus_session import Message
from streaming.rooms.staying import LostError

MOST_CANDIDATES = 64
"""Candidates of Janus that may wait; further ones are dropped, Janus finds us through its own."""
CONNECT_S = 10.0

log = logging.getLogger(__name__)


class JanusMedia:
    """A connection to Janus."""

    def __init__(self, ice: IceSettings, outlet: Outlet | None) -> None:
        """Nothing is offered or answered yet.

        Args:
            ice: how Janus is reached.
            outlet: what to send; None to receive only.
        """
        self.peer = Peer(ice, outlet)
        self._fragments: asyncio.Queue[str] = asyncio.Queue(MOST_CANDIDATES)
        self._ending = "its media connection was lost"

    def hear(self, message: Message) -> None:
        """Take an event of the handle that is about media."""
        if message["janus"] == "hangup":
            self._ending = f"it hung up ({message.get('reason', 'no reason given')})"
            self.peer.left.set()
        elif message["janus"] == "trickle":
            with contextlib.suppress(asyncio.QueueFull):
                self._fragments.put_nowait(_fragment(message.get("candidate", {})))

    async def connect(self) -> None:
        """Wait, after offer and answer, until media flows.

        Raises:
            LostError: it does not.
        """
        up, down = self.peer.connected.wait(), self.peer.left.wait()
        await first_of(up, down, self._add_candidates(), timeout_s=CONNECT_S)
        if self.peer.left.is_set():
            raise LostError(f"Janus: {self._ending}")
        if not self.peer.connected.is_set():
            raise LostError(f"Janus: no media connection within {CONNECT_S:.0f} s")

    async def watch(self) -> None:
        """Wait for the end; raises LostError then."""
        await self.peer.watch()
        raise LostError(f"Janus: {self._ending}")

    async def _add_candidates(self) -> None:
        while True:
            fragment = await self._fragments.get()
            try:
                await self.peer.trickle(fragment)
            except ValueError as error:
                log.debug("Janus: %s", error)


def _fragment(candidate: Message) -> str:
    """A trickled candidate as a trickle-ice-sdpfrag; nothing for the end of candidates."""
    line = str(candidate.get("candidate", ""))
    return f"a=mid:{candidate.get('sdpMid', '0')}\r\na={line}\r\n" if line else ""
