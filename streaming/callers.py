"""All callers of one server: who may come, who is there, who has left."""

from __future__ import annotations

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from streaming.caller import MOST_VIEWERS, Caller
from streaming.camera import Camera
from streaming.face import FaceEngine
from streaming.ice import IceSettings
from streaming.metrics import Metrics
from streaming.peer import Peer
from streaming.playout import Outlet
from streaming.session import Session
from streaming.sound_source import PacketSource

MOST_PORTRAITS = 4
"""Uploads that may wait for their encoding."""


class FullError(Exception):
    """There is no room for another caller, viewer or upload."""


class Callers:
    """The callers of one engine, at most `most`."""

    def __init__(
        self,
        engine: FaceEngine,
        most: int,
        ice: IceSettings | None = None,
        seed: int | None = None,
    ) -> None:
        """Nobody is there yet.

        Args:
            engine: what all callers share.
            most: callers at once.
            ice: how peers from other networks are reached; None for their own addresses only.
            seed: of every face's own motion; None for another one each time.
        """
        self.engine, self.most, self.metrics = engine, most, Metrics()
        # one thread for all: finding a face takes the processor that the callers' steps need
        self._encoder = ThreadPoolExecutor(max_workers=1, thread_name_prefix="portrait")
        self._encoding = 0
        self._looker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="camera")
        self.ice, self._seed = ice or IceSettings(), seed
        self._callers: dict[str, Caller] = {}
        self._entering = 0
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def active(self) -> int:
        """Callers who are there or about to be."""
        return len(self._callers) + self._entering

    def get(self, name: str) -> Caller | None:
        """The caller with this id, if still there."""
        return self._callers.get(name)

    def newest_published(self) -> Caller | None:
        """The caller who came last over WHIP."""
        return next((c for c in reversed(self._callers.values()) if c.is_published), None)

    async def enter(self, sdp: str, is_published: bool = False) -> tuple[Caller, str]:
        """Answer a caller's offer.

        Args:
            sdp: the offer; it must send audio.
            is_published: the face goes to viewers instead of back.

        Returns:
            The caller and the SDP of the answer.

        Raises:
            FullError: there are `most` callers already.
            ValueError: the offer cannot be used.
            NoWayError: no TURN server lets us in through which media must go.
        """
        if self.active >= self.most:
            raise FullError(f"all {self.most} sessions are in use")
        self._entering += 1
        outlet = None if is_published else Outlet()
        peer = Peer(self.ice, outlet)
        try:
            source, camera = PacketSource(), Camera(self._looker)
            answer = await peer.answer(sdp, source.hear, camera)
            session = self._open(peer, source, outlet, camera)
        except BaseException:
            await peer.aclose()
            raise
        finally:
            self._entering -= 1
        return self._admit(session, peer, is_published), answer

    async def watch(self, caller: Caller, sdp: str) -> tuple[str, str]:
        """Answer a viewer's offer; the viewer's id and the SDP of the answer.

        Raises:
            FullError: the caller has `MOST_VIEWERS` viewers already.
            ValueError: the offer cannot be used.
            NoWayError: no TURN server lets us in through which media must go.
        """
        if len(caller.viewers) >= MOST_VIEWERS:
            raise FullError(f"all {MOST_VIEWERS} viewers' places are in use")
        outlet = Outlet()
        peer = Peer(self.ice, outlet)
        try:
            answer = await peer.answer(sdp, None)
            if caller.run.done():
                raise ValueError("the session has ended")
        except BaseException:
            await peer.aclose()
            raise
        name = secrets.token_urlsafe(9)
        caller.add_viewer(name, peer, outlet, self.metrics)
        return name, answer

    async def encode_portrait(self, data: bytes) -> Any:
        """`FaceEngine.encode_portrait`, one at a time and off the event loop.

        Raises:
            FullError: `MOST_PORTRAITS` are waiting already.
            ValueError: one line for the user when no usable face can be read.
        """
        if self._encoding >= MOST_PORTRAITS:
            raise FullError(f"{MOST_PORTRAITS} portraits are waiting already")
        self._encoding += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._encoder, self.engine.encode_portrait, data)
        finally:
            self._encoding -= 1

    async def aclose(self) -> None:
        """End everything."""
        await asyncio.gather(*(caller.leave() for caller in list(self._callers.values())))
        await asyncio.gather(*self._leaving, return_exceptions=True)
        for worker in (self._encoder, self._looker):
            worker.shutdown(wait=False, cancel_futures=True)

    def _open(
        self, peer: Peer, source: PacketSource, outlet: Outlet | None, camera: Camera
    ) -> Session:
        name, own = secrets.token_urlsafe(9), [] if outlet is None else [outlet]
        engine, seed = self.engine, self._seed
        return Session(name, engine, self.metrics, peer, source, [*own], seed, camera)

    def _admit(self, session: Session, peer: Peer, is_published: bool) -> Caller:
        caller = self._callers[session.name] = Caller(session, peer, is_published)
        self.metrics.sessions.inc()
        caller.run.add_done_callback(lambda _: self._forget(session.name))
        return caller

    def _forget(self, name: str) -> None:
        """Let go of a caller whose session has ended, viewers included."""
        caller = self._callers.pop(name)
        self.metrics.sessions.dec()
        job = asyncio.create_task(caller.leave())
        self._leaving.add(job)
        job.add_done_callback(self._leaving.discard)
