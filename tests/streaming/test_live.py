"""Real aiortc callers over loopback against the real server, with the painted meter as engine."""

from __future__ import annotations

import asyncio
import json
import time

import aiohttp
import numpy as np
import pytest
from aiortc.rtp import is_rtcp

from streaming import peer
from tests.streaming.caller import BEEP_S, TestCaller, request
from tests.streaming.conftest import until
from tests.streaming.meter import MeterEngine, MeterStream

LOUD, BRIGHT = 500, 90
STARTING = 20
"""Pictures of a call's first moments, in which codecs and keys are made beside it."""


class SlowEngine(MeterEngine):
    """An engine that needs longer for a picture than a step lasts."""

    def open_stream(self, seed=None):
        stream = MeterStream(self.size)
        fast_step = stream.step

        def step(features, render=True):
            time.sleep(0.07 if render else 0)
            return fast_step(features, render)

        stream.step = step
        return stream


class BrokenEngine(MeterEngine):
    def open_stream(self, seed=None):
        stream = MeterStream(self.size)
        stream.step = lambda features, render=True: 1 / 0
        return stream


def rises(values: list[float], threshold: float) -> list[int]:
    return [i for i in range(1, len(values)) if values[i] > threshold >= values[i - 1]]


def delays_ms(onsets_s: list[float], arrivals_s: list[float]) -> list[float]:
    pairs = [(o, min((a for a in arrivals_s if a > o), default=None)) for o in onsets_s]
    return [1000 * (a - o) for o, a in pairs if a is not None and a - o < 0.9]


def shown_indices(caller: TestCaller) -> list[int]:
    return [s.index for s in caller.seen if s.index is not None]


async def test_a_caller_sees_every_step_with_its_own_sound_in_time(start_server, callers):
    caller = callers(await start_server())
    await caller.call()
    await until(lambda: len(caller.seen) > STARTING + 130, 20)
    seen = caller.seen[STARTING:]
    indices = [s.index for s in seen]
    assert indices == list(range(indices[0], indices[0] + len(indices)))
    first = shown_indices(caller)[0]
    assert all(s.pts == 3600 * (s.index - first) for s in caller.seen if s.index)
    fps = (len(seen) - 1) / (seen[-1].at_s - seen[0].at_s)
    assert fps == pytest.approx(25, abs=1)
    bright = [
        caller.seen[i].pts / 90000 for i in rises([s.brightness for s in caller.seen], BRIGHT)
    ]
    loud = [caller.heard[i].pts / 48000 for i in rises([h.loudness for h in caller.heard], LOUD)]
    assert len(bright) >= 4
    skew = np.array([b - min(loud, key=lambda t: abs(t - b)) for b in bright])
    assert np.abs(skew).max() <= 0.04  # the beep starts in the middle of a step
    seen_s = [caller.seen[i].at_s for i in rises([s.brightness for s in caller.seen], BRIGHT)]
    assert np.median(delays_ms(caller.microphone.onsets_s, seen_s)) < 250


async def test_two_callers_have_streams_of_their_own(start_server, callers):
    url = await start_server()
    first, second = callers(url), callers(url)
    await first.call()
    await until(lambda: len(first.seen) > 25)
    await second.call()
    await until(lambda: len(second.seen) > 25)
    assert shown_indices(second)[0] < 5
    assert first.session != second.session


async def test_one_caller_too_many_gets_503_and_the_place_is_free_again_later(
    start_server, callers
):
    url = await start_server(max_sessions=1)
    first, second, third = callers(url), callers(url), callers(url)
    await first.call()
    status, body = await second.post_offer_of_audio()
    assert (status, body["active_sessions"], body["max_sessions"]) == (503, 1, 1)
    assert "\n" not in body["error"]
    assert (await request("GET", f"{url}/readyz"))[0] == 503
    assert (await request("DELETE", f"{url}/api/v1/sessions/{first.session}"))[0] == 200
    assert (await request("DELETE", f"{url}/api/v1/sessions/{first.session}"))[0] == 404
    assert (await request("GET", f"{url}/readyz"))[0] == 200
    await third.call()


async def test_a_slow_engine_loses_pictures_but_no_sound_and_no_time(start_server, callers):
    caller = callers(await start_server(SlowEngine(256)))
    await caller.call()
    await until(lambda: len(caller.microphone.onsets_s) >= 5, 20)
    await asyncio.sleep(0.9)
    url = f"{caller.url}/api/v1/sessions/{caller.session}"
    stats = (await request("GET", url))[1]["stats"]
    assert stats["late_steps"] > 20 and stats["dropped_pictures"] >= stats["late_steps"]
    assert stats["dropped_sounds"] == 0
    pts = np.diff([h.pts for h in caller.heard])
    assert set(pts) == {960}
    heard_s = [caller.heard[i].at_s for i in rises([h.loudness for h in caller.heard], LOUD)]
    delays = delays_ms(caller.microphone.onsets_s, heard_s)
    assert max(delays[2:]) < 600 and delays[-1] < delays[2] + 150


async def test_the_face_lives_on_through_a_silent_network_and_is_in_time_after_it(
    start_server, callers
):
    caller = callers(await start_server())
    await caller.call()
    await until(lambda: len(caller.seen) > 25)
    before = len(caller.seen)
    caller.connection.getSenders()[0]._enabled = False  # packets stop, time goes on
    await asyncio.sleep(2)
    assert len(caller.seen) - before == pytest.approx(50, abs=6)
    caller.connection.getSenders()[0]._enabled = True
    resumed = len(caller.microphone.onsets_s)
    await until(lambda: len(caller.microphone.onsets_s) >= resumed + 2)
    await asyncio.sleep(0.5)
    seen_s = [caller.seen[i].at_s for i in rises([s.brightness for s in caller.seen], BRIGHT)]
    delays = delays_ms(caller.microphone.onsets_s[resumed:], seen_s)
    assert delays and max(delays) < 400


async def test_lost_packets_cost_their_own_time_and_nothing_after(start_server, callers):
    caller = callers(await start_server())
    await caller.call()
    await until(lambda: len(caller.seen) > 5)
    transport = caller.connection.getSenders()[0].transport
    send, sent = transport._send_rtp, 0

    async def lose_every_tenth(data: bytes) -> None:
        nonlocal sent
        sent += not is_rtcp(data)
        if sent % 10 or is_rtcp(data):
            await send(data)

    transport._send_rtp = lose_every_tenth
    await until(lambda: sent > 100)
    transport._send_rtp = send
    await asyncio.sleep(0.5)
    session = f"{caller.url}/api/v1/sessions/{caller.session}"
    stats = (await request("GET", session))[1]["stats"]
    assert 150 <= stats["concealed_ms"] <= 300 and stats["dropped_sounds"] == 0
    assert set(np.diff([h.pts for h in caller.heard])) == {960}
    before = len(caller.microphone.onsets_s)
    await until(lambda: len(caller.microphone.onsets_s) > before)
    await asyncio.sleep(0.4)
    seen_s = [caller.seen[i].at_s for i in rises([s.brightness for s in caller.seen], BRIGHT)]
    assert max(delays_ms(caller.microphone.onsets_s[before:], seen_s)) < 400


async def test_whip_publishes_and_several_whep_viewers_watch(start_server, callers):
    url = await start_server()
    speaker, one, other = callers(url), callers(url), callers(url)
    await speaker.publish()
    assert speaker.location.startswith("/whip/")
    await one.view()
    await other.view(speaker.location.replace("whip", "whep"))
    await until(lambda: len(one.seen) > 40 and len(other.seen) > 40 and len(one.heard) > 80)
    common = set(shown_indices(one)) & set(shown_indices(other))
    assert len(common) > 20
    assert not speaker.seen
    assert (await request("DELETE", url + one.location))[0] == 200
    count = len(other.seen)
    await until(lambda: len(other.seen) > count + 25)
    assert (await request("DELETE", url + speaker.location))[0] == 200
    assert (await request("DELETE", url + other.location))[0] == 404
    await until(lambda: other.connection.connectionState == "closed")


async def test_an_offer_with_video_first_works(start_server, callers):
    caller = callers(await start_server())
    caller.connection.addTransceiver("video", direction="recvonly")
    await caller.call(video=False)
    await until(lambda: len(caller.seen) > 10 and len(caller.heard) > 20)


async def test_a_caller_without_video_hears_the_own_sound(start_server, callers):
    caller = callers(await start_server())
    await caller.call(video=False)
    await until(lambda: len(caller.heard) > 50)


async def test_control_over_the_data_channel(start_server, callers):
    caller = callers(await start_server())
    await caller.call(data=True)
    await until(lambda: caller.channel.readyState == "open")
    for message in (
        '{"type": "ping", "t": 1.5, "id": 7}',
        '{"type": "strength", "value": 0.5, "id": "s"}',
        '{"type": "strength", "value": NaN, "id": "nan"}',
        '{"type": "emotion", "name": "bored", "id": "e"}',
        "not JSON",
        '{"type": "ping", "t": NaN}',
        "[1]",
    ):
        caller.channel.send(message)
    await until(lambda: len([m for m in caller.messages if '"stats"' not in m]) == 7)
    await until(lambda: any('"stats"' in m for m in caller.messages))
    replies = [json.loads(m) for m in caller.messages]
    by_id = {r["id"]: r for r in replies if "id" in r}
    assert by_id[7] == {"type": "ping", "t": 1.5, "id": 7}
    assert by_id["s"]["ok"] and by_id["s"]["settings"]["strength"] == 0.5
    assert not by_id["nan"]["ok"] and "nan" in by_id["nan"]["error"]
    assert not by_id["e"]["ok"] and "bored" in by_id["e"]["error"]
    assert sum(r.get("ok") is False for r in replies) == 5
    stats = next(r for r in replies if r.get("type") == "stats")
    assert set(stats) >= {
        *("step", "fps", "step_ms_p50", "late_steps"),
        *("dropped_pictures", "concealed_ms", "lookahead_ms"),
    }


async def test_mute_silences_face_and_returned_sound(start_server, callers):
    caller = callers(await start_server())
    await caller.call()
    await until(lambda: len(caller.seen) > 25)
    url = f"{caller.url}/api/v1/sessions/{caller.session}/control"
    status, reply = await request("POST", url, json={"type": "mute", "value": True})
    assert status == 200 and reply["mute"] is True and reply["strength"] == 1.0
    await asyncio.sleep(0.4)
    seen, heard = len(caller.seen), len(caller.heard)
    await asyncio.sleep(1 + BEEP_S)
    assert max(s.brightness for s in caller.seen[seen:]) < BRIGHT
    assert max(h.loudness for h in caller.heard[heard:]) < LOUD


BAD_REQUESTS = [
    ("POST", "/offer", {"data": b"not json"}, 400),
    ("POST", "/offer", {"json": {"type": "offer"}}, 400),
    ("POST", "/offer", {"json": {"type": "answer", "sdp": "v=0"}}, 400),
    ("POST", "/offer", {"json": {"type": "offer", "sdp": "garbage"}}, 400),
    ("POST", "/offer", {"json": {"type": "offer", "sdp": ""}}, 400),
    ("POST", "/offer", {"json": [1, 2]}, 400),
    ("POST", "/offer", {"json": {"type": "offer", "sdp": "v=0\nm=audio" * 1000}}, 400),
    ("POST", "/offer", {"data": b'{"sdp": "' + b"x" * 20_000_000 + b'"}'}, 413),
    ("POST", "/whip", {"data": b"garbage", "headers": {"Content-Type": "application/sdp"}}, 400),
    ("POST", "/whep", {"data": b"v=0", "headers": {"Content-Type": "application/sdp"}}, 404),
    ("POST", "{session}/control", {"json": {"type": "emotion", "name": "bored"}}, 400),
    ("POST", "{session}/control", {"data": b'{"type": "strength", "value": NaN}'}, 400),
    ("POST", "{session}/control", {"json": {"type": "mute", "value": "yes"}}, 400),
    ("POST", "{session}/control", {"json": {}}, 400),
    ("PUT", "{session}/portrait", {"data": b"not an image"}, 400),
    ("PUT", "{session}/portrait", {"data": b"x" * 21_000_000}, 413),
    ("GET", "/api/v1/sessions/nobody", {}, 404),
    ("GET", "/nothing/here", {}, 404),
    ("GET", "/../../etc/passwd", {}, 404),
    ("PUT", "/offer", {}, 405),
]


async def test_bad_requests_get_one_line_and_leave_the_running_session_alone(start_server, callers):
    caller = callers(await start_server())
    await caller.call()
    await until(lambda: len(caller.seen) > 25)
    session = f"/api/v1/sessions/{caller.session}"
    for method, path, options, expected in BAD_REQUESTS:
        url = caller.url + path.replace("{session}", session)
        status, body = await request(method, url, **options)
        assert status == expected, (method, path, body)
        assert body["error"] and "\n" not in body["error"]
    count = len(caller.seen)
    await until(lambda: len(caller.seen) > count + 25)
    indices = shown_indices(caller)
    assert indices[-1] - indices[0] < len(indices) + 5
    assert (await request("GET", caller.url + session))[1]["stats"]["dropped_sounds"] == 0


async def test_an_offer_without_sent_audio_is_refused_and_leaves_no_session(start_server, callers):
    url = await start_server()
    for kind, direction in (("video", "recvonly"), ("audio", "recvonly")):
        caller = callers(url)
        caller.connection.addTransceiver(kind, direction=direction)
        status, body = await caller.post_offer()
        assert status == 400 and "audio" in body["error"]
    assert (await request("GET", f"{url}/readyz"))[1]["active_sessions"] == 0


async def test_another_portrait_is_shown_without_a_pause(start_server, callers):
    caller = callers(await start_server())
    await caller.call()
    await until(lambda: len(caller.seen) > 25)
    url = f"{caller.url}/api/v1/sessions/{caller.session}/portrait"
    status, _ = await request("PUT", url, data=b"\x89PNG...")
    assert status == 200
    count = len(caller.seen)
    await until(lambda: len(caller.seen) > count + 10)
    assert max(np.diff([s.at_s for s in caller.seen[5:]])) < 0.25


async def test_a_caller_who_vanishes_is_forgotten(start_server, callers, monkeypatch):
    monkeypatch.setattr(peer, "VANISHED_S", 2.0)
    caller = callers(await start_server())
    await caller.call()
    await until(lambda: len(caller.seen) > 5)
    transport = caller.connection.getSenders()[0].transport
    transport._send_rtp = _lose  # as if the cable were pulled: no more packets, no good-bye
    await until(lambda: is_empty(caller.url))


async def is_empty(url: str) -> bool:
    return (await request("GET", f"{url}/readyz"))[1]["active_sessions"] == 0


async def _lose(data: bytes) -> None:
    return None


async def test_an_engine_that_fails_ends_its_session_only(start_server, callers):
    caller = callers(await start_server(BrokenEngine(256)))
    await caller.call()
    await until(lambda: is_empty(caller.url))
    assert (await request("GET", f"{caller.url}/healthz"))[0] == 200


async def test_metrics_count_what_happened(start_server, callers):
    caller = callers(await start_server())
    await caller.call()
    await until(lambda: len(caller.seen) > 30)
    async with aiohttp.ClientSession() as http, http.get(f"{caller.url}/metrics") as response:
        text = await response.text()
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(values["avatar_sessions"]) == 1
    assert float(values["avatar_steps_total"]) >= 30
    assert float(values['avatar_step_seconds_count{stage="face"}']) >= 30
    assert float(values["avatar_dropped_pictures_total"]) < 10
