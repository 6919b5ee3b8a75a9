"""An agent's speech in sample counts: what is given, what is played, what is reported."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.rooms import agent_speech
from streaming.rooms.agent_speech import RATE, STARVED_SAMPLES, AgentSpeech, Finished, Started

PIECE = 960


def tone(n: int, first: int = 1) -> np.ndarray:
    """[n] int16, no two neighbours alike, nowhere 0."""
    return ((first + np.arange(n)) % 30000 + 1).astype(np.int16)


def give(speech: AgentSpeech, n: int) -> np.ndarray:
    """n samples of the row in pieces of 20 ms."""
    return np.concatenate([speech.read(PIECE) for _ in range(n // PIECE)])


@pytest.mark.parametrize("chunks", [[4800], [1, 4799], [7, 13, 960, 3820]], ids=str)
def test_the_row_has_every_sample_once_whatever_the_chunks(chunks):
    speech, sent = AgentSpeech(), tone(4800)
    utterance = speech.open()
    for start, n in zip(np.cumsum([0, *chunks]), chunks, strict=False):
        utterance.push(sent[start : start + n])
    utterance.end()
    row = give(speech, 5 * PIECE + 2 * PIECE)
    assert np.array_equal(row, np.concatenate((sent, np.zeros(2 * PIECE, np.int16))))


def test_utterances_follow_one_another_without_a_hole():
    speech = AgentSpeech()
    first, second = speech.open(), speech.open()
    second.push(tone(1500, 500))
    first.push(tone(700))
    first.end()
    assert np.array_equal(speech.read(2200), np.concatenate((tone(700), tone(1500, 500))))


def test_speech_that_stalls_leaves_silence_and_goes_on():
    speech = AgentSpeech()
    utterance = speech.open()
    utterance.push(tone(1000))
    assert not speech.read(PIECE)[:PIECE].min() == 0
    assert np.array_equal(speech.read(PIECE)[:40], tone(40, 961))
    utterance.push(tone(PIECE, 9))
    assert np.array_equal(speech.read(PIECE), tone(PIECE, 9))


def test_start_and_end_are_reported_when_played_not_when_given():
    speech = AgentSpeech()
    speech.read(PIECE)
    utterance = speech.open()
    utterance.push(tone(2 * PIECE))
    utterance.end()
    give(speech, 4 * PIECE)
    assert speech.play(PIECE) == []
    assert speech.play(PIECE + 1) == [Started()]
    assert speech.play(3 * PIECE - 1) == []
    assert speech.play(3 * PIECE) == [Finished(2 * PIECE / RATE, interrupted=False)]
    assert speech.play(4 * PIECE) == []


def test_silence_of_a_stall_does_not_count_as_playback():
    speech = AgentSpeech()
    utterance = speech.open()
    utterance.push(tone(PIECE))
    give(speech, 10 * PIECE)
    utterance.push(tone(PIECE))
    utterance.end()
    give(speech, PIECE)
    assert speech.play(11 * PIECE) == [Started(), Finished(2 * PIECE / RATE, interrupted=False)]


def test_clearing_reports_what_was_played_and_silences_what_was_given():
    speech = AgentSpeech()
    utterance = speech.open()
    utterance.push(tone(100 * PIECE))
    row = give(speech, 10 * PIECE)
    speech.play(4 * PIECE)
    assert speech.clear() == [Finished(4 * PIECE / RATE, interrupted=True)]
    assert not speech.silence(4 * PIECE, row[4 * PIECE :]).any(), "in flight, but not heard"
    assert not give(speech, 3 * PIECE).any(), "nothing of it is left"
    utterance.push(tone(PIECE))
    assert not give(speech, 3 * PIECE).any(), "what comes after the clear is left out"
    assert speech.play(16 * PIECE) == []
    assert speech.clear() == [], "once only"


def test_after_clearing_new_speech_is_heard_from_its_first_sample():
    speech = AgentSpeech()
    speech.open().push(tone(100 * PIECE))
    give(speech, 3 * PIECE + PIECE)
    speech.clear()
    new = speech.open()
    new.push(tone(PIECE))
    new.end()
    row = speech.read(PIECE)
    assert np.array_equal(speech.silence(4 * PIECE, row), tone(PIECE))
    assert speech.play(5 * PIECE) == [Started(), Finished(PIECE / RATE, interrupted=False)]


def test_clearing_reports_every_utterance_that_waits():
    speech = AgentSpeech()
    for _ in range(3):
        utterance = speech.open()
        utterance.push(tone(2 * PIECE))
        utterance.end()
    give(speech, 3 * PIECE)
    assert speech.play(3 * PIECE) == [Started(), Started(), Finished(2 * PIECE / RATE, False)]
    assert speech.clear() == [Finished(PIECE / RATE, True), Finished(0.0, True)]


def test_a_lost_end_is_given_up_after_a_silence_and_the_next_utterance_is_heard():
    speech = AgentSpeech()
    speech.open().push(tone(PIECE))
    following = speech.open()
    following.push(tone(PIECE, 77))
    row = give(speech, PIECE + STARVED_SAMPLES + PIECE)
    assert np.array_equal(row[-PIECE:], tone(PIECE, 77))
    assert speech.play(row.size) == [Started(), Started(), Finished(PIECE / RATE, False)]


def test_short_stalls_never_add_up_to_a_lost_end():
    speech = AgentSpeech()
    utterance = speech.open()
    for _ in range(20):
        utterance.push(tone(PIECE))
        give(speech, PIECE + STARVED_SAMPLES // 2)
    assert utterance.is_open


def test_speech_without_end_is_bounded_and_counted(monkeypatch):
    monkeypatch.setattr(agent_speech, "MOST_WAITING_SAMPLES", 10 * PIECE)
    utterance = AgentSpeech().open()
    for _ in range(12):
        utterance.push(tone(PIECE))
    assert (utterance.waiting, utterance.dropped) == (10 * PIECE, 2 * PIECE)
