"""Shared by the tests that run the real program: where it is, and how to call it."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass
class Outcome:
    code: int
    out: str
    err: str


class Headroom:
    """The built program with its own home folder and the models ./test has fetched."""

    def __init__(self, home):
        self.bin = Path(os.environ["HEADROOM_TEST_BIN"])
        self.engine = Path(os.environ["HEADROOM_TEST_ENGINE"])
        self.jfk = self.engine / "samples/jfk.wav"
        self.home = home
        self.models = Path(os.environ["HEADROOM_TEST_MODELS"])
        self.env = {
            **os.environ,
            "HOME": str(home),
            "HEADROOM_MODELS": str(self.models),
            "HEADROOM_HUB": "off",
            "LANG": "C.UTF-8",
        }
        for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            self.env.pop(name, None)

    def popen(self, *args, **kwargs):
        env = {**self.env, **kwargs.pop("env", {})}
        return subprocess.Popen([self.bin / "headroom", *map(str, args)], env=env, **kwargs)

    def configure(self, text):
        path = self.home / ".config/headroom/config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def __call__(self, *args, timeout=120, **kwargs):
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        p = self.popen(*args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs)
        out, err = p.communicate(timeout=timeout)
        return Outcome(p.returncode, out.decode(), err.decode())


@pytest.fixture
def headroom(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    return Headroom(home)


def pytest_sessionstart(session):
    for name in ("HEADROOM_TEST_BIN", "HEADROOM_TEST_ENGINE", "HEADROOM_TEST_MODELS"):
        if not os.environ.get(name):
            pytest.exit(f"{name} is not set; run these through ./test", returncode=2)
