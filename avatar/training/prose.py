"""English prose without a download: the documentation that Python's standard library carries.

A network that hears few sentences learns them by heart; thousands of different ones keep it
listening.
"""

from __future__ import annotations

import ast
import random
import re
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_SENTENCE = re.compile(r"[A-Z][A-Za-z ,;'-]{25,150}[.!?]")
_WORD = re.compile(r"[A-Za-z]{3,}")


@cache
def prose() -> tuple[str, ...]:
    """Sentences of plain words from the language reference and from docstrings, each once."""
    from pydoc_data.topics import topics

    folder = Path(sysconfig.get_paths()["stdlib"])
    texts = [*topics.values(), *(d for path in sorted(folder.glob("*.py")) for d in _docs(path))]
    found = (s for text in texts for s in _sentences(text))
    return tuple(dict.fromkeys(found))


def _docs(path: Path) -> Iterator[str]:
    """The docstrings of a source file."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError):
        return
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, kinds) and (text := ast.get_docstring(node)):
            yield text


def _sentences(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", text):
        for sentence in re.split(r"(?<=[.!?])\s", " ".join(paragraph.split())):
            if _SENTENCE.fullmatch(sentence):
                yield sentence


def shuffled_words(rng: random.Random) -> str:
    """Four to ten words of the prose in random order: sounds that no habit of speech foretells."""
    words = [w for s in rng.sample(prose(), 12) for w in _WORD.findall(s)]
    return " ".join(rng.sample(words, min(len(words), rng.randint(4, 10)))).lower() + "."
