"""People in a LiveKit room, by the real SDK: somebody who watches, an agent who speaks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any, NamedTuple

import numpy as np
from livekit import api, rtc

from tests.streaming.meter import read_brightness, read_index

ROOM = "lobby"


def token(identity: str, kind: str = "standard", **attributes: str) -> str:
    """An access token for the room, `attributes` with dots as double underscores."""
    grants = api.VideoGrants(room_join=True, room=ROOM, can_update_own_metadata=True)
    access = api.AccessToken("key", "a secret of 32 characters or more")
    access = access.with_identity(identity).with_kind(kind).with_grants(grants)
    named = {name.replace("__", "."): value for name, value in attributes.items()}
    return access.with_attributes(named).to_jwt()


class Seen(NamedTuple):
    """One received picture. luma: [S, S] uint8, only where the watcher keeps them."""

    at_s: float
    index: int | None
    brightness: float
    luma: np.ndarray | None


class Heard(NamedTuple):
    """10 ms of received sound, 48 kHz."""

    at_s: float
    loudness: float


class Guest:
    """A participant with tasks of its own."""

    def __init__(self) -> None:
        self.room = rtc.Room()
        self._jobs: list[asyncio.Task[None]] = []

    def start(self, job: Coroutine[Any, Any, None]) -> None:
        self._jobs.append(asyncio.create_task(job))

    async def aclose(self) -> None:
        for job in self._jobs:
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)
        await self.room.disconnect()


class Watcher(Guest):
    """Somebody who sees and hears one participant."""

    def __init__(self, whom: str, keeps_pictures: bool = False) -> None:
        super().__init__()
        self.seen: list[Seen] = []
        self.heard: list[Heard] = []
        self.tracks: dict[str, rtc.RemoteTrackPublication] = {}
        self._whom, self._keeps_pictures = whom, keeps_pictures
        self.room.on("track_subscribed", self._on_track)

    def _on_track(self, track, publication, participant) -> None:
        if participant.identity != self._whom:
            return
        self.tracks[publication.name] = publication
        is_video = track.kind == rtc.TrackKind.KIND_VIDEO
        self.start(self._watch(track) if is_video else self._listen(track))

    async def _watch(self, track: rtc.Track) -> None:
        loop = asyncio.get_running_loop()
        async for event in rtc.VideoStream(track, format=rtc.VideoBufferType.I420, capacity=50):
            frame = event.frame
            luma = np.frombuffer(frame.data, np.uint8, frame.width * frame.height)
            luma = luma.reshape(frame.height, frame.width)
            kept = luma.copy() if self._keeps_pictures else None
            self.seen.append(Seen(loop.time(), read_index(luma), read_brightness(luma), kept))

    async def _listen(self, track: rtc.Track) -> None:
        loop = asyncio.get_running_loop()
        async for event in rtc.AudioStream(track, sample_rate=48000, capacity=100):
            samples = np.frombuffer(event.frame.data, np.int16).astype(np.float32)
            self.heard.append(Heard(loop.time(), float(np.sqrt(np.mean(samples**2)))))


class Report(NamedTuple):
    """What the avatar told its agent."""

    at_s: float
    method: str
    payload: dict[str, Any]


class Agent(Guest):
    """A voice agent that sends its speech to an avatar, as LiveKit Agents does."""

    def __init__(self, avatar: str) -> None:
        super().__init__()
        self.reports: list[Report] = []
        self._avatar = avatar

    async def join(self, url: str, identity: str = "agent") -> None:
        await self.room.connect(url, token(identity, "agent"))
        for method in ("lk.playback_started", "lk.playback_finished"):
            self.room.local_participant.register_rpc_method(method, self._on_report)

    async def speak(
        self, samples: np.ndarray, rate: int = 24000, ends: bool = True
    ) -> rtc.ByteStreamWriter:
        """Send an utterance, [S] int16, all at once as a fast voice does."""
        writer = await self.room.local_participant.stream_bytes(
            "utterance",
            topic="lk.audio_stream",
            destination_identities=[self._avatar],
            attributes={"sample_rate": str(rate), "num_channels": "1"},
        )
        await writer.write(samples.tobytes())
        if ends:
            await writer.aclose()
        return writer

    async def interrupt(self) -> str:
        return await self.room.local_participant.perform_rpc(
            destination_identity=self._avatar, method="lk.clear_buffer", payload=""
        )

    def finished(self) -> list[dict[str, Any]]:
        return [r.payload for r in self.reports if r.method == "lk.playback_finished"]

    def _on_report(self, call: rtc.RpcInvocationData) -> str:
        payload = json.loads(call.payload or "{}")
        at_s = asyncio.get_running_loop().time()
        self.reports.append(Report(at_s, call.method, payload))
        return "ok"
