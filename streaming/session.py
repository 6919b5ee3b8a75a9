"""One face at work: a sound source -> steps on a worker thread -> publications.

The event loop only moves sound and finished steps. Whatever has arrived is handed to the worker
in one call, and the next call starts when that one returns; so nothing but the sound source holds
work, and of the steps that a late worker then finds only the newest two get a picture.

Read next: `streaming/ingest.py` before it, `streaming/playout.py` behind it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from streaming.camera import Camera
from streaming.face import FaceEngine
from streaming.ingest import Ingest
from streaming.metrics import Metrics
from streaming.playout import Publication, Step
from streaming.sound_source import SoundSource
from streaming.step_maker import StepMaker


class Link(Protocol):
    """What a session lives as long as: a caller's connection, or a room that the face is in."""

    connected: asyncio.Event
    """Set when sound may come and steps may go, for the first time."""
    left: asyncio.Event
    """Set when it is over, by either side."""

    async def watch(self) -> None:
        """Return when it is over."""
        ...

    async def aclose(self) -> None:
        """End it, if it has not ended; sets `left`."""
        ...


@dataclass
class Counters:
    """What a session has counted since it began."""

    steps: int = 0
    late_steps: int = 0
    dropped_pictures: int = 0
    dropped_sounds: int = 0
    late_packets: int = 0
    concealed_ms: int = 0


class Session:
    """A sound source, a face and the ways out."""

    def __init__(
        self,
        name: str,
        engine: FaceEngine,
        metrics: Metrics,
        link: Link,
        source: SoundSource,
        outlets: list[Publication],
        seed: int | None = None,
        camera: Camera | None = None,
    ) -> None:
        """A session that has not begun.

        Args:
            name: the id in URLs.
            engine: what all callers share.
            metrics: the process's counters.
            link: ends the session when it ends.
            source: the sound; the session ends when it ends, and closes it.
            outlets: where steps go; the list may change at any time. Rate and drops are those of
                the first one that it has now.
            seed: of the face's own motion; None for another one each time.
            camera: shows the face who speaks; None without one.
        """
        self.name, self.link, self.counters = name, link, Counters()
        self.outlets = outlets
        self._own = outlets[0] if outlets else None
        self._source, self._metrics = source, metrics
        self._lookahead_ms = engine.lookahead_ms
        self._face, self._camera = engine.open_stream(seed), camera
        ingest = Ingest(engine.lookahead_ms, engine.first_coefficient)
        self._maker = StepMaker(self._face, ingest, metrics)
        # one thread: the face and the decoder have state, and steps must stay in order
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"face-{name}")
        self._muted = False
        self._settings: dict[str, Any] = dict(engine.describe().get("settings", {}))
        self._fps = 0.0

    async def run(self) -> None:
        """Live until the link or the sound is over; raises what else ended the session."""
        work = [self._pump(), self._measure(), self.link.watch()]
        if self._camera is not None:
            work.append(self._camera.run(self._face))
        jobs = [asyncio.create_task(job) for job in work]
        try:
            ended, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._end(jobs)
        for job in ended:
            job.result()

    async def control(self, message: dict[str, Any]) -> dict[str, Any]:
        """Apply one control message and return the new settings.

        Raises:
            ValueError: one line for the user; nothing has changed then.
        """
        if message.get("type") == "mute":
            if not isinstance(message.get("value"), bool):
                raise ValueError(f"mute needs value true or false, got {message.get('value')!r}")
            self._muted = message["value"]
        else:
            self._settings = await self._ask_face(self._maker.control, message)
        return self.settings

    async def set_portrait(self, encoded: Any) -> None:
        """Show another portrait, from `FaceEngine.encode_portrait`, from the next step on.

        Raises:
            ValueError: the caller has left.
        """
        await self._ask_face(self._maker.set_portrait, encoded)

    @property
    def settings(self) -> dict[str, Any]:
        """What the face is set to, JSON values."""
        return {**self._settings, "mute": self._muted}

    def stats(self) -> dict[str, Any]:
        """The once-a-second report of docs/wire.md, and the other counters."""
        counters = asdict(self.counters)
        return {
            "step": counters.pop("steps"),
            "fps": round(self._fps, 1),
            "step_ms_p50": round(self._maker.step_ms_p50(), 2),
            "lookahead_ms": self._lookahead_ms,
            **counters,
            **(self._camera.stats() if self._camera else {}),
        }

    async def _ask_face(self, method: Callable[[Any], Any], argument: Any) -> Any:
        """Call a method of the maker on its thread, between two steps."""
        if self.link.left.is_set():
            raise ValueError("the session has ended")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, method, argument)

    async def _pump(self) -> None:
        """Hand what has been heard to the worker, and what it made to the outlets."""
        await self.link.connected.wait()
        loop = asyncio.get_running_loop()
        while (pieces := await self._source.read()) is not None:
            started_s = loop.time()
            is_watched = any(outlet.sends_picture for outlet in self.outlets)
            steps = await loop.run_in_executor(
                self._worker, self._maker.advance, pieces, self._muted, is_watched
            )
            for step in steps:
                for outlet in self.outlets:
                    outlet.push(step)
            self._count(steps, loop.time() - started_s)

    def _count(self, steps: list[Step], elapsed_s: float) -> None:
        """Bring counters and metrics up to date after a call of the worker."""
        own, before, metrics = self._own, self.counters, self._metrics
        late_steps = self._maker.late_steps
        now = self.counters = Counters(
            steps=before.steps + len(steps),
            late_steps=late_steps,
            dropped_pictures=late_steps + (own.dropped_pictures if own else 0),
            dropped_sounds=own.dropped_sounds if own else 0,
            late_packets=self._source.late_packets,
            concealed_ms=self._maker.concealed_ms,
        )
        metrics.steps.inc(len(steps))
        metrics.late_steps.inc(now.late_steps - before.late_steps)
        metrics.dropped_pictures.inc(now.dropped_pictures - before.dropped_pictures)
        metrics.late_packets.inc(now.late_packets - before.late_packets)
        metrics.concealed_samples.inc((now.concealed_ms - before.concealed_ms) * 48)
        if steps:
            metrics.ingest_delay.observe(elapsed_s)

    async def _measure(self) -> None:
        """Once a second: the pictures that went to the caller."""
        loop = asyncio.get_running_loop()
        before, since_s = 0, loop.time()
        while True:
            await asyncio.sleep(1)
            made = self._own.pictures if self._own else self.counters.steps
            self._fps = (made - before) / (loop.time() - since_s)
            before, since_s = made, loop.time()

    async def _end(self, jobs: list[asyncio.Task[None]]) -> None:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
        await self._source.aclose()
        await self.link.aclose()
        self._worker.shutdown(wait=False, cancel_futures=True)
