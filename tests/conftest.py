"""What tests of several packages share: the demonstration portrait, tracked once."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[1].parent / "shared"


@pytest.fixture(scope="session")
def demonstration_face():
    from avatar.portrait import read_portrait
    from avatar.tracking import open_tracker

    face, _ = read_portrait(None, 256, open_tracker())
    return face


@pytest.fixture(scope="session")
def lite():
    from models.lite.head import LiteTalkingHead

    return LiteTalkingHead()


@pytest.fixture(scope="session")
def lite_portrait(lite, demonstration_face):
    return lite.encode_portrait(demonstration_face)


@pytest.fixture(scope="session")
def shared():
    if not SHARED.is_dir():
        pytest.skip("needs the folder of shared data")
    return SHARED
