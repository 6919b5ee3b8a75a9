"""What a voice agent says through the face, sample by sample: given to the face, then played.

    pushed    |uuuuuuuuuu|vvvvv               faster than it is heard, one utterance a stream
    given     ...|uuuuuuuuuu|vvvvv|.....      one row of sound without end, silence in between
    played    ...|uuuu                        how much of that row has left

Positions count samples of the row, so no clock is asked. Read next:
`streaming/rooms/livekit_agent.py`.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np

RATE = 48000
STARVED_SAMPLES = 12 * RATE
"""Silence in an utterance after which its end is taken to be lost; LiveKit Agents waits 10 s."""
MOST_WAITING_SAMPLES = 600 * RATE
"""Speech that may wait; the rest of a longer utterance is dropped and counted."""


class Started(NamedTuple):
    """The first sample of an utterance has been played."""


class Finished(NamedTuple):
    """An utterance is over.

    position_s: how much of it has been played, s.
    interrupted: it was cleared before its end.
    """

    position_s: float
    interrupted: bool


class Utterance:
    """One stretch of speech, still coming in."""

    def __init__(self) -> None:
        """Nothing said yet."""
        self.is_open = True
        self.waiting = self.given = self.played = self.dropped = 0
        self._chunks: deque[np.ndarray] = deque()

    def push(self, samples: np.ndarray) -> None:
        """Append [S] int16, 48 kHz; ignored after the end."""
        if not self.is_open:
            return
        room = MOST_WAITING_SAMPLES - self.waiting
        self.dropped += max(0, samples.size - room)
        if samples[:room].size:
            self._chunks.append(samples[:room])
            self.waiting += min(samples.size, room)

    def end(self) -> None:
        """No more will come."""
        self.is_open = False

    def take(self, most: int) -> np.ndarray:
        """The next samples, at most so many, [<= most] int16."""
        taken, n = [], 0
        while self._chunks and n < most:
            chunk = self._chunks.popleft()
            if chunk.size > most - n:
                self._chunks.appendleft(chunk[most - n :])
                chunk = chunk[: most - n]
            taken.append(chunk)
            n += chunk.size
        self.waiting -= n
        self.given += n
        return np.concatenate(taken) if taken else np.empty(0, np.int16)

    @property
    def is_over(self) -> bool:
        """Whether all of it has been played."""
        return not self.is_open and not self.waiting and self.played == self.given


class AgentSpeech:
    """All utterances of one agent, in order."""

    def __init__(self) -> None:
        """An agent who has said nothing yet."""
        self._utterances: deque[Utterance] = deque()  # not over yet
        self._spans: deque[tuple[Utterance | None, int]] = deque()  # given, not played
        self._given = self._played = self._silent_before = 0  # positions in the row
        self._starved = 0

    def open(self) -> Utterance:
        """A new utterance, heard after those before it."""
        self._utterances.append(Utterance())
        return self._utterances[-1]

    def silence(self, position: int, samples: np.ndarray) -> np.ndarray:
        """A piece of the row as it may still be heard: what was given before a `clear` may not.

        Args:
            position: of the first sample in the row.
            samples: [S] int16, as `read` gave them.

        Returns:
            [S] int16.
        """
        n = min(max(0, self._silent_before - position), samples.size)
        if n == 0:
            return samples
        return np.concatenate((np.zeros(n, np.int16), samples[n:]))

    def read(self, n: int) -> np.ndarray:
        """The next n samples of the row, [n] int16, 48 kHz; silence where nothing is said."""
        row = np.zeros(n, np.int16)
        at = 0
        while at < n:
            utterance = self._next_utterance()
            if utterance is None:
                self._give(None, n - at)
                break
            samples = utterance.take(n - at)
            if samples.size:
                self._starved = 0
                row[at : at + samples.size] = samples
                self._give(utterance, samples.size)
                at += samples.size
            elif utterance.is_open:
                self._wait_for_more(utterance, n - at)
                self._give(None, n - at)
                break
        return row

    def play(self, position: int) -> list[Started | Finished]:
        """Everything before `position` of the row has been played; what that begins and ends."""
        events: list[Started | Finished] = []
        while self._spans and self._played < position:
            utterance, n = self._spans.popleft()
            now = min(n, position - self._played)
            if now < n:
                self._spans.appendleft((utterance, n - now))
            self._played += now
            if utterance is not None:
                if not utterance.played:
                    events.append(Started())
                utterance.played += now
        while self._utterances and self._utterances[0].is_over:
            events.append(_finished(self._utterances.popleft(), interrupted=False))
        return events

    def clear(self) -> list[Finished]:
        """Forget all that has not been played; how far each utterance came."""
        for utterance in self._utterances:
            utterance.end()
        events = [_finished(utterance, interrupted=True) for utterance in self._utterances]
        self._utterances.clear()
        self._spans = deque([(None, self._given - self._played)])
        self._silent_before = self._given
        self._starved = 0
        return events

    def _next_utterance(self) -> Utterance | None:
        """The first that may still give samples."""
        return next((u for u in self._utterances if u.waiting or u.is_open), None)

    def _wait_for_more(self, utterance: Utterance, n: int) -> None:
        self._starved += n
        if self._starved >= STARVED_SAMPLES:
            self._starved = 0
            utterance.end()

    def _give(self, utterance: Utterance | None, n: int) -> None:
        self._spans.append((utterance, n))
        self._given += n


def _finished(utterance: Utterance, interrupted: bool) -> Finished:
    return Finished(round(utterance.played / RATE, 3), interrupted)
