"""The benchmark runs and finds that caching the portrait pays."""

import json

import pytest

from benchmarks.eamm import main


@pytest.mark.slow
def test_a_cached_step_is_a_quarter_faster_than_the_whole_generator(capsys):
    main(["--rounds", "3", "--json"])
    result = json.loads(capsys.readouterr().out)
    assert result["ratio"] >= 1.25
    assert result["cached step"] < result["generator as published"]
