"""headroom governor replay, as a person uses it, on a trace of the incident made here."""

import json
import subprocess
import sys
import time

import pytest
from docs import must_show
from incident.trace import incident


@pytest.fixture
def trace(tmp_path):
    path = tmp_path / "night.csv"
    path.write_text(incident())
    return path


def test_the_incident(headroom, trace):
    outcome = headroom("governor", "replay", trace, "--json")
    assert outcome.code == 0, outcome.err
    replay = json.loads(outcome.out)
    assert "would not be admitted: UNSAFE: 3600 MiB weights + 140 others" in replay["start"]
    assert all(event["reason"] for event in replay["events"])
    zones = [(e["gauge"], e["to"]) for e in replay["events"] if e["action"] == "zone"]
    for zone in [("VRAM", "danger"), ("VRAM", "critical"), ("RAM", "warning"), ("RAM", "danger"),
                 ("RAM", "critical"), ("swap", "danger"), ("pressure", "danger")]:
        assert zone in zones
    done = [e["action"] for e in replay["events"]]
    for action in ("end_worker", "load", "drop_caches", "pause_decoding", "save_and_restart"):
        assert action in done
    assert replay["seconds"]["RAM"]["safe"] > 39000
    assert replay["seconds"]["VRAM"]["safe"] == 0
    assert sum(replay["seconds"]["VRAM"].values()) == 39539


def test_for_people_and_with_other_borders(headroom, trace, tmp_path):
    text = headroom("governor", "replay", trace).out
    assert "VRAM safe -> danger: 91.3 % of 4096 MiB as recorded" in text
    assert "TIME IN" in text
    must_show("docs/memory.md", "## The incident's numbers through the governor", text)
    toml = tmp_path / "t.toml"
    toml.write_text('vram_warning = 92\nvram_danger = 97\nvram_critical = "99 %"\n')
    outcome = headroom("governor", "replay", trace, "--json", "--thresholds", toml)
    assert json.loads(outcome.out)["seconds"]["VRAM"]["safe"] > 39000


def test_yesterday_with_other_borders(headroom, tmp_path):
    """A process that grows from 80 to 200 MiB while it is recorded; then with the usual thresholds, and with lower ones."""
    record = headroom.home / ".local/state/headroom/flight-record.db"
    record.parent.mkdir(parents=True)
    code = "import time; x = b'1' * (80 << 20); print(flush=True); input(); y = b'1' * (120 << 20); input()"
    held = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        held.stdout.readline()
        watching = headroom.popen("watch", held.pid, "--for", "6s", "--interval", "100ms", "-o", record,
                                  stderr=subprocess.PIPE)
        assert b"recording to" in watching.stderr.readline()
        time.sleep(1.5)  # so that it is seen small
        held.stdin.write(b"\n")
        held.stdin.flush()
        _, err = watching.communicate(timeout=120)
    finally:
        held.kill()
        held.wait()
    assert watching.returncode == 0, err

    usual = headroom("governor", "replay", "--json")  # its own record, without a name
    assert usual.code == 0, usual.err
    usual = json.loads(usual.out)
    assert usual["rows"] >= 2 and usual["seconds"]["RAM"]["safe"] > 3
    assert usual["seconds"]["RAM"]["danger"] == 0
    toml = tmp_path / "t.toml"
    toml.write_text('ram_warning = "100MB"\nram_danger = "150MB"\nram_critical = "10GB"\n')
    lower = headroom("governor", "replay", record, "--last", "1h", "--thresholds", toml, "--json")
    lower = json.loads(lower.out)
    assert lower["seconds"]["RAM"]["safe"] > 0.3 and lower["seconds"]["RAM"]["danger"] > 1
    assert "pause_decoding" in [event["action"] for event in lower["events"]]

    assert headroom("governor", "replay", record, "--last", "soon").code == 2
    assert "no samples in the last 1ms" in headroom("governor", "replay", record, "--last", "1ms").err


def test_what_is_wrong_is_said(headroom, trace, tmp_path):
    toml = tmp_path / "t.toml"
    toml.write_text("vram_wraning = 60\n")
    outcome = headroom("governor", "replay", trace, "--thresholds", toml)
    assert outcome.code == 2
    assert "did you mean vram_warning" in outcome.err
    assert headroom("governor", "replay", tmp_path / "no.csv").code == 3
    assert headroom("governor", "replay", trace, "--card", "big").code == 2
    assert headroom("governor", "replay").code == 3  # nothing was recorded yet
    assert "is not one" in headroom("governor", "replay", trace, "--last", "1h").err
    bad = tmp_path / "bad.csv"
    bad.write_text("hello\n")
    assert headroom("governor", "replay", bad).code == 4
    bad.write_text("time_s,rss_mb,mood\n0,1,good\n1,x,bad\n2,3,good\n")
    outcome = headroom("governor", "replay", bad)
    assert outcome.code == 8
    assert 'line 3: rss_mb: "x" is not a number' in outcome.err
    assert "skipped 1 of 3 rows" in outcome.err
    assert "unknown column mood" in outcome.err
