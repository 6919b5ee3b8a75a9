"""Phonemes with their times, and the alphabets of the sources brought to one: IPA without marks.

Read next: `visemes.py` (what the lips do for each), `voices.py` and `recogniser.py` (where they
come from).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

SILENCE = "sil"


class Phone(NamedTuple):
    """One phoneme of a recording; times in seconds from its first sample."""

    symbol: str
    start: float
    end: float


def _table(text: str) -> dict[str, tuple[str, ...]]:
    """`a=x b=y,z` -> {a: (x,), b: (y, z)}."""
    pairs = (entry.split("=") for entry in text.split())
    return {name: tuple(symbols.split(",")) for name, symbols in pairs}


_COMPOUNDS = _table(
    "aɪ=a,ɪ aʊ=a,ʊ eɪ=e,ɪ oʊ=o,ʊ ɔɪ=ɔ,ɪ ɪə=ɪ,ə eə=e,ə ju=j,u ja=j,a jo=j,o je=j,e jʌ=j,ʌ "
    "wa=w,a we=w,e wi=w,i wʌ=w,ʌ ɯi=ɯ,i A=e,ɪ I=a,ɪ W=a,ʊ O=o,ʊ Y=ɔ,ɪ Q=ə,ʊ T=ɾ ʤ=d͡ʒ "
    "ʧ=t͡ʃ ʨ=t͡ʃ ʥ=d͡ʒ ʦ=t,s ʣ=d,z ꭧ=t͡ʃ t͡ɕ=t͡ʃ t͡ɕʰ=t͡ʃ t͡ɕ͈=t͡ʃ pʰ=p p͈=p tʰ=t t͈=t "
    "kʰ=k k͈=k s͈=s ᵻ=ɪ g=ɡ"
)
_ARPABET = _table(
    "aa=ɑ ae=æ ah=ʌ ao=ɔ aw=a,ʊ ax=ə axr=ɚ ay=a,ɪ b=b ch=t͡ʃ d=d dh=ð dx=ɾ eh=ɛ el=l "
    "em=m en=n er=ɝ ey=e,ɪ f=f g=ɡ hh=h hv=h ih=ɪ iy=i jh=d͡ʒ k=k l=l m=m n=n ng=ŋ nx=n "
    "ow=o,ʊ oy=ɔ,ɪ p=p r=ɹ s=s sh=ʃ t=t th=θ uh=ʊ uw=u v=v w=w y=j z=z zh=ʒ pau=sil "
    "sil=sil h#=sil ssil=sil brth=sil"
)
_SAMPA = _table(
    "a=a e=e i=i o=o u=u E=ɛ O=ɔ I=ɪ U=ʊ @=ə y=y ae=æ oe=ø 2=ø b=b d=d f=f g=ɡ h=h j=j "
    "k=k l=l m=m n=n p=p r=r s=s t=t v=v w=w z=z S=ʃ Z=ʒ L=ʎ J=ɲ N=ŋ T=θ D=ð x=x dZ=d͡ʒ "
    "tS=t͡ʃ ts=t,s dz=d,z c~=t͡ʃ s~=ʃ z~=ʒ r~=r aa=ɑ ii=i uu=u ee=e oo=o A=ɑ hv=h sh=ʃ "
    "ch=t͡ʃ #=sil pau=sil sil=sil _=sil"
)
ALPHABETS = {"ipa": _COMPOUNDS, "arpabet": _ARPABET, "sampa": _SAMPA}
_MARKS = set("ˈˌːˑʰʱʲʷˤ˞ ̩̯̃̈̊̚͜͡,.;:!?-—…\"()“”'^$_²³¹0123456789↓→↗↘~")


def canonical(phones: Iterable[Phone], alphabet: str) -> list[Phone]:
    """Phones in plain IPA: compounds split in equal parts, marks given to the phone before them.

    Args:
        phones: in order of time.
        alphabet: a key of `ALPHABETS`; symbols outside it are taken as IPA.
    """
    table = ALPHABETS[alphabet]
    out: list[Phone] = []
    for symbol, start, end in phones:
        if end <= start:
            continue
        parts = table.get(symbol) or table.get(symbol.strip("0123456789:")) or _plain(symbol)
        if not parts:
            if out:
                out[-1] = out[-1]._replace(end=end)
            continue
        step = (end - start) / len(parts)
        out.extend(
            Phone(part, start + i * step, start + (i + 1) * step) for i, part in enumerate(parts)
        )
    return out


def _plain(symbol: str) -> tuple[str, ...]:
    """A symbol of IPA without its marks, () when it is nothing but marks."""
    if symbol in _COMPOUNDS or "͡" in symbol:
        return _COMPOUNDS.get(symbol, (symbol,))
    bare = "".join(c for c in symbol if c not in _MARKS)
    return _COMPOUNDS.get(bare, (bare,)) if bare else ()


def with_silence(phones: list[Phone], duration: float, shortest: float = 0.2) -> list[Phone]:
    """The phones, and silence in gaps of at least `shortest` seconds: in less, lips do not rest."""
    out: list[Phone] = []
    clock = 0.0
    for phone in [*phones, Phone(SILENCE, duration, duration)]:
        if phone.start - clock >= shortest:
            out.append(Phone(SILENCE, clock, phone.start))
        if phone.end > phone.start:
            out.append(phone)
        clock = max(clock, phone.end)
    return out


def stretched(phones: list[Phone], factor: float, shift: float = 0.0) -> list[Phone]:
    """The phones of a recording that lasts `factor` times as long, `shift` seconds later."""
    return [Phone(p.symbol, p.start * factor + shift, p.end * factor + shift) for p in phones]
