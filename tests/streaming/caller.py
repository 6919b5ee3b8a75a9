"""A caller for tests: an aiortc peer that plays a signal and reads the meter that comes back."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from typing import NamedTuple

import aiohttp
import numpy as np
from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame

from tests.streaming.meter import read_brightness, read_index

PACKET = 960
BEEP_EVERY_S, BEEP_S = 1.0, 0.3


def beeps(position: int) -> np.ndarray:
    """20 ms of a signal that beeps in the second half of each second, [960] int16."""
    t = (position + np.arange(PACKET)) / 48000
    on = (t % BEEP_EVERY_S >= 0.5) & (t % BEEP_EVERY_S < 0.5 + BEEP_S)
    return (on * 12000 * np.sin(2 * np.pi * 440 * t)).astype(np.int16)


async def request(method: str, url: str, **options) -> tuple[int, dict]:
    """Status and JSON body of an HTTP request."""
    async with aiohttp.ClientSession() as http, http.request(method, url, **options) as response:
        return response.status, await response.json()


class BeepTrack(MediaStreamTrack):
    """A microphone that hears beeps, and remembers when each began."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.position = 0
        self.start_s: float | None = None
        self.onsets_s: list[float] = []

    async def recv(self) -> AudioFrame:
        loop = asyncio.get_running_loop()
        if self.readyState != "live":
            raise MediaStreamError
        self.start_s = self.start_s if self.start_s is not None else loop.time()
        due_s = self.start_s + (self.position + PACKET) / 48000  # when a sound card would have it
        await asyncio.sleep(max(0.0, due_s - loop.time()))
        if self.position % 48000 == 24000:
            self.onsets_s.append(self.start_s + self.position / 48000)
        samples = beeps(self.position)
        frame = AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, self.position, Fraction(1, 48000)
        self.position += PACKET
        return frame


class Seen(NamedTuple):
    """One received picture."""

    at_s: float
    pts: int
    index: int | None
    brightness: float


class Heard(NamedTuple):
    """One received packet of sound."""

    at_s: float
    pts: int
    loudness: float
    onset: int
    """The first loud sample in it, 960 where there is none."""


class TestCaller:
    """One end of a connection with everything that it received."""

    __test__ = False

    def __init__(self, url: str) -> None:
        self.url, self.microphone = url, BeepTrack()
        self.connection = RTCPeerConnection(
            RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        self.seen: list[Seen] = []
        self.heard: list[Heard] = []
        self.messages: list[str] = []
        self.location = self.etag = self.session = ""
        self.response: aiohttp.ClientResponse | None = None
        self._readers: list[asyncio.Task[None]] = []
        self.connection.on("track", self._on_track)
        self.channel = None

    async def call(self, video: bool = True, data: bool = False) -> None:
        """Join over `/offer`."""
        self.connection.addTransceiver(self.microphone, direction="sendrecv")
        if video:
            self.connection.addTransceiver("video", direction="recvonly")
        if data:
            self.channel = self.connection.createDataChannel("control")
            self.channel.on("message", self.messages.append)
        status, body = await self.post_offer()
        assert status == 200, body
        self.session = body["session"]
        await self.connection.setRemoteDescription(RTCSessionDescription(body["sdp"], "answer"))

    async def post_offer(self) -> tuple[int, dict]:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        offer = {"sdp": self.connection.localDescription.sdp, "type": "offer"}
        async with aiohttp.ClientSession() as http:
            async with http.post(f"{self.url}/offer", json=offer) as response:
                return response.status, await response.json()

    async def post_offer_of_audio(self) -> tuple[int, dict]:
        """Offer a microphone over `/offer` without using the answer."""
        self.connection.addTransceiver(self.microphone, direction="sendrecv")
        return await self.post_offer()

    async def publish(self) -> None:
        """Join over WHIP: only send."""
        self.connection.addTransceiver(self.microphone, direction="sendonly")
        await self._post_sdp("/whip")

    async def view(self, path: str = "/whep") -> None:
        """Join over WHEP: only receive."""
        self.connection.addTransceiver("video", direction="recvonly")
        self.connection.addTransceiver("audio", direction="recvonly")
        await self._post_sdp(path)

    async def _post_sdp(self, path: str) -> None:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        headers = {"Content-Type": "application/sdp"}
        async with aiohttp.ClientSession(headers=headers) as http:
            sdp = self.connection.localDescription.sdp
            async with http.post(f"{self.url}{path}", data=sdp) as response:
                answer = await response.text()
                assert response.status == 201, answer
                self.response = response
                self.location, self.etag = response.headers["Location"], response.headers["ETag"]
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    def _on_track(self, track: MediaStreamTrack) -> None:
        read = self._watch if track.kind == "video" else self._listen
        self._readers.append(asyncio.create_task(read(track)))

    async def _watch(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                frame = await track.recv()
                luma = frame.to_ndarray()[: frame.height, : frame.width]
                now_s = asyncio.get_running_loop().time()
                self.seen.append(Seen(now_s, frame.pts, read_index(luma), read_brightness(luma)))
        except MediaStreamError:
            return

    async def _listen(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                frame = await track.recv()
                now_s = asyncio.get_running_loop().time()
                samples = frame.to_ndarray()[0, ::2].astype(np.float32)  # left of s16 stereo
                is_loud = np.abs(samples) > 2000
                onset = int(is_loud.argmax()) if is_loud.any() else PACKET
                loudness = float(np.abs(samples).mean())
                self.heard.append(Heard(now_s, frame.pts, loudness, onset))
        except MediaStreamError:
            return

    async def aclose(self) -> None:
        await self.connection.close()
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
