"""A stand-in for the server that returns the caller's sound with known delays and painted pictures.

It speaks the part of docs/wire.md that a caller needs, so a client's figures can be compared with
what really happened: the delays are set here, and pictures are repeated or left out on purpose.
"""

import asyncio
import contextlib
import fractions
import itertools
import json
from dataclasses import dataclass, field

import av
import numpy as np
from aiohttp import web
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError

from clients.arrival import release_promptly
from clients.sound import packet_of

STEP_SAMPLES = 1920
PACKET_SAMPLES = 960


@dataclass
class Echo:
    """What the stand-in does; all times in ms.

    sound_ms: from the last sample of a step to its return. picture_ms: further delay of pictures.
    skipped_packets: of the caller's sound, unheard at the start. frozen, missing: picture indices.
    """

    sound_ms: float = 60.0
    picture_ms: float = 0.0
    skipped_packets: int = 0
    frozen: frozenset[int] = frozenset()
    missing: frozenset[int] = frozenset()
    size: int = 256
    full: bool = False
    emotions: tuple[str, ...] = ("neutral", "happy")
    peers: list[RTCPeerConnection] = field(default_factory=list)
    controls: list[dict] = field(default_factory=list)
    deleted: int = 0


class Out(MediaStreamTrack):
    """A track that gives out frames when they are put."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__()
        self.frames: asyncio.Queue = asyncio.Queue(maxsize=100)

    async def recv(self) -> av.frame.Frame:
        return await self.frames.get()


def paint(echo: Echo, step: int) -> av.VideoFrame:
    """Bars that move with the step, so that no two pictures are alike unless told so."""
    while step in echo.frozen:
        step -= 1
    x = np.arange(echo.size)
    rows = (127 + 100 * np.sin((x + 7 * step) / 20)).astype(np.uint8)
    image = np.repeat(rows[None], echo.size, axis=0)
    frame = av.VideoFrame.from_ndarray(np.stack([image] * 3, axis=2), format="rgb24")
    return frame.reformat(format="yuv420p")


async def steps_of(track: MediaStreamTrack, skipped: int):
    """The caller's sound, [1920] int16 mono at a time."""
    held = np.zeros(0, np.int16)
    packets = 0
    while True:
        frame = await track.recv()
        packets += 1
        if packets <= skipped:
            continue
        held = np.concatenate((held, frame.to_ndarray().reshape(-1, 2)[:, 0]))
        if len(held) >= STEP_SAMPLES:
            yield held[:STEP_SAMPLES].copy()
            held = held[STEP_SAMPLES:]


async def answer_sound(echo: Echo, track: MediaStreamTrack, video: Out, audio: Out) -> None:
    """Hear steps, and give them back in their order by one task."""
    loop, heard = asyncio.get_running_loop(), asyncio.Queue()
    giving = asyncio.create_task(give_back(echo, heard, video, audio))
    try:
        async for samples in steps_of(track, echo.skipped_packets):
            heard.put_nowait((loop.time() + echo.sound_ms / 1e3, samples))
    finally:
        giving.cancel()


async def give_back(echo: Echo, heard: asyncio.Queue, video: Out, audio: Out) -> None:
    loop = asyncio.get_running_loop()
    for step in itertools.count():
        due, samples = await heard.get()
        picture = paint(echo, step)
        picture.pts, picture.time_base = 3600 * step, fractions.Fraction(1, 90000)
        for half in range(2):
            part = samples[half * PACKET_SAMPLES : (half + 1) * PACKET_SAMPLES]
            await asyncio.sleep(due + 0.02 * half - loop.time())
            audio.frames.put_nowait(packet_of(part, STEP_SAMPLES * step + half * PACKET_SAMPLES))
            if not half and step not in echo.missing:
                loop.call_later(echo.picture_ms / 1e3, video.frames.put_nowait, picture)


def app_of(echo: Echo) -> web.Application:
    app = web.Application()
    tasks: set[asyncio.Task] = set()

    async def offer(request: web.Request) -> web.Response:
        if echo.full:
            return web.json_response({"error": "all 1 sessions are taken"}, status=503)
        body = await request.json()
        config = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        peer = RTCPeerConnection(config)
        echo.peers.append(peer)
        video, audio = Out("video"), Out("audio")

        @peer.on("track")
        def on_track(track: MediaStreamTrack) -> None:
            tasks.add(asyncio.create_task(swallow_end(answer_sound(echo, track, video, audio))))

        await peer.setRemoteDescription(RTCSessionDescription(body["sdp"], body["type"]))
        release_promptly(peer.getTransceivers()[0].receiver, "audio")
        peer.addTrack(audio)
        peer.addTrack(video)
        await peer.setLocalDescription(await peer.createAnswer())
        return web.json_response(
            {"sdp": peer.localDescription.sdp, "type": "answer", "session": "s1"}
        )

    async def control(request: web.Request) -> web.Response:
        message = json.loads(await request.text())
        echo.controls.append(message)
        if message.get("name") not in echo.emotions:
            return web.json_response({"error": f"unknown emotion {message['name']!r}"}, status=400)
        return web.json_response({})

    async def leave(request: web.Request) -> web.Response:
        echo.deleted += 1
        return web.json_response({})

    async def end(app: web.Application) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*[peer.close() for peer in echo.peers])

    app.router.add_post("/offer", offer)
    app.router.add_post("/api/v1/sessions/s1/control", control)
    app.router.add_delete("/api/v1/sessions/s1", leave)
    app.on_shutdown.append(end)
    return app


async def swallow_end(work) -> None:
    with contextlib.suppress(MediaStreamError):
        await work
