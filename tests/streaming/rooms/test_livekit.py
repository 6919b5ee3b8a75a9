"""The face in a LiveKit room: our code and the real SDK against the stand-in server."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import numpy as np
import pytest

pytest.importorskip("livekit.rtc")
pytest.importorskip("livekit.api")

from streaming.rooms import livekit_agent
from streaming.rooms.agent_speech import RATE
from streaming.rooms.livekit_agent import AgentSource
from streaming.rooms.livekit_participant import ParticipantSource
from streaming.rooms.livekit_room import LiveKitOptions, LiveKitRoom
from streaming.rooms.participant import RoomError, take_part
from streaming.sound_source import TrackSource
from tests.livekit_sfu.people import Agent, Guest, Watcher, token
from tests.livekit_sfu.server import stand_in_server
from tests.streaming.caller import BeepTrack
from tests.streaming.conftest import until
from tests.streaming.meter import MeterEngine

AGENT_RATE = 24000
LOUD, BRIGHT = 500, 90
SIZE, BITRATE = 256, 1_000_000


def tone(seconds: float, rate: int = AGENT_RATE) -> np.ndarray:
    t = np.arange(round(seconds * rate)) / rate
    return (9000 * np.sin(2 * np.pi * 300 * t)).astype(np.int16)


@pytest.fixture
async def server():
    async with stand_in_server() as running:
        yield running


@asynccontextmanager
async def face(server, source, identity="face", **options):
    """The face in the room, with the painted meter as engine, until the block ends."""
    ears = None if isinstance(source, TrackSource) else source
    heard = source.heard if isinstance(source, AgentSource) else None
    pass_ = token(identity, **options)
    room = LiveKitRoom(LiveKitOptions(server.url, pass_, SIZE, BITRATE), ears, heard)
    job = asyncio.create_task(take_part(MeterEngine(SIZE), room, source))
    try:
        await asyncio.wait_for(room.connected.wait(), 10)
        yield room
    finally:
        room.left.set()
        await asyncio.wait_for(job, 10)


@asynccontextmanager
async def guests(server, *invited):
    """Guests who are in the room until the block ends."""
    try:
        for i, guest in enumerate(invited):
            if isinstance(guest, Agent):
                await guest.join(server.url)
            else:
                await guest.room.connect(server.url, token(f"guest-{i}"))
        yield
    finally:
        await asyncio.gather(*(guest.aclose() for guest in invited))


def onsets_s(values: list[tuple[float, float]], threshold: float) -> list[float]:
    """Times at which a (time, value) series rises through the threshold after 0.2 s below it."""
    rises, quiet_since = [], None
    for at_s, value in values:
        if value <= threshold:
            quiet_since = at_s if quiet_since is None else quiet_since
        else:
            if quiet_since is not None and at_s - quiet_since > 0.2:
                rises.append(at_s)
            quiet_since = None
    return rises


async def test_a_watcher_gets_every_picture_in_step_with_its_sound(server):
    watcher = Watcher("face")
    async with guests(server, watcher), face(server, TrackSource(BeepTrack())):
        await until(lambda: len(watcher.seen) > 250, 30)
    seen = watcher.seen[50:]
    fps = (len(seen) - 1) / (seen[-1].at_s - seen[0].at_s)
    assert fps >= 24
    seen_s = onsets_s([(s.at_s, s.brightness) for s in seen], BRIGHT)
    heard_s = onsets_s([(h.at_s, h.loudness) for h in watcher.heard], LOUD)
    skews = [1000 * (s - min(heard_s, key=lambda h: abs(h - s))) for s in seen_s]
    assert len(skews) >= 5
    assert abs(np.median(skews)) <= 60, skews


async def test_both_tracks_are_one_stream_and_gone_when_the_face_leaves(server):
    watcher = Watcher("face")
    async with guests(server, watcher):
        async with face(server, TrackSource(BeepTrack())):
            await until(lambda: len(watcher.tracks) == 2 and watcher.seen)
            tracks = server.participant("face").info.tracks
            assert {t.stream for t in tracks} == {"avatar"}
        await until(lambda: "face" not in watcher.room.remote_participants)
    assert server.participant("face") is None


async def test_the_face_speaks_with_the_voice_of_a_participant(server):
    speaker, watcher = Guest(), Watcher("face")
    async with guests(server, speaker, watcher):
        async with face(server, ParticipantSource("guest-0")):
            await asyncio.sleep(1)
            assert not onsets_s([(h.at_s, h.loudness) for h in watcher.heard], LOUD)
            speaker.start(_publish_beeps(speaker))
            await until(lambda: len(watcher.seen) > 150, 20)
    assert len(onsets_s([(h.at_s, h.loudness) for h in watcher.heard], LOUD)) >= 3
    assert len(onsets_s([(s.at_s, s.brightness) for s in watcher.seen], BRIGHT)) >= 3


async def _publish_beeps(speaker: Guest) -> None:
    from livekit import rtc

    source = rtc.AudioSource(48000, 1)
    track = rtc.LocalAudioTrack.create_audio_track("microphone", source)
    await speaker.room.local_participant.publish_track(track)
    beeps = BeepTrack()
    while True:
        samples = (await beeps.recv()).to_ndarray()[0]
        await source.capture_frame(rtc.AudioFrame(samples.tobytes(), 48000, 1, samples.size))


async def test_a_server_that_cannot_be_reached_is_one_clear_line(server):
    room = LiveKitRoom(LiveKitOptions("ws://127.0.0.1:9", token("face"), SIZE, BITRATE))
    with pytest.raises(RoomError, match=r"^cannot join ws://127\.0\.0\.1:9: [^\n]+$"):
        await asyncio.wait_for(take_part(MeterEngine(SIZE), room, TrackSource(BeepTrack())), 30)


async def test_an_agent_speaks_through_the_face_and_learns_when_it_was_heard(server):
    agent, watcher = Agent("face"), Watcher("face")
    async with guests(server, agent, watcher):
        async with face(server, AgentSource()):
            await until(lambda: len(watcher.seen) > 10)
            began_s = asyncio.get_running_loop().time()
            await agent.speak(tone(1.5))
            await until(lambda: agent.finished(), 10)
    started, finished = agent.reports
    assert started.method == "lk.playback_started"
    assert finished.payload == {"playback_position": pytest.approx(1.5, abs=0.01)} | {
        "interrupted": False
    }
    assert 1.4 < finished.at_s - began_s < 2.5, "heard in real time, not as fast as it came"
    heard_s = [h.at_s for h in watcher.heard if h.loudness > LOUD]
    assert 1.3 < heard_s[-1] - heard_s[0] < 1.8


async def test_the_face_says_in_the_room_whose_voice_it_has(server):
    agent = Agent("face")
    async with guests(server, agent), face(server, AgentSource()):
        attributes = server.participant("face").info.attributes
        await until(lambda: attributes.get("lk.publish_on_behalf") == "agent")


async def test_clearing_stops_the_speech_at_once_and_tells_how_far_it_came(server):
    agent, watcher = Agent("face"), Watcher("face")
    loop = asyncio.get_running_loop()
    async with guests(server, agent, watcher):
        async with face(server, AgentSource()):
            await until(lambda: len(watcher.seen) > 10)
            await agent.speak(tone(8))
            await until(lambda: agent.reports)
            await asyncio.sleep(2)
            cleared_s = loop.time()
            assert await agent.interrupt() == "ok"
            await until(lambda: agent.finished())
            await asyncio.sleep(1)
            await agent.speak(tone(0.5))
            await until(lambda: len(agent.finished()) == 2)
    loud_s = [h.at_s for h in watcher.heard if h.loudness > LOUD]
    last_s = max(at_s for at_s in loud_s if at_s < cleared_s + 1)
    assert last_s - cleared_s < 0.4, "the way to the watcher included"
    assert agent.finished()[0] == {
        "playback_position": pytest.approx(last_s - loud_s[0], abs=0.15),
        "interrupted": True,
    }
    assert agent.finished()[1]["interrupted"] is False, "and the next speech is heard whole"


async def test_a_lost_trailer_does_not_keep_the_agent_waiting(server, monkeypatch):
    monkeypatch.setattr("streaming.rooms.agent_speech.STARVED_SAMPLES", RATE)
    server.drops = lambda packet: packet.WhichOneof("value") == "stream_trailer"
    agent = Agent("face")
    async with guests(server, agent), face(server, AgentSource()):
        await agent.speak(tone(0.5))
        await until(lambda: agent.finished(), 5)
        await agent.speak(tone(0.5))
        await until(lambda: len(agent.finished()) == 2, 5)
    for report in agent.finished():
        assert report == {"playback_position": pytest.approx(0.5, abs=0.01), "interrupted": False}


async def test_the_next_utterance_replaces_a_lost_trailer(server):
    server.drops = lambda packet: packet.WhichOneof("value") == "stream_trailer"
    agent = Agent("face")
    async with guests(server, agent), face(server, AgentSource()):
        began_s = asyncio.get_running_loop().time()
        await agent.speak(tone(0.5))
        await agent.speak(tone(0.5))
        await until(lambda: agent.finished(), 4)
        assert asyncio.get_running_loop().time() - began_s < 4, "no need to starve"
        assert agent.finished()[0]["playback_position"] == pytest.approx(0.5, abs=0.01)


async def test_utterances_sent_close_together_are_both_heard_whole(server):
    agent = Agent("face")
    async with guests(server, agent), face(server, AgentSource()):
        await asyncio.gather(*(agent.speak(tone(seconds)) for seconds in (0.8, 0.4)))
        await until(lambda: len(agent.finished()) == 2, 5)
    positions = [report["playback_position"] for report in agent.finished()]
    assert positions == pytest.approx([0.8, 0.4], abs=0.01)


async def test_strangers_can_neither_speak_nor_interrupt(server):
    agent, stranger = Agent("face"), Agent("face")
    async with guests(server, agent), face(server, AgentSource("agent")):
        await stranger.join(server.url, "stranger")
        try:
            await agent.speak(tone(1))
            await stranger.speak(tone(1))
            assert await stranger.interrupt() == "reject"
            await until(lambda: agent.finished(), 5)
        finally:
            await stranger.aclose()
    assert agent.finished() == [
        {"playback_position": pytest.approx(1, abs=0.01), "interrupted": False}
    ]
    assert not stranger.reports


async def test_an_agent_who_vanishes_while_speaking_leaves_a_face_for_the_next(server):
    first, second = Agent("face"), Agent("face")
    async with face(server, AgentSource()):
        await first.join(server.url)
        await first.speak(tone(0.5), ends=False)
        await first.aclose()
        await second.join(server.url)
        await second.speak(tone(0.5))
        await until(lambda: second.finished(), 10)
        await second.aclose()
    assert second.finished()[-1]["interrupted"] is False


@pytest.mark.parametrize("rate", ["", "x", "100", "1e9"], ids=repr)
async def test_a_stream_of_unknown_rate_is_reported_as_unheard(server, rate):
    agent = Agent("face")
    async with guests(server, agent), face(server, AgentSource()):
        writer = await agent.room.local_participant.stream_bytes(
            "broken",
            topic=livekit_agent.AUDIO_STREAM,
            destination_identities=["face"],
            attributes={"sample_rate": rate, "num_channels": "1"},
        )
        await writer.write(b"\0" * 100)
        await writer.aclose()
        await until(lambda: agent.finished(), 5)
    assert agent.finished() == [{"playback_position": 0.0, "interrupted": False}]
