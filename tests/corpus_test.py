"""The analyst on the corpus: every known answer is found, and nothing is asserted without data."""

import os
from pathlib import Path

import corpus
import pytest

PROGRAM = Path(os.environ["HEADROOM_TEST_BIN"]) / "headroom-report"


@pytest.mark.parametrize("make", corpus.RECORDS, ids=lambda make: make.__name__)
def test_record(make, tmp_path):
    record = make()
    report = corpus.find(PROGRAM, record, tmp_path)
    missed = [words for _, words, predicate in record.checks if not predicate(report)]
    assert not missed, "\n".join(s["text"] for s in report["summary"])
