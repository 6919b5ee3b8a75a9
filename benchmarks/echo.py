"""The least that aiortc can do: the sound comes back, with one constant picture."""

from __future__ import annotations

import argparse
import asyncio
import signal
from fractions import Fraction

import numpy as np
from aiohttp import web
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from av import VideoFrame

from streaming.ice import gather_on
from streaming.peer import set_vp8_bitrate

SIZE, FPS = 512, 25


class ConstantPicture(MediaStreamTrack):
    """The same soft noise 25 times a second."""

    kind = "video"

    def __init__(self) -> None:
        """Paint it."""
        super().__init__()
        coarse = np.random.default_rng(0).integers(60, 190, (SIZE * 3 // 2 // 16, SIZE // 16))
        self.picture = np.kron(coarse, np.ones((16, 16))).astype(np.uint8)
        self.k, self.start_s = 0, 0.0

    async def recv(self) -> VideoFrame:
        """The next frame, when it is due."""
        loop = asyncio.get_running_loop()
        self.start_s = self.start_s or loop.time()
        self.k = max(self.k, int((loop.time() - self.start_s) * FPS))  # never faster to catch up
        await asyncio.sleep(max(0.0, self.start_s + self.k / FPS - loop.time()))
        frame = VideoFrame.from_ndarray(self.picture, format="yuv420p")
        frame.pts, frame.time_base = 3600 * self.k, Fraction(1, 90000)
        self.k += 1
        return frame


async def offer(request: web.Request) -> web.Response:
    body = await request.json()
    connection = RTCPeerConnection(
        RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
    )
    request.app["connections"].add(connection)
    connection.on("track", lambda track: connection.addTrack(track))
    await connection.setRemoteDescription(RTCSessionDescription(body["sdp"], "offer"))
    connection.addTrack(ConstantPicture())
    await connection.setLocalDescription(await connection.createAnswer())
    answer = {"sdp": connection.localDescription.sdp, "type": "answer", "session": "echo"}
    return web.json_response(answer)


async def serve(port: int) -> None:
    gather_on("127.0.0.1")
    set_vp8_bitrate(1_500_000, 400_000, 3_000_000)
    app = web.Application()
    app["connections"] = set()
    app.router.add_post("/offer", offer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print(f"Serving on http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await asyncio.gather(*(connection.close() for connection in app["connections"]))
    await runner.cleanup()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8099)
    asyncio.run(serve(parser.parse_args().port))
