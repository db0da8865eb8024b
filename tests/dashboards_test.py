"""The Grafana dashboard and the Prometheus rules: they load, the rules say what they should, and neither asks for a
number that the daemon does not give."""

import json
import re
import subprocess
import urllib.request
from pathlib import Path

import pytest

from live_daemon import free_port, start  # noqa: F401 (start is a fixture)

ROOT = Path(__file__).parent.parent
RULES = ROOT / "packaging/prometheus/headroom.rules.yml"
DASHBOARD = json.loads((ROOT / "packaging/grafana/headroom.json").read_text())


@pytest.fixture(scope="module")
def promtool():
    found = subprocess.run([ROOT / "tests/promtool.sh"], capture_output=True, text=True, timeout=300)
    if found.returncode != 0:
        pytest.skip(f"promtool cannot be had here: {found.stderr.strip()[-200:]}")
    return lambda *args, **kwargs: subprocess.run([found.stdout.strip(), *args], capture_output=True, text=True,
                                                  timeout=120, **kwargs)


@pytest.fixture
def metrics(start):
    port = free_port()
    daemon = start(f"server.listen=127.0.0.1:{port}")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain")
        text = answer.read().decode()
    daemon.stop()
    return text


def expressions():
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield target["expr"]


def test_rules(promtool):
    checked = promtool("check", "rules", RULES)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tested = promtool("test", "rules", RULES.with_name("headroom.rules.test.yml"))
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_panels_are_queries(promtool, tmp_path):
    rules = [{"record": f"panel:{at}", "expr": expr.replace("$__rate_interval", "5m").replace("$instance", ".*")}
             for at, expr in enumerate(expressions())]
    (tmp_path / "panels.yml").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    checked = promtool("check", "rules", tmp_path / "panels.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_dashboard_is_one():
    assert DASHBOARD["uid"] == "headroom" and DASHBOARD["schemaVersion"] >= 30
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids)) > 10
    taken = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        assert panel["title"] and panel["description"] and at["x"] + at["w"] <= 24
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, f"{panel['title']} lies over another"
        taken |= cells
        assert all(part["datasource"]["uid"] == "${source}" for part in [panel, *panel["targets"]])
    assert [variable["name"] for variable in DASHBOARD["templating"]["list"]] == ["source", "instance"]


def test_the_daemon_gives_every_number_that_is_asked_for(metrics, promtool):
    given = set(re.findall(r"^# TYPE (\w+)", metrics, re.M))
    given |= {name + "_bucket" for name in given}  # of histograms
    rules = RULES.read_text()
    asked = set(re.findall(r"\bheadroom_\w+", " ".join(expressions()) + " ".join(re.findall(r"expr: (.*)", rules))))
    assert len(asked) > 12
    assert asked <= given, f"unknown: {asked - given}"
    linted = promtool("check", "metrics", input=metrics)
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_the_page_lists_every_metric(metrics):
    given = {name for name in re.findall(r"^# TYPE (\w+)", metrics, re.M)
             if not name.startswith(("headroom_http_", "headroom_wyoming_"))}
    table = (ROOT / "docs/monitoring.md").read_text().split("| metric |")[1].split("| alert |")[0]
    assert set(re.findall(r"`(headroom_[a-z_]+[a-z])`", table)) == given
