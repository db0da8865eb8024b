"""The commands that talk to a daemon, and the control socket as curl sees it, with a daemon that does
nothing behind a real socket."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"


class Daemon:
    def __init__(self, headroom, socket):
        self.socket = socket
        self.process = subprocess.Popen(
            [headroom.bin / "headroom-daemon-fake", socket],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        self.line = self.process.stdout.readline()

    def send(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def publish(self, name, data):
        self.send(f"publish {name} {json.dumps(data)}")

    def asked(self):
        self.send("asked")
        return self.process.stdout.readline().strip().strip("|").split("|")

    def stop(self):
        if self.process.poll() is None:
            self.process.communicate()


@pytest.fixture
def runtime(headroom, tmp_path):
    headroom.env["XDG_RUNTIME_DIR"] = str(tmp_path)
    headroom.env["TZ"] = "UTC"
    return tmp_path / "headroom/control.sock"


@pytest.fixture
def daemon(headroom, runtime):
    daemon = Daemon(headroom, runtime)
    assert daemon.line == "ready\n"
    yield daemon
    daemon.stop()


def test_without_a_daemon_every_command_says_how_to_start_one(headroom, runtime):
    for command in (["listen"], ["finish"], ["toggle"], ["cancel"], ["reload"], ["status"],
                    ["status", "--follow"], ["history"], ["history", "paste"]):
        outcome = headroom(*command)
        assert outcome.code == 3, command
        assert outcome.out == ""
        assert f"no daemon listens on {runtime}; start it with 'headroom daemon'" in outcome.err
    outcome = headroom("status", "--format", "waybar")
    assert outcome.code == 0 and json.loads(outcome.out)["class"] == "off"


def test_commands(headroom, daemon):
    outcome = headroom("listen", "-l", "de")
    assert (outcome.code, outcome.out) == (0, "listening\n")
    assert "history paste" in outcome.err  # what is wrong is said
    assert headroom("toggle").out == "idle\n"
    assert headroom("toggle").out == "listening\n"
    assert headroom("finish").out == "idle\n"
    assert headroom("cancel").out == "idle\n"
    outcome = headroom("reload")
    assert outcome.code == 2 and "/c.toml:3: speech.mode" in outcome.err
    assert daemon.asked() == ["listen de", "toggle", "toggle", "finish", "cancel", "reload"]


def test_draining(headroom, daemon):
    assert headroom("drain").out == "draining, 2 served\n"
    outcome = headroom("drain", "--wait")  # the fake's clients go one by one
    assert (outcome.code, outcome.out) == (0, "draining, 0 served\n")
    assert headroom("drain", "--off").out == "taking work, 0 served\n"
    assert headroom("drain", "--off", "--wait").code == 2
    asked = daemon.asked()
    assert asked[:2] == ["drain true"] * 2 and asked[-1] == "drain false" and "status" in asked


def test_status(headroom, daemon):
    text = headroom("status").out
    assert re.search(r"^state +idle \(toggle\)$", text, re.M)
    assert re.search(r"^model +whisper-base:Q8_0 on cpu$", text, re.M)
    assert re.search(r"^memory +safe, RAM 250.0 MiB$", text, re.M)
    assert re.search(r"^texts +3 delivered, 1 only in the history, latency 180ms$", text, re.M)
    status = json.loads(headroom("status", "--format", "json").out)
    assert status["pid"] == 4242 and status["control"]["refused_peers"] == 0
    bar = headroom("status", "-f", "waybar").out
    assert bar.count("\n") == 1
    assert json.loads(bar)["class"] == ["idle", "trouble"]
    assert headroom("status", "-f", "xml").code == 2


def follow(headroom, *args):
    return headroom.popen("status", "--follow", *args, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)


def test_following(headroom, daemon):
    text, lines = follow(headroom), follow(headroom, "-f", "json")
    assert text.stdout.readline().startswith("idle       whisper-base:Q8_0 on cpu")
    assert json.loads(lines.stdout.readline())["event"] == "status"
    daemon.publish("partial", {"committed": "hel", "tentative": "lo"})
    daemon.publish("text", {"text": "hello \x1b[31mthere"})
    daemon.publish("status", {"phase": "speech", "tier": "t"})
    daemon.publish("delivery", {"target": "type", "ok": False, "why": "the session is locked"})
    assert text.stdout.readline() == "text: hello  [31mthere\n"
    assert text.stdout.readline() == "speaking   t\n"
    assert text.stdout.readline() == "not delivered to type: the session is locked\n"
    assert json.loads(lines.stdout.readline())["data"] == {"committed": "hel", "tentative": "lo"}
    text.send_signal(signal.SIGINT)
    assert text.wait(20) == 0
    daemon.stop()
    assert lines.wait(20) == 5
    assert "the daemon ended" in lines.stderr.read()


def test_a_bar_survives_the_daemon(headroom, runtime, daemon):
    bar = follow(headroom, "-f", "waybar")
    assert json.loads(bar.stdout.readline())["alt"] == "idle"
    daemon.publish("status", {"phase": "listening"})
    assert json.loads(bar.stdout.readline())["text"] == "listening"
    daemon.stop()
    assert json.loads(bar.stdout.readline())["class"] == "off"
    again = Daemon(headroom, runtime)
    assert json.loads(bar.stdout.readline())["alt"] == "idle"
    bar.send_signal(signal.SIGTERM)
    assert bar.wait(20) == 0
    again.stop()


def test_history(headroom, daemon):
    listed = "     7  2019-12-20 00:00:00  delivered    Grüße aus der Vergangenheit\n"
    assert headroom("history").out == listed
    assert headroom("history", "list", "-n", "3", "--undelivered").out == listed
    assert json.loads(headroom("history", "list", "--json").out)["entries"][0]["id"] == 7
    assert headroom("history", "show", 7).out == "Grüße aus der Vergangenheit\n"
    assert headroom("history", "show", 8).code == 3
    assert headroom("history", "paste").code == 0
    assert headroom("history", "paste", 8).code == 3
    assert headroom("history", "clear").out == "deleted 1 text\n"
    assert headroom("history").err == "headroom: the history is empty\n"
    assert headroom("history", "list", "-n", "0").code == 2


def test_two_daemons(headroom, runtime, daemon):
    second = Daemon(headroom, runtime)
    assert second.process.wait(20) == 6
    assert f"already running, pid {daemon.process.pid}" in second.process.stderr.read()
    daemon.process.kill()
    daemon.process.wait()
    assert runtime.exists()
    third = Daemon(headroom, runtime)
    assert third.line == "ready\n"
    third.stop()
    assert not runtime.exists()


def test_the_configured_socket(headroom, tmp_path):
    socket = tmp_path / "elsewhere.sock"
    config = headroom.home / ".config/headroom/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'[control]\nsocket = "{socket}"\n[speech]\nmistake = 1\n')
    daemon = Daemon(headroom, socket)
    assert headroom("toggle").code == 0
    assert headroom("toggle", "--socket", tmp_path / "none.sock").code == 3
    daemon.stop()


def test_the_examples_of_the_documentation(headroom, runtime, daemon):
    page = (DOCS / "control.md").read_text()
    examples = re.findall(r"^curl .*$", page, re.M)
    assert len(examples) >= 7
    for example in examples:
        stream = "-sN" in example
        outcome = subprocess.run(
            ["sh", "-c", example.replace("curl ", "curl --max-time 2 " if stream else "curl -f ")],
            env=headroom.env, capture_output=True, text=True, timeout=60,
        )
        assert outcome.returncode == (28 if stream else 0), (example, outcome)
        if stream:
            assert outcome.stdout.startswith("id: 1\nevent: status\ndata: {")
        else:
            assert isinstance(json.loads(outcome.stdout), dict)


def test_the_documentation_has_every_route(headroom, daemon):
    source = (Path(__file__).parent.parent / "src/net/control/control_routes.cc").read_text()
    routes = set(re.findall(r'\{"(\w+)", "(/v1/[^"]+)", Access::kSocket', source))
    network = set(re.findall(r'\{"(\w+)", "(/api/[^"]+)", Access::k', source))
    assert network and network <= set(re.findall(r"`(GET|POST|DELETE) (/api/[a-z/]+)", (DOCS / "api.md").read_text()))
    page = (DOCS / "control.md").read_text()
    assert routes == set(re.findall(r"^\| `(\w+) (/v1/[a-z/]+)` ", page, re.M))
    status = json.loads(headroom("status", "-f", "json").out)
    table = page.split("## Status")[1].split("## Events")[0]
    missing = [key for key in status if f"`{key}`" not in table]
    assert not missing
