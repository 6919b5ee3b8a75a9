"""A real browser with a camera in which a head turns: the avatar's head turns along."""

import base64
import io

import numpy as np
import pytest
from aiortc import RTCRtpSender
from aiortc.rtp import RTCP_PSFB_APP, RtcpPsfbPacket
from PIL import Image

from avatar.tracking import open_tracker
from streaming.ice import gather_on
from tests.e2e.conftest import ROOT
from tests.e2e.test_browser import CHROMIUM, browsing, connect
from tests.streaming.caller import request
from tests.streaming.conftest import until
from tests.turning_head import write_turning_head

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
]
GRAB_S, GRAB_MS = 8, 125
LONGEST_LAG_S = 1.5
KEEP_CAMERA = """
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (what) => {
      const stream = await open(what);
      if (what.video) window.ownCamera = stream;
      return stream;
    };
"""
GRAB_BOTH = """
    async ([seconds, everyMs]) => {
      const [own, shown] = [document.createElement("video"), document.getElementById("video")];
      Object.assign(own, { muted: true, srcObject: window.ownCamera });
      await own.play();
      const canvas = Object.assign(document.createElement("canvas"), { width: 240, height: 180 });
      const grab = (video) => {
        canvas.getContext("2d").drawImage(video, 0, 0, 240, 180);
        return canvas.toDataURL("image/jpeg", 0.85).split(",")[1];
      };
      const [times, owns, showns, begun] = [[], [], [], performance.now()];
      for (let t = 0; t < seconds * 1000; t = performance.now() - begun) {
        times.push(t);
        owns.push(grab(own));
        showns.push(grab(shown));
        await new Promise((done) => setTimeout(done, everyMs));
      }
      return [times, owns, showns];
    }
"""


@pytest.fixture(scope="module")
def turning_head(tmp_path_factory):
    path = tmp_path_factory.mktemp("camera") / "turning.y4m"
    write_turning_head(path)
    return path


def yaws(jpegs: list[str]) -> np.ndarray:
    """Yaw of the head in each of [N] pictures, degrees; NaN where there is none."""
    pictures = (np.asarray(Image.open(io.BytesIO(base64.b64decode(jpeg)))) for jpeg in jpegs)
    faces = open_tracker().follow_face(pictures)
    return np.array([np.nan if face is None else face.pose[0] for face in faces])


def best_lag_s(times_s: np.ndarray, led: np.ndarray, following: np.ndarray) -> tuple[float, float]:
    """By how much [N] `following` at [N] times is behind [N] `led`, and their correlation then."""
    even = np.arange(LONGEST_LAG_S, times_s[-1], 0.05)
    now = np.interp(even, times_s, following)
    lags = np.arange(0, LONGEST_LAG_S, 0.05)
    likeness = [np.corrcoef(np.interp(even - lag, times_s, led), now)[0, 1] for lag in lags]
    return float(lags[np.argmax(likeness)]), float(np.max(likeness))


async def test_the_avatars_head_follows_the_head_in_the_camera(
    server, speech_with_pauses, turning_head
):
    flags = [f"--use-file-for-fake-video-capture={turning_head}"]
    async with browsing(server, speech_with_pauses, flags=flags) as page:
        await page.add_init_script(KEEP_CAMERA)
        await page.reload()
        await connect(page)
        assert not await page.is_checked("#camera")
        assert "no picture of you is taken" in await page.inner_text("#camera-note")
        await page.wait_for_timeout(1000)
        assert (await stats(server, page))["camera_pictures"] == 0
        await page.click("#camera")
        await page.wait_for_function("window.__avatar.server?.camera_faces > 12", timeout=20_000)
        before = await stats(server, page)
        times_ms, owns, showns = await page.evaluate(GRAB_BOTH, [GRAB_S, GRAB_MS])
        after = await stats(server, page)
        await page.click("#camera")
        await page.wait_for_timeout(1000)
        off = await stats(server, page)
        await page.wait_for_timeout(1000)
        assert (await stats(server, page))["camera_pictures"] == off["camera_pictures"]
    own, shown = yaws(owns), yaws(showns)
    assert np.isfinite(own).all() and np.isfinite(shown).all()
    lag_s, likeness = best_lag_s(np.array(times_ms) / 1000, own, shown)
    print(lag_s, likeness, np.ptp(own), np.ptp(shown), before, after)
    assert np.ptp(own) > 12
    assert likeness > 0.8
    assert np.ptp(shown) > 0.3 * np.ptp(own)
    assert after["camera_faces"] - before["camera_faces"] >= 3 * GRAB_S


async def test_the_browser_reports_what_the_network_can_carry_with_a_camera_and_without(
    start_server, speech_with_pauses, monkeypatch
):
    reports, handle = [], RTCRtpSender._handle_rtcp_packet

    async def count(sender, packet):
        if isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_APP:
            reports.append(packet)
        await handle(sender, packet)

    monkeypatch.setattr(RTCRtpSender, "_handle_rtcp_packet", count)
    gather_on("127.0.0.1")
    address = await start_server(page=ROOT / "clients" / "browser")
    async with browsing(address, speech_with_pauses) as page:
        await connect(page)
        for is_on in (False, True, False):
            await page.set_checked("#camera", is_on)
            await page.wait_for_timeout(500)
            seen = len(reports)
            await until(lambda n=seen: len(reports) > n + 1)


async def stats(server: str, page) -> dict:
    session = await page.evaluate("window.__avatar.session")
    return (await request("GET", f"{server}/api/v1/sessions/{session}"))[1]["stats"]
