"""The analyst on records as other people post them: every fact of every case, every line, every time."""

import os
from pathlib import Path

import analyst_cases
import pytest

PROGRAM = Path(os.environ["HEADROOM_TEST_BIN"]) / "headroom-report"
OPEN = {"csv-Mi"}  # known to be wrong: a table with several owners shows only the largest


@pytest.mark.parametrize("name", analyst_cases.CASES)
def test_case(name):
    outcome = analyst_cases.Outcome(PROGRAM, name)
    assert outcome.verdict() != "wrong" or name in OPEN
    missed = outcome.missed(outcome.expect)
    assert bool(missed) == (name in OPEN), missed


def test_lines():
    right, count, wrong = analyst_cases.lines(PROGRAM)
    assert right == count, wrong


def test_times():
    right, count, wrong = analyst_cases.times(PROGRAM)
    assert right == count, wrong
