"""The lines of docs/desktop.md for sway, with keys really pressed in a sway."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from desktop import NOBODY, SwayDesktop
from waiting import wait_for

PAGE = (Path(__file__).parent.parent / "docs/desktop.md").read_text()


@pytest.fixture
def desktop(tmp_path_factory, monkeypatch):
    # sway may run as the user nobody, which needs access to this program, which records its calls.
    folder = Path(tmp_path_factory.mktemp("bin"))
    for parent in [folder, folder.parent, folder.parent.parent]:
        parent.chmod(0o755)
    asked = folder / "asked"
    asked.touch()
    asked.chmod(0o666)
    (folder / "headroom").write_text(f'#!/bin/sh\necho "$@" >> {asked}\n')
    (folder / "headroom").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    desktop = SwayDesktop()
    desktop.asked = lambda: asked.read_text().splitlines()
    desktop.env["SWAYSOCK"] = str(next(desktop.folder.glob("sway-ipc.*.sock")))
    yield desktop
    desktop.close()


def run(desktop, *command):
    done = subprocess.run(command, env=desktop.env, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, (command, done.stdout, done.stderr)


def bind(desktop, block):
    lines = re.search(rf"```{block}\n(.*?)```", PAGE, re.S)[1].splitlines()
    assert lines
    for line in lines:
        run(desktop, "swaymsg", line)


def press(desktop, *keys):
    """wtype makes a keyboard for each call, and sway needs a moment to know it; a busy machine a longer one."""
    before = len(desktop.asked())
    for settle in (500, 2000, 5000):
        run(desktop, "wtype", "-s", str(settle), *keys)
        try:
            return wait_for(lambda: len(desktop.asked()) > before, "a command", 10)
        except AssertionError:
            pass
    raise AssertionError("no key arrived")


def test_push_to_talk(desktop):
    bind(desktop, "sway")
    # Held for a while: each command is a process of its own, and the first has to come first.
    press(desktop, "-M", "logo", "-P", "h", "-s", "2000", "-p", "h", "-m", "logo")
    wait_for(lambda: len(desktop.asked()) >= 2, "two commands")
    assert desktop.asked() == ["listen", "finish"]


def test_toggle(desktop):
    bind(desktop, "sway-toggle")
    for _ in range(2):
        press(desktop, "-M", "logo", "-k", "h", "-m", "logo")
    wait_for(lambda: desktop.asked() == ["toggle", "toggle"], "two presses")


def test_the_commands_exist(headroom):
    commands = set(re.findall(r"headroom ([a-z]+(?:-[a-z]+)*(?: --?[a-z-]+)*)", PAGE))
    assert len(commands) >= 6
    for command in commands:
        words = command.split()
        help_text = headroom(words[0], "--help").out
        assert f"headroom {words[0]}" in help_text, command
        assert all(flag in help_text for flag in words[1:]), command
