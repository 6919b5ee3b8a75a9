"""The avatar worker of a LiveKit voice agent: the agent sends its speech, the face says it.

LiveKit Agents' protocol, as its `DataStreamAudioOutput` speaks it:

    agent -> face    byte stream `lk.audio_stream`, one an utterance: int16 samples; attributes
                     sample_rate and num_channels
    agent -> face    RPC `lk.clear_buffer`: be silent at once
    face -> agent    RPC `lk.playback_started`, no payload
    face -> agent    RPC `lk.playback_finished` {"playback_position": s, "interrupted": bool}
    face -> room     attribute `lk.publish_on_behalf`: the agent's identity

Every utterance is reported as finished, once, whatever gets lost: an agent waits for that.
Read next: `streaming/rooms/agent_speech.py`.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Coroutine
from typing import Any

import numpy as np
from livekit import rtc

from streaming.opus import PACKET_SAMPLES
from streaming.receive_buffer import Piece
from streaming.rooms.agent_speech import RATE, AgentSpeech, Finished, Started, Utterance
from streaming.rooms.sample_bytes import SampleBytes

AUDIO_STREAM = "lk.audio_stream"
CLEAR_BUFFER = "lk.clear_buffer"
PLAYBACK_STARTED, PLAYBACK_FINISHED = "lk.playback_started", "lk.playback_finished"
ON_BEHALF = "lk.publish_on_behalf"

PIECE_S = PACKET_SAMPLES / RATE
MOST_LATE_S = 1.0
"""After a longer stall the row of sound goes on from now, instead of catching up."""
SUPERSEDED_S = 0.5
"""What is left of an utterance after the next has begun; an agent never sends two at once."""
MOST_REPORTS = 64
RPC_TRIES, RETRY_S = 3, 0.1

log = logging.getLogger(__name__)


class AgentSource:
    """The sound of the face: an agent's speech, and silence when it says nothing."""

    late_packets = 0

    def __init__(self, agent: str | None = None) -> None:
        """An agent who has not come yet.

        Args:
            agent: its identity; None for the one that our token's `lk.publish_on_behalf` names, or
                the first participant of kind agent that is no avatar itself.
        """
        self._wanted = agent
        self._speech = AgentSpeech()
        self._streams: dict[Utterance, asyncio.Task[None]] = {}
        self._reports: asyncio.Queue[tuple[str, str]] = asyncio.Queue(MOST_REPORTS)
        self._jobs: set[asyncio.Task[None]] = set()
        self._room: rtc.Room | None = None
        self._due_s: float | None = None

    async def attach(self, room: rtc.Room) -> None:
        """Listen to the agent of a room that has just been joined."""
        self._room = room
        room.register_byte_stream_handler(AUDIO_STREAM, self._on_stream)
        room.local_participant.register_rpc_method(CLEAR_BUFFER, self._on_clear)
        room.on("participant_connected", lambda participant: self._start(self._name_agent()))
        self._start(self._report())
        self._start(self._name_agent())

    async def detach(self) -> None:
        """The room is gone: what has been said is played, no more will come."""
        self._room = None
        jobs = [*self._jobs, *self._streams.values()]
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)

    async def aclose(self) -> None:
        """Listen no more."""
        await self.detach()

    async def read(self) -> list[Piece]:
        """The next 20 ms, in real time; several after a stall."""
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        if self._due_s is None or now_s - self._due_s > MOST_LATE_S:
            self._due_s = now_s
        await asyncio.sleep(max(0.0, self._due_s - now_s))
        pieces = []
        while self._due_s <= loop.time():
            pieces.append(Piece(self._speech.read(PACKET_SAMPLES), PACKET_SAMPLES))
            self._due_s += PIECE_S
        self._stop_overdue()
        return pieces

    def heard(self, position: int, samples: np.ndarray) -> np.ndarray:
        """Take note that a frame leaves; see `streaming.rooms.livekit_publication.Hearing`."""
        audible = self._speech.silence(position, samples)
        for event in self._speech.play(position + samples.size):
            self._tell(event)
        return audible

    def _stop_overdue(self) -> None:
        """Stop reading streams whose utterance has ended without them."""
        for utterance, job in self._streams.items():
            if not utterance.is_open:
                job.cancel()

    def _start(self, job: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(job)
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)

    # from the agent

    def _on_stream(self, reader: rtc.ByteStreamReader, identity: str) -> None:
        if identity != self._agent():
            log.warning("%s is not our agent: its speech is left out", identity)
            reader.close()
            return
        loop = asyncio.get_running_loop()
        for earlier in self._streams:
            loop.call_later(SUPERSEDED_S, earlier.end)
        utterance = self._speech.open()
        job = asyncio.create_task(_fill(utterance, reader))
        self._streams[utterance] = job
        job.add_done_callback(lambda _: self._streams.pop(utterance, None))

    def _on_clear(self, call: rtc.RpcInvocationData) -> str:
        if call.caller_identity != self._agent():
            log.warning("%s is not our agent: it may not interrupt", call.caller_identity)
            return "reject"
        for event in self._speech.clear():
            self._tell(event)
        self._stop_overdue()
        return "ok"

    def _agent(self) -> str | None:
        """The identity of the agent, as far as known."""
        if self._wanted is not None or self._room is None:
            return self._wanted
        named = self._room.local_participant.attributes.get(ON_BEHALF)
        return named or next(
            (
                participant.identity
                for participant in self._room.remote_participants.values()
                if participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
                and ON_BEHALF not in participant.attributes
            ),
            None,
        )

    # to the agent and the room

    async def _name_agent(self) -> None:
        """Say in the room on whose behalf the face speaks, unless the token has said so."""
        agent, room = self._agent(), self._room
        if agent is None or room is None:
            return
        if room.local_participant.attributes.get(ON_BEHALF) != agent:
            await room.local_participant.set_attributes({ON_BEHALF: agent})

    def _tell(self, event: Started | Finished) -> None:
        """Queue a report; when nobody has taken 64 of them, the oldest is left out."""
        report = PLAYBACK_STARTED, ""
        if isinstance(event, Finished):
            values = {"playback_position": event.position_s, "interrupted": event.interrupted}
            report = PLAYBACK_FINISHED, json.dumps(values)
        if self._reports.full():
            log.warning("nobody takes our reports: %s %s is left out", *self._reports.get_nowait())
        self._reports.put_nowait(report)

    async def _report(self) -> None:
        """Send reports in order."""
        while True:
            method, payload = await self._reports.get()
            agent, room = self._agent(), self._room
            if agent is not None and room is not None:
                await _call(room, agent, method, payload)


async def _call(room: rtc.Room, agent: str, method: str, payload: str) -> None:
    """Call a method of the agent, three times at most. Not all agents want to know the start."""
    for _ in range(RPC_TRIES):
        try:
            await room.local_participant.perform_rpc(
                destination_identity=agent, method=method, payload=payload
            )
            return
        except rtc.RpcError as error:
            if error.code == rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD:
                break
            log.warning("%s of %s failed: %s", method, agent, error)
            await asyncio.sleep(RETRY_S)
    log.debug("%s was not taken by %s", method, agent)


async def _fill(utterance: Utterance, reader: rtc.ByteStreamReader) -> None:
    """Bring an utterance to its end, the stream's or its own."""
    try:
        attributes = reader.info.attributes or {}
        samples = SampleBytes(attributes.get("sample_rate"), attributes.get("num_channels"))
        async for chunk in reader:
            utterance.push(samples.push(chunk))
        utterance.push(samples.flush())
    except (ValueError, rtc.StreamError) as error:
        log.warning("speech of the agent is cut off: %s", error)
    finally:
        utterance.end()
        reader.close()
