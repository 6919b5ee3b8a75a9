"""What tests of several packages share: the demonstration portrait, and tries in real time."""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
SHARED = TESTS.parents[1] / "shared"
REAL_TIME = ("clients", "e2e", "streaming")
"""Folders whose tests last as long as what they test: a machine may falter meanwhile."""
TRIES = 3


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.relative_to(TESTS).parts[0] in REAL_TIME:
            item.add_marker(pytest.mark.flaky(reruns=TRIES - 1, reruns_delay=3))


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
