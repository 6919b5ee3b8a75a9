"""One caller and everyone who watches: owns the tasks of the session, its viewers and channels."""

from __future__ import annotations

import asyncio
import logging
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

log = logging.getLogger(__name__)


class Caller:
    """A session, its viewers and the tasks that keep them alive."""

    def __init__(self, session: Session, peer: Peer, is_published: bool) -> None:
        """Start the session.

        Args:
            session: of this caller.
            peer: the caller's connection.
            is_published: whether the face may be watched (WHIP).
        """
        self.session, self.peer, self.is_published = session, peer, is_published
        self.viewers: dict[str, Peer] = {}
        self._jobs: set[asyncio.Task[None]] = set()
        peer.connection.on("datachannel", self._on_channel)
        self.run = asyncio.create_task(self._run(), name=f"session {session.name}")

    async def leave(self) -> None:
        """End the session and its viewers."""
        self.peer.left.set()
        await asyncio.gather(self.run, return_exceptions=True)
        for job in (jobs := list(self._jobs)):
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)

    def add_viewer(self, name: str, peer: Peer, outlet: Outlet, metrics: Metrics) -> None:
        """Show the face to a viewer, from the next step on."""
        self.viewers[name] = peer
        self.session.outlets.append(outlet)
        self._own(self._view(name, peer, outlet, metrics))

    async def _run(self) -> None:
        try:
            await self.session.run()
        except Exception:
            log.exception("session %s failed", self.session.name)

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
