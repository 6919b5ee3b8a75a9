"""Callers who send their camera too: what the face sees of it, and what it costs."""

from __future__ import annotations

import asyncio
import threading
import time
from fractions import Fraction

import numpy as np
import pytest
from aiortc import RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import VideoFrame

from tests.streaming.caller import request
from tests.streaming.conftest import until
from tests.streaming.meter import MeterEngine, MeterStream

RATE = 15


class Watching(MeterStream):
    """A meter that keeps what it sees and, after `look_s`, finds a face in what is bright."""

    look_s = 0.0

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.seen: list[np.ndarray] = []
        self.threads: set[str] = set()
        self.is_closed = False

    def look(self, picture):
        time.sleep(self.look_s)
        self.seen.append(picture)
        self.threads.add(threading.current_thread().name)
        return bool(picture.mean() > 128)

    def stop_looking(self):
        self.threads.add(threading.current_thread().name)
        self.is_closed = True


class Slow(Watching):
    look_s = 0.5


class Blind(Watching):
    def look(self, picture):
        raise RuntimeError("no tracker")


class WatchingEngine(MeterEngine):
    """An engine that keeps its callers' faces."""

    def __init__(self, kind: type[Watching] = Watching) -> None:
        super().__init__(256)
        self.kind, self.streams = kind, []

    def open_stream(self, seed=None):
        self.streams.append(self.kind(self.size))
        return self.streams[-1]


class GreyCamera(MediaStreamTrack):
    """A camera before a wall whose grey can be changed."""

    kind = "video"

    def __init__(self, width: int = 640, height: int = 480) -> None:
        super().__init__()
        self.grey, self._shape, self._n = 200, (height, width, 3), 0

    async def recv(self) -> VideoFrame:
        await asyncio.sleep(1 / RATE)
        if self.readyState != "live":
            raise MediaStreamError
        frame = VideoFrame.from_ndarray(np.full(self._shape, self.grey, np.uint8), format="rgb24")
        frame.pts, frame.time_base = self._n, Fraction(1, RATE)
        self._n += 1
        return frame


@pytest.fixture
def call_with_camera(start_server, callers):
    """Call an engine, or publish to it, with a camera; gives the caller and the face."""

    async def call(engine: WatchingEngine, camera: GreyCamera, is_published: bool = False):
        caller = callers(await start_server(engine))
        caller.connection.addTransceiver(camera, "sendonly" if is_published else "sendrecv")
        await (caller.publish() if is_published else caller.call(video=False))
        caller.session = caller.session or caller.location.rpartition("/")[2]
        return caller, engine.streams[0]

    return call


async def choose_pose(caller, source: str) -> None:
    url = f"{caller.url}/api/v1/sessions/{caller.session}/control"
    assert (await request("POST", url, json={"type": "pose", "source": source}))[0] == 200


async def hang_up(caller) -> None:
    url = f"{caller.url}/api/v1/sessions/{caller.session}"
    assert (await request("DELETE", url))[0] == 200


async def stats(caller) -> dict:
    return (await request("GET", f"{caller.url}/api/v1/sessions/{caller.session}"))[1]["stats"]


async def test_the_face_sees_small_pictures_of_the_camera_only_while_it_follows_it(
    call_with_camera,
):
    caller, face = await call_with_camera(WatchingEngine(), camera := GreyCamera())
    await until(lambda: len(caller.seen) > 25)
    assert not face.seen
    await choose_pose(caller, "camera")
    await until(lambda: len(face.seen) > 15)
    assert face.seen[-1].shape == (240, 320, 3) and face.seen[-1].dtype == np.uint8
    assert abs(face.seen[-1].mean() - 200) < 6
    camera.grey = 40
    await until(lambda: face.seen[-1].mean() < 50)
    counted = await stats(caller)
    assert 0 < counted["camera_faces"] < counted["camera_pictures"]
    await choose_pose(caller, "idle")
    await asyncio.sleep(0.5)
    count = len(face.seen)
    await asyncio.sleep(0.5)
    assert len(face.seen) == count
    camera.grey = 200
    await choose_pose(caller, "camera")
    await until(lambda: face.seen[-1].mean() > 190)
    await hang_up(caller)
    assert face.is_closed
    assert len(face.threads) == 1 and face.threads.pop().startswith("camera")


async def test_slow_looking_drops_pictures_of_the_camera_and_none_of_the_face(call_with_camera):
    caller, face = await call_with_camera(WatchingEngine(Slow), GreyCamera())
    await choose_pose(caller, "camera")
    await until(lambda: len(face.seen) >= 6)
    counted = await stats(caller)
    assert counted["camera_dropped"] >= 2 * counted["camera_pictures"]
    assert counted["late_steps"] <= 0.1 * counted["step"]
    assert counted["step"] >= 0.8 * 25 * 6 * Slow.look_s


async def test_a_face_that_cannot_look_goes_on_speaking(call_with_camera):
    caller, face = await call_with_camera(WatchingEngine(Blind), GreyCamera())
    await choose_pose(caller, "camera")
    await asyncio.sleep(0.5)
    count = len(caller.seen)
    await until(lambda: len(caller.seen) > count + 25)
    assert (await stats(caller))["camera_pictures"] == 0
    await hang_up(caller)
    assert face.is_closed


async def test_a_camera_may_come_and_go_by_later_offers(start_server, callers):
    engine = WatchingEngine()
    caller = callers(await start_server(engine))
    await caller.call(data=True)
    await until(lambda: len(caller.seen) > 5)
    await choose_pose(caller, "camera")
    picture = caller.connection.getTransceivers()[1]
    for times in (1, 2):
        picture.direction = "sendrecv"
        picture.sender.replaceTrack(GreyCamera())
        assert await offer_again(caller) == 200
        assert picture.currentDirection == "sendrecv"
        count, shown = len(engine.streams[0].seen), len(caller.seen)
        await until(lambda n=count: len(engine.streams[0].seen) > n + 5)
        picture.direction = "recvonly"
        assert await offer_again(caller) == 200
        assert picture.currentDirection == "recvonly"
        await until(lambda n=shown: len(caller.seen) > n + 25)
        assert len(caller.connection.getTransceivers()) == 2, times
    assert caller.channel.readyState == "open"


async def offer_again(caller, change=lambda sdp: sdp) -> int:
    """The status of another offer; the answer is used."""
    await caller.connection.setLocalDescription(await caller.connection.createOffer())
    offer = {"sdp": change(caller.connection.localDescription.sdp), "type": "offer"}
    url = f"{caller.url}/api/v1/sessions/{caller.session}/offer"
    status, body = await request("POST", url, json=offer)
    if status == 200:
        await caller.connection.setRemoteDescription(RTCSessionDescription(**body))
    return status


async def test_later_offers_that_do_not_fit_are_refused_and_the_call_goes_on(start_server, callers):
    caller = callers(await start_server())
    await caller.call()
    await until(lambda: len(caller.seen) > 5)
    for change in (
        lambda sdp: "garbage",
        lambda sdp: sdp.replace("a=mid:1", "a=mid:7"),
        lambda sdp: sdp + "m=video 9 UDP/TLS/RTP/SAVPF 97\r\na=mid:9\r\n",
        lambda sdp: sdp.replace("a=ice-ufrag", "a=nothing"),
    ):
        assert await offer_again(caller, change) == 400
    url, offer = f"{caller.url}/api/v1/sessions/nobody/offer", {"type": "offer", "sdp": "v=0"}
    assert (await request("POST", url, json=offer))[0] == 404
    count = len(caller.seen)
    await until(lambda: len(caller.seen) > count + 25)


async def test_a_camera_that_stops_and_comes_back_is_seen_again(call_with_camera):
    caller, face = await call_with_camera(WatchingEngine(), GreyCamera())
    await choose_pose(caller, "camera")
    await until(lambda: len(face.seen) > 3)
    (sender,) = [s for s in caller.connection.getSenders() if s.kind == "video"]
    sender.replaceTrack(None)
    await asyncio.sleep(1)
    count, shown = len(face.seen), len(caller.seen)
    await asyncio.sleep(0.5)
    assert len(face.seen) == count and len(caller.seen) > shown + 5
    sender.replaceTrack(GreyCamera(320, 240))
    await until(lambda: len(face.seen) > count + 5)


async def test_a_publisher_may_send_a_camera(call_with_camera, callers):
    caller, face = await call_with_camera(WatchingEngine(), GreyCamera(), is_published=True)
    viewer = callers(caller.url)
    await viewer.view()
    await choose_pose(caller, "camera")
    await until(lambda: len(face.seen) > 10 and len(viewer.seen) > 25)


async def test_a_publisher_whose_camera_is_not_vp8_is_heard_all_the_same(start_server, callers):
    engine = WatchingEngine()
    caller = callers(await start_server(engine))
    transceiver = caller.connection.addTransceiver(GreyCamera(), "sendonly")
    codecs = RTCRtpSender.getCapabilities("video").codecs
    transceiver.setCodecPreferences([c for c in codecs if c.mimeType == "video/H264"])
    await caller.publish()
    assert transceiver.currentDirection == "inactive"
    viewer = callers(caller.url)
    await viewer.view()
    await until(lambda: len(viewer.seen) > 25)
    assert max(s.brightness for s in viewer.seen) > 90 and not engine.streams[0].seen
