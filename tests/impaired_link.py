"""A UDP link on loopback that loses and delays packets, for kernels without netem and without root.

    browser  <->  front socket | one socket for each address of the browser  <->  server

The browser is told the front socket's port in the answer; the offer is stripped of its candidates,
so that the server knows the browser only as the relay's socket. RTP headers are not encrypted, so
the link also sees how long each piece of sound stays in the server.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Address = tuple[str, int]
HOST_CANDIDATE = re.compile(r"127\.0\.0\.1 (\d+) typ host")
OPUS = 111
"""Payload type of Opus in Chromium's offers."""


class Impairment(NamedTuple):
    """What a link does to each packet of each direction.

    loss: share of the packets that vanish, 0 .. 1.
    delay_s, jitter_s: a packet takes `delay_s` +- up to `jitter_s`, uniformly.
    reorders: whether a packet may overtake another one.
    """

    loss: float = 0.0
    delay_s: float = 0.0
    jitter_s: float = 0.0
    reorders: bool = False


CLEAN = Impairment()


class Direction:
    """Packets one way: `sound` has (time, RTP timestamp) of the Opus packets that came in, [N]."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._last_s = 0.0
        self.sound: list[tuple[float, int]] = []
        self.packets = self.lost = 0

    def take(self, data: bytes, impairment: Impairment, send: Callable[[bytes], None]) -> None:
        """Send later, or never."""
        loop = asyncio.get_running_loop()
        self.packets += 1
        if data[0] >> 6 == 2 and data[1] & 0x7F == OPUS:
            self.sound.append((loop.time(), int.from_bytes(data[4:8], "big")))
        if self._rng.random() < impairment.loss:
            self.lost += 1
            return
        jitter_s = self._rng.uniform(-impairment.jitter_s, impairment.jitter_s)
        due_s = loop.time() + max(0.0, impairment.delay_s + jitter_s)
        if not impairment.reorders:
            due_s = self._last_s = max(due_s, self._last_s)
        loop.call_at(due_s, send, data)

    def lateness_ms(self, from_s: float, to_s: float) -> float:
        """Median of time minus RTP time of the sound in [from_s, to_s), from an unknown zero."""
        late = [at_s - stamp / 48000 for at_s, stamp in self.sound if from_s <= at_s < to_s]
        return 1000 * float(np.median(late))


class _Socket(asyncio.DatagramProtocol):
    """A socket that hands what it gets to a function."""

    def __init__(self, receive: Callable[[bytes, Address], None]) -> None:
        self._receive = receive

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._receive(data, addr)


class ImpairedLink:
    """The link of one call; `impairment` may be changed while it runs."""

    def __init__(self, seed: int = 1) -> None:
        self.impairment = CLEAN
        self.up, self.down = Direction(seed), Direction(seed + 1)
        self._sockets: list[asyncio.DatagramTransport] = []
        self._openings: dict[Address, asyncio.Task[asyncio.DatagramTransport]] = {}

    def close(self) -> None:
        """Let go of all sockets."""
        for opening in self._openings.values():
            opening.cancel()
        for transport in self._sockets:
            transport.close()

    async def handle(self, route) -> None:
        """Playwright's handler of the page's `/offer`."""
        offer = json.loads(route.request.post_data)
        stripped = re.sub(r"(?m)^a=(candidate|end-of-candidates).*\r?\n", "", offer["sdp"])
        response = await route.fetch(post_data=json.dumps({**offer, "sdp": stripped}))
        answer = await response.json()
        answer["sdp"] = await self._through(answer["sdp"])
        await route.fulfill(response=response, json=answer)

    def server_delay_ms(self, from_s: float, to_s: float) -> float:
        """How long sound is in the server and on the way to it, from an unknown zero."""
        return self.down.lateness_ms(from_s, to_s) - self.up.lateness_ms(from_s, to_s)

    async def _through(self, sdp: str) -> str:
        """The answer with a front socket instead of the server's own."""
        for port in set(HOST_CANDIDATE.findall(sdp)):
            front = await self._open_front(("127.0.0.1", int(port)))
            sdp = sdp.replace(f"127.0.0.1 {port} typ host", f"127.0.0.1 {front} typ host")
        return sdp

    async def _open_front(self, server: Address) -> int:
        def receive(data: bytes, browser: Address) -> None:
            if browser not in self._openings:  # its packets count as lost until the socket is there
                opening = self._open_upstream(browser, front, server)
                self._openings[browser] = asyncio.ensure_future(opening)
            elif self._openings[browser].done():
                upstream = self._openings[browser].result()
                self.up.take(data, self.impairment, upstream.sendto)

        front = await self._open(receive, local_addr=("127.0.0.1", 0))
        return front.get_extra_info("sockname")[1]

    async def _open_upstream(
        self, browser: Address, front: asyncio.DatagramTransport, server: Address
    ) -> asyncio.DatagramTransport:
        """The socket that stands for one address of the browser."""

        def receive(data: bytes, _: Address) -> None:
            self.down.take(data, self.impairment, lambda late: front.sendto(late, browser))

        return await self._open(receive, remote_addr=server)

    async def _open(
        self, receive: Callable[[bytes, Address], None], **where: Address
    ) -> asyncio.DatagramTransport:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Socket(receive), **where)
        self._sockets.append(transport)
        return transport
