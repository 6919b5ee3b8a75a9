"""One call to the avatar server: our sound goes up, its picture and our delayed sound come down.

Knows docs/wire.md and aiortc, nothing of what is done with the media. See `clients/headless.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import aioice.ice
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError

from clients.arrival import release_promptly

CONNECT_TIMEOUT_S = 15.0
REQUEST_TIMEOUT_S = 10.0


class RefusedError(Exception):
    """The server did not take the call; the message is one line for the user."""


class Call:
    """A call that is up: two received tracks and the server's control interface.

    video, audio: the received tracks; whoever opens a call must read both, or they grow.
    ended: set when the connection is lost or closed.
    server_stats: the newest `stats` message of the data channel, empty before the first.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        """Prepare a call to the server at `url`, e.g. http://127.0.0.1:8080."""
        self._url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
        self._http = aiohttp.ClientSession(headers=headers, timeout=timeout)
        if is_loopback(self._url):
            offer_loopback_only()
        self._peer = RTCPeerConnection(
            RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        self._session: str | None = None
        self.ended = asyncio.Event()
        self.server_stats: dict[str, Any] = {}
        self.video: MediaStreamTrack
        self.audio: MediaStreamTrack

    async def open(self, microphone: MediaStreamTrack) -> None:
        """Connect with `microphone` as our sound.

        Raises:
            RefusedError: the server cannot be reached, refuses the call, or no connection comes up.
        """
        sound = self._peer.addTransceiver(microphone, direction="sendrecv")
        picture = self._peer.addTransceiver("video", direction="recvonly")
        release_promptly(sound.receiver, "audio")
        release_promptly(picture.receiver, "video")
        self._listen()
        await self._peer.setLocalDescription(await self._peer.createOffer())
        offer = self._peer.localDescription
        answer = await self.request("POST", "/offer", {"sdp": offer.sdp, "type": offer.type})
        self._session = answer["session"]
        await self._peer.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))
        self.audio, self.video = sound.receiver.track, picture.receiver.track
        await self._connected()

    def _listen(self) -> None:
        """Follow the connection's state and the server's data channel."""
        channel = self._peer.createDataChannel("control")

        @channel.on("message")
        def on_message(text: str) -> None:
            message = json.loads(text)
            if message.get("type") == "stats":
                self.server_stats = message

        @self._peer.on("connectionstatechange")
        def on_state() -> None:
            if self._peer.connectionState in ("failed", "closed", "disconnected"):
                self.ended.set()

        self._up = asyncio.Event()

        @self._peer.on("connectionstatechange")
        def on_connected() -> None:
            if self._peer.connectionState == "connected":
                self._up.set()

    async def _connected(self) -> None:
        """Wait until media can flow."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._up.wait()
        except TimeoutError:
            raise RefusedError(
                f"{self._url}: no media connection within {CONNECT_TIMEOUT_S:.0f} s"
            ) from None

    async def control(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send one control message of docs/wire.md and return the new settings.

        Raises:
            RefusedError: the server's reason.
        """
        return await self.request("POST", f"/api/v1/sessions/{self._session}/control", message)

    async def request(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """One JSON request; the answer as a dict.

        Raises:
            RefusedError: the server's reason, or why it cannot be reached.
        """
        try:
            async with self._http.request(method, self._url + path, json=body) as response:
                answer = await _json_of(response)
                if response.status >= 400:
                    reason = answer.get("error") or f"HTTP {response.status} on {path}"
                    raise RefusedError(f"{self._url}: {reason}")
                return answer
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise RefusedError(f"{self._url}: cannot be reached ({reason})") from None

    async def close(self) -> None:
        """Leave the call; a server that is gone is no error."""
        if self._session is not None and not self.ended.is_set():
            with contextlib.suppress(RefusedError):
                await self.request("DELETE", f"/api/v1/sessions/{self._session}")
        await self._peer.close()
        await self._http.close()


async def frames_of(track: MediaStreamTrack) -> AsyncIterator[tuple[int, Any]]:
    """The pts and frame of everything that a track receives, to its end."""
    with contextlib.suppress(MediaStreamError):
        while True:
            frame = await track.recv()
            assert frame.pts is not None, "aiortc numbers every received frame"
            yield frame.pts, frame


async def cancel(task: asyncio.Task) -> None:
    """End a task and wait until it has ended."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _json_of(response: aiohttp.ClientResponse) -> dict[str, Any]:
    """The JSON object in a response, empty when there is none."""
    try:
        answer = await response.json(content_type=None)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def is_loopback(url: str) -> bool:
    """Whether the host of `url` is this machine by a loopback name or address."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def offer_loopback_only() -> None:
    """Gather 127.0.0.1 and nothing else, in this process: aioice leaves loopback out by itself."""
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"] if use_ipv4 else []
