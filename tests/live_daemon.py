"""`headroom daemon`, started and watched as its user would."""

import json
import re
import socket
import subprocess
import threading
import time
from difflib import SequenceMatcher
from pathlib import Path

import pytest

from waiting import wait_for


LIBRIVOX = Path("/usr/share/pocketsphinx/test/data/librivox")
CLIPS = [LIBRIVOX / f"sense_and_sensibility_01_austen_64kb-{n}.wav" for n in ("0870", "0880", "0890")]


def words(text):
    return re.findall(r"[a-z']+", text.lower())


def alike(a, b):
    return SequenceMatcher(None, words(a), words(b)).ratio()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Daemon:
    """`headroom daemon` with a file as its target, and all events that it sent."""

    def __init__(self, headroom, folder, *settings, env=None):
        self.headroom, self.folder = headroom, folder
        folder.mkdir(exist_ok=True)
        runtime = folder / "run"
        runtime.mkdir(mode=0o700, exist_ok=True)
        self.socket = runtime / "c.sock"
        self.state, self.text = folder / "state", folder / "text"
        self.events = []
        chosen = ["models.tiers=['whisper-tiny.en:F16@cpu']", "output.targets=file",
                  f"output.file={self.text}", "shortcut.on=false",
                  f"control.socket={self.socket}", "server.listen=", *settings]
        args = [a for setting in chosen for a in ("--set", setting)]
        self.log = open(folder / "log", "ab")
        before = self.log.tell()
        self.process = headroom.popen("daemon", "--state", self.state, *args, env=env or {},
                                      stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        wait_for(lambda: self._ready(before) or self.process.poll() is not None, "an answer", 60)
        assert self.process.poll() is None, self.says()
        threading.Thread(target=self._follow, daemon=True).start()

    def _ready(self, before):  # all its servers listen; a socket may be there that a killed daemon left
        if b"headroom: ready" not in (self.folder / "log").read_bytes()[before:]:
            return False
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(str(self.socket))
            return True
        except OSError:
            return False

    def _follow(self):
        try:
            stream = socket.socket(socket.AF_UNIX)
            stream.connect(str(self.socket))
            stream.sendall(b"GET /v1/events HTTP/1.1\r\nHost: headroom\r\n\r\n")
            name = None
            for line in stream.makefile("rb"):
                if line.startswith(b"event: "):
                    name = line[7:].strip().decode()
                elif line.startswith(b"data: "):
                    self.events.append((name, json.loads(line[6:]), time.monotonic()))
        except OSError:
            pass

    def says(self):
        return (self.folder / "log").read_text(errors="replace")

    def call(self, method, route, body=None):
        command = ["curl", "-s", "--unix-socket", self.socket, "-X", method, f"http://headroom/v1/{route}"]
        if body is not None:
            command += ["-d", json.dumps(body)]
        return json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)

    def status(self):
        return self.call("GET", "status")

    def seen(self, name, **fields):
        return [data for kind, data, _ in list(self.events)
                if kind == name and all(data.get(k) == v for k, v in fields.items())]

    def lines(self):
        return self.text.read_text().splitlines() if self.text.exists() else []

    def idle(self, seconds=120):
        """Until nothing is said and everything is delivered."""
        wait_for(lambda: self.status()["phase"] == "idle" and self.status()["waiting"] == 0,
                 "everything delivered", seconds)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.log.close()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            assert self.process.wait(timeout=60) == 0, self.says()
        self.log.close()


@pytest.fixture
def start(headroom, tmp_path):
    running = []

    def start(*settings, folder="d", **kwargs):
        running.append(Daemon(headroom, tmp_path / folder, *settings, **kwargs))
        return running[-1]

    yield start
    for daemon in running:
        if daemon.process.poll() is None:
            daemon.kill()


def files(*paths):
    return "audio.files=" + json.dumps([str(p) for p in paths])
