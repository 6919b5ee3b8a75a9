"""`python -m tests.e2e.janus_peer`: somebody else in a VideoRoom, who watches and may speak.

Keeps what arrives from one participant, through restarts of Janus, until that one has left for good
or the time is over; writes times, pictures and sound to an npz file.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path

import cv2
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame, VideoFrame

from clients.arrival import release_promptly
from clients.sound import SentSound, SoundTrack, read_sound
from streaming.rooms.janus_session import JanusSession, Message, data_of
from streaming.rooms.participant import RoomError
from streaming.rooms.staying import LostError

PLUGIN = "janus.plugin.videoroom"
SIDE = 320


Arrival = tuple[float, float]
"""When a frame came, in seconds since the epoch, and its own time in its stream, in seconds."""


class JanusPeer:
    """One participant."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.picture_times: list[Arrival] = []
        self.pictures: list[np.ndarray] = []
        self.sound_times: list[Arrival] = []
        self.sounds: list[np.ndarray] = []
        self.spoken: list[SoundTrack] = []
        self.left_s = 0.0
        self._over = asyncio.Event()
        self._found: asyncio.Queue[Message] = asyncio.Queue()
        self._feed = None
        self._readers: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Stay until it is over, whatever Janus does meanwhile."""
        visiting = asyncio.create_task(self._keep_visiting())
        try:
            await asyncio.wait_for(self._over.wait(), self.options.seconds)
        except TimeoutError:
            print("the time is over", flush=True)
        visiting.cancel()
        await asyncio.gather(visiting, *self._readers, return_exceptions=True)

    def save(self) -> None:
        """Write what has arrived."""
        sound = np.stack(self.sounds) if self.sounds else np.zeros((0, 960), np.int16)
        np.savez(
            self.options.out,
            picture_times=np.array(self.picture_times).reshape(-1, 2),
            pictures=np.array([_jpeg(picture) for picture in self.pictures], object),
            sound_times=np.array(self.sound_times).reshape(-1, 2),
            sound=sound,
            spoke_times=[_since_epoch(track.started) for track in self.spoken],
            left_s=self.left_s,
        )

    async def _keep_visiting(self) -> None:
        while True:
            connections: list[RTCPeerConnection] = []
            try:
                async with JanusSession(self.options.url, self.options.api_secret) as session:
                    await self._visit(session, connections)
            except (LostError, RoomError) as error:
                print(error, flush=True)
                await asyncio.sleep(0.2)
            finally:
                await asyncio.gather(*(connection.close() for connection in connections))

    async def _visit(self, session: JanusSession, connections: list[RTCPeerConnection]) -> None:
        handle = await session.attach(PLUGIN, self._hear)
        joined = await session.message(
            handle,
            {"request": "join", "ptype": "publisher", **self._room, "display": self.options.name},
        )
        print("joined", flush=True)
        if self.options.speak:
            connections.append(await self._speak(session, handle))
        self._hear(joined)
        while True:
            found = asyncio.create_task(self._found.get())
            await asyncio.wait({found, session.lost}, return_when=asyncio.FIRST_COMPLETED)
            if session.lost.done():
                found.cancel()
                session.lost.result()
            connections.append(await self._watch(session, found.result()))

    @property
    def _room(self) -> Message:
        room = self.options.room
        pin = {} if self.options.pin is None else {"pin": self.options.pin}
        return {"room": int(room) if room.isdecimal() else room, **pin}

    def _hear(self, message: Message) -> None:
        data = data_of(message)
        for publisher in data.get("publishers", []):
            if publisher.get("display") == self.options.watch and publisher.get("streams"):
                self._feed = publisher["id"]
                self._found.put_nowait(publisher)
        if self._feed is not None and data.get("leaving") == self._feed:
            self.left_s = time.time()
            print("left", flush=True)
            self._over.set()

    async def _speak(self, session: JanusSession, handle: int) -> RTCPeerConnection:
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.spoken.append(SoundTrack(SentSound(read_sound(self.options.speak), looped=True)))
        connection.addTransceiver(self.spoken[-1], direction="sendonly")
        await connection.setLocalDescription(await connection.createOffer())
        offer = {"type": "offer", "sdp": connection.localDescription.sdp, "trickle": False}
        event = await session.message(handle, {"request": "publish"}, offer)
        await connection.setRemoteDescription(RTCSessionDescription(event["jsep"]["sdp"], "answer"))
        return connection

    async def _watch(self, session: JanusSession, publisher: Message) -> RTCPeerConnection:
        handle = await session.attach(PLUGIN, lambda message: None)
        request = {"request": "join", "ptype": "subscriber", **self._room}
        offered = await session.message(handle, {**request, "streams": [{"feed": publisher["id"]}]})
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        connection.on("track", lambda track: self._take(connection, track))
        offer = RTCSessionDescription(offered["jsep"]["sdp"], "offer")
        await connection.setRemoteDescription(offer)
        await connection.setLocalDescription(await connection.createAnswer())
        answer = {"type": "answer", "sdp": connection.localDescription.sdp, "trickle": False}
        await session.message(handle, {"request": "start"}, answer)
        print("watching", flush=True)
        return connection

    def _take(self, connection: RTCPeerConnection, track: MediaStreamTrack) -> None:
        receiver = next(r for r in connection.getReceivers() if r.track is track)
        release_promptly(receiver, track.kind)
        read = self._see if track.kind == "video" else self._listen
        self._readers.append(asyncio.create_task(read(track)))

    async def _see(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                frame = await track.recv()
                self.picture_times.append(_arrival(frame))
                self.pictures.append(frame.to_ndarray(width=SIDE, height=SIDE, format="yuv420p"))
        except MediaStreamError:
            return

    async def _listen(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                frame = await track.recv()
                self.sound_times.append(_arrival(frame))
                self.sounds.append(frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0])
        except MediaStreamError:
            return


def _arrival(frame: AudioFrame | VideoFrame) -> Arrival:
    return time.time(), float(frame.pts * frame.time_base)


def _since_epoch(loop_s: float | None) -> float:
    """Of a time of the event loop; 0 for none."""
    return 0.0 if loop_s is None else loop_s + time.time() - asyncio.get_running_loop().time()


def _jpeg(picture: np.ndarray) -> bytes:
    """Of a yuv420p picture; after the call, which has no time for it."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_YUV2BGR_I420)
    return cv2.imencode(".jpg", bgr)[1].tobytes()


def get_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--room", required=True)
    parser.add_argument("--pin")
    parser.add_argument("--api-secret")
    parser.add_argument("--name", default="somebody")
    parser.add_argument("--watch", metavar="NAME", required=True)
    parser.add_argument("--speak", metavar="WAV", help="say this again and again")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--out", type=Path, required=True)
    return parser


async def run(options: argparse.Namespace) -> None:
    peer = JanusPeer(options)
    await peer.run()
    peer.save()


if __name__ == "__main__":
    asyncio.run(run(get_parser().parse_args()))
