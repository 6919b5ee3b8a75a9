"""The speech that the motion network learns from: what each voice says, kept in the run folder.

One file per voice, made once; a file that is there is not made again. Read next: `takes.py`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avatar.training import sentences
from avatar.training.phonemes import Phone
from avatar.training.recordings import packaged_speakers, prompt_speakers, prompts
from avatar.training.voices import Utterance, Voice

RATE = 16000


@dataclass(frozen=True)
class CorpusOptions:
    """How much is said.

    voice_seconds: of clean speech, by every voice but Kokoro's; Piper's says twice as much.
    speaker_seconds: by every blended speaker of Kokoro, and twice as much in `MORE_SPEAKERS`.
    kokoro_speakers: how many of them.
    styles: folder with more styles of Kokoro, see `kokoro.py`.
    recordings: folder of unpacked packages with real speech, see `recordings.PACKAGED`.
    seed: of sentences and speakers.
    """

    voice_seconds: float = 120.0
    speaker_seconds: float = 8.0
    kokoro_speakers: int = 240
    styles: Path | None = None
    recordings: Path | None = None
    seed: int = 0


def all_voices(options: CorpusOptions) -> list[Voice]:
    """Every synthetic voice that this machine has."""
    from avatar.training.kokoro import kokoro_voices
    from avatar.training.voices import espeak_voices, festival_voices, flite_voices, piper_voices

    return [
        *flite_voices(),
        *festival_voices(),
        *espeak_voices(),
        *piper_voices(options.seed),
        *kokoro_voices(options.kokoro_speakers, options.seed, options.styles),
    ]


def seconds_of(voice: Voice, options: CorpusOptions) -> float:
    """How long a voice shall speak."""
    from avatar.training.kokoro import MORE_SPEAKERS

    if voice.name.startswith("kokoro"):
        return options.speaker_seconds * (2 if voice.language in MORE_SPEAKERS else 1)
    return options.voice_seconds * (2 if voice.name.startswith("piper") else 1)


def make_corpus(folder: Path, options: CorpusOptions) -> list[Path]:
    """Let every voice speak its share and return the files, one per voice.

    Raises:
        ValueError: no voice is installed.
    """
    from tqdm import tqdm

    from avatar.training.synchrony import synchronised

    voices = all_voices(options)
    if not voices:
        raise ValueError("no voice is installed: try `apt install flite festival espeak-ng`")
    folder.mkdir(parents=True, exist_ok=True)
    for voice in tqdm(voices, desc="voices", unit="voice"):
        path = folder / f"{voice.name}.npz"
        if not path.exists():
            said = list(_speech(voice, seconds_of(voice, options), options.seed))
            known = voice.name.startswith("kokoro")  # its delay is the same for every speaker
            save_utterances(path, said if known else synchronised(said))
    files = [folder / f"{voice.name}.npz" for voice in voices]
    packaged = packaged_speakers(options.recordings) if options.recordings else {}
    for name, paths in (prompt_speakers() | packaged).items():
        files.append(folder / f"{name}.npz")
        if not files[-1].exists():
            save_utterances(files[-1], prompts(paths))
    return files


def _speech(voice: Voice, seconds: float, seed: int) -> Iterator[Utterance]:
    """Utterances of one voice until they last `seconds`."""
    own_seed = zlib.crc32(voice.name.encode()) + seed
    english = voice.language == "en"
    texts = sentences.english(own_seed) if english else sentences.foreign(voice.language, own_seed)
    spoken = 0.0
    for text in texts:
        utterance = voice.speak(text)
        spoken += len(utterance.samples) / RATE
        yield utterance
        if spoken >= seconds:
            return


def save_utterances(path: Path, utterances: Iterable[Utterance]) -> None:
    """Write utterances as one npz of 16-bit sound and phonemes."""
    said = list(utterances)
    phones = [(i, *phone) for i, utterance in enumerate(said) for phone in utterance.phones]
    owner, symbols, starts, ends = zip(*phones, strict=True)
    sound = np.concatenate([u.samples for u in said])
    part = path.with_suffix(".part.npz")
    np.savez(
        part,
        sound=np.round(sound.clip(-1, 1) * 32767).astype(np.int16),
        lengths=np.array([len(u.samples) for u in said]),
        owner=np.array(owner),
        symbols=np.array(symbols),
        starts=np.array(starts, np.float32),
        ends=np.array(ends, np.float32),
    )
    part.replace(path)


def load_utterances(path: Path) -> list[Utterance]:
    """The utterances of one voice."""
    with np.load(path) as file:
        sound = file["sound"].astype(np.float32) / 32767
        rows = zip(file["owner"], file["symbols"], file["starts"], file["ends"], strict=True)
        phones: list[list[Phone]] = [[] for _ in file["lengths"]]
        for owner, symbol, start, end in rows:
            phones[owner].append(Phone(str(symbol), float(start), float(end)))
        pieces = np.split(sound, np.cumsum(file["lengths"])[:-1])
    return [Utterance(s, p) for s, p in zip(pieces, phones, strict=True)]
