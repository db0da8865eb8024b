"""docs/report.schema.json says what the JSON report is: every kind of record that the tests have is checked against it,
and it is not so loose that it would take anything."""

import copy
import json
import sys
from pathlib import Path

import corpus
import fastjsonschema
import pytest
from corpus_test import PROGRAM
from report_test import FILES, HERE, inputs, run

sys.path.insert(0, str(HERE / "incident-report"))
import generate  # noqa: E402

SCHEMA = json.loads((Path(__file__).parent.parent / "docs/report.schema.json").read_text())
check = fastjsonschema.compile(SCHEMA)


@pytest.fixture(scope="module")
def incident(tmp_path_factory):
    logs = generate.generate(tmp_path_factory.mktemp("logs"))
    outcome = run("report", "-f", "json", "--claims", HERE / "incident-report/claims.toml", *inputs(logs, FILES))
    assert outcome.returncode == 0, outcome.stderr
    return json.loads(outcome.stdout)


def test_the_incident(incident):
    assert incident["claims"] and incident["model"] and incident["errors"]["bursts"]
    check(incident)


@pytest.mark.parametrize("make", corpus.RECORDS, ids=lambda make: make.__name__)
def test_record(make, tmp_path):
    check(corpus.find(PROGRAM, make(), tmp_path))


def members(value, path=()):
    if isinstance(value, dict):
        for key, item in value.items():
            yield path + (key,)
            yield from members(item, path + (key,))
    elif isinstance(value, list):
        for i, item in enumerate(value[:1]):
            yield from members(item, path + (i,))


def test_whatever_is_missing_or_new_is_seen(incident):
    paths = [path for path in members(incident) if path[0] != "claims"]
    assert len(paths) > 100
    for path in paths:
        broken = copy.deepcopy(incident)
        parent = broken
        for key in path[:-1]:
            parent = parent[key]
        value = parent.pop(path[-1])
        with pytest.raises(fastjsonschema.JsonSchemaException):
            check(broken)
        parent[path[-1]] = value
        check(broken)
        parent[path[-1] + "_new"] = value
        with pytest.raises(fastjsonschema.JsonSchemaException):
            check(broken)
