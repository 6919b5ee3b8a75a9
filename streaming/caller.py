"""One caller and everyone who watches: owns the tasks of the session, its viewers and channels."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from aiortc import RTCDataChannel

from streaming.control import LABEL, ControlChannel
from streaming.metrics import Metrics
from streaming.peer import Peer
from streaming.playout import Outlet
from streaming.session import Session

MOST_VIEWERS = 16
"""Viewers of one caller: each costs an encoder."""
MOST_JOBS = MOST_VIEWERS + 4
"""Viewers and data channels."""


class Caller:
    """A session, its viewers and the tasks that keep them alive."""

    def __init__(self, session: Session, is_published: bool) -> None:
        """Start the session.

        Args:
            session: of this caller.
            is_published: whether the face may be watched (WHIP).
        """
        self.session, self.is_published = session, is_published
        self.viewers: dict[str, Peer] = {}
        self._jobs: set[asyncio.Task[None]] = set()
        session.peer.connection.on("datachannel", self._on_channel)
        self.run = asyncio.create_task(session.run(), name=f"session {session.name}")

    async def leave(self) -> None:
        """End the session and its viewers."""
        self.session.peer.left.set()
        await asyncio.gather(self.run, return_exceptions=True)
        for job in (jobs := list(self._jobs)):
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)

    def add_viewer(self, name: str, peer: Peer, outlet: Outlet, metrics: Metrics) -> None:
        """Show the face to a viewer, from the next step on."""
        self.viewers[name] = peer
        self.session.outlets.append(outlet)
        self._own(self._view(name, peer, outlet, metrics))

    async def _view(self, name: str, peer: Peer, outlet: Outlet, metrics: Metrics) -> None:
        with metrics.viewers.track_inprogress():
            try:
                await peer.watch()
            finally:
                del self.viewers[name]
                self.session.outlets.remove(outlet)
                await peer.aclose()

    def _on_channel(self, channel: RTCDataChannel) -> None:
        if channel.label == LABEL and len(self._jobs) < MOST_JOBS:
            self._own(ControlChannel(self.session, channel).run())

    def _own(self, coroutine: Coroutine[Any, Any, None]) -> None:
        job = asyncio.create_task(coroutine)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
