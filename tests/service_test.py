"""The systemd unit: what systemd's own programs say of it, who writes it, and that the daemon types and
writes under its limits. There is no user's systemd here, so the limits are set by the test, from the unit."""

import ctypes
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from desktop import XDesktop
from waiting import wait_for

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


def analyze(*args):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    return subprocess.run(["systemd-analyze", *map(str, args)], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0"})


def fake_systemctl(tmp_path, code=0):
    folder = tmp_path / "fake"
    folder.mkdir(exist_ok=True)
    (folder / "systemctl").write_text(f'#!/bin/sh\necho "$@" >> {folder}/calls\nexit {code}\n')
    (folder / "systemctl").chmod(0o755)
    return folder


@pytest.fixture
def unit(headroom):
    """Where install-service writes."""
    return headroom.home / ".config/systemd/user/headroom.service"


@pytest.fixture
def installed(headroom, unit, tmp_path):
    fake = fake_systemctl(tmp_path)
    outcome = headroom("install-service", env={"PATH": f"{fake}:{headroom.env['PATH']}"})
    assert outcome.code == 0, outcome.err
    return unit


def test_install_again_and_remove(headroom, unit, tmp_path):
    fake = fake_systemctl(tmp_path)
    env = {"PATH": f"{fake}:{headroom.env['PATH']}"}
    calls = lambda: (fake / "calls").read_text().splitlines()
    assert str(unit) in headroom("install-service", env=env).out
    assert calls() == ["--user daemon-reload", "--user enable headroom.service"]
    text = unit.read_text()
    assert f'ExecStart="{headroom.bin}/headroom" daemon\n' in text and not re.search("@[A-Z]", text)
    unit.write_text(text + "# by hand\n")
    assert headroom("install-service", "--now", env=env).code == 0
    assert unit.read_text() == text, "written again"
    assert calls()[-1] == "--user enable --now headroom.service"
    assert headroom("install-service", "--remove", "--now", env=env).code == 2
    assert headroom("install-service", "--remove", env=env).code == 0
    assert not unit.exists()
    assert calls()[-2:] == ["--user disable --now headroom.service", "--user daemon-reload"]
    assert headroom("install-service", "--remove", env=env).code == 3


def test_another_unit_is_left_alone(headroom, unit, tmp_path):
    unit.parent.mkdir(parents=True)
    unit.write_text("[Service]\nExecStart=/mine\n")
    env = {"PATH": f"{fake_systemctl(tmp_path)}:{headroom.env['PATH']}"}
    for args in ([], ["--remove"]):
        outcome = headroom("install-service", *args, env=env)
        assert outcome.code == 4 and "was not written by this command" in outcome.err
    assert unit.read_text() == "[Service]\nExecStart=/mine\n"


def test_without_a_users_systemd_the_unit_is_written_and_the_next_step_said(headroom, unit, tmp_path):
    env = {"PATH": f"{fake_systemctl(tmp_path, 1)}:{headroom.env['PATH']}"}
    outcome = headroom("install-service", env=env)
    assert outcome.code == 1 and unit.exists()
    assert "enable it in your session with: systemctl --user enable --now headroom.service" in outcome.err


def test_systemd_understands_every_line(installed):
    # As a system unit, since there is no user's systemd to ask: the sections are the same.
    done = analyze("verify", "--man=no", installed)
    said = [line for line in done.stderr.splitlines() if "headroom.service" in line]
    assert done.returncode == 0 and said == []
    broken = installed.with_name("broken.service")
    broken.write_text(installed.read_text().replace("[Install]", "NoSuchKey=1\n[Install]"))
    assert "NoSuchKey" in analyze("verify", "--man=no", broken).stderr


def test_what_is_open_is_in_the_documentation(installed):
    page = (DOCS / "desktop.md").read_text()
    rating = re.search(r"gives (\d)\.(\d) of 10", page)
    done = analyze("security", "--offline=true", "--no-pager",
                   "--threshold=" + rating[1] + rating[2], installed)
    assert done.returncode == 0, "it has become worse than the page says:\n" + done.stdout
    items = re.findall(r"^✗ (\S+=)", done.stdout, re.M)
    assert len(items) > 20
    table = " ".join(re.findall(r"^\| (`.*?) \|", page.split("## Hardening")[1], re.M))
    missing = {item for item in items if not re.search(rf"`{re.escape(item.split('/')[0])}", table)}
    assert not missing
    named = set(re.findall(r"`(\w+=)", table))
    pointless = {name for name in named if not any(part.rstrip("=") + "=" == name for item in items
                                                   for part in item.split("/"))}
    assert pointless <= {"SupplementaryGroups=", "RemoveIPC="}, "they are closed now"
    unit = installed.read_text()
    for line in re.findall(r"`([A-Z]\w+=[\w-]+)`", page.split("| item")[0].split("## What it holds")[1]):
        assert f"\n{line}" in unit, line


class Limits:
    """What the unit does to its processes that can be done without systemd."""

    def __init__(self, unit):
        self.lib = ctypes.CDLL("libseccomp.so.2", use_errno=True)
        self.lib.seccomp_init.restype = ctypes.c_void_p
        settings = re.findall(r"^(\w+)=(.*)$", unit.read_text(), re.M)
        get = lambda name: [value for key, value in settings if key == name]
        allowed = set()
        for value in get("SystemCallFilter"):
            calls = {call for word in value.lstrip("~").split() for call in self.calls(word)}
            allowed = allowed - calls if value.startswith("~") else allowed | calls
        assert "read" in allowed and "seccomp" in allowed and "mount" not in allowed
        families = [getattr(socket, name) for name in " ".join(get("RestrictAddressFamilies")).split()]
        assert get("RestrictNamespaces") == ["yes"]
        self.filter = ctypes.c_void_p(self.lib.seccomp_init(0x50000 | 1))  # EPERM
        for name in allowed - {"socket", "clone3", "unshare", "setns"}:
            self.rule(0x7FFF0000, name)
        self.rule(0x50000 | 38, "clone3")  # as systemd does it, so that clone is used
        for family in families:
            self.rule(0x7FFF0000, "socket", (0, 4, family, 0))
        self.core = int(get("LimitCORE")[0])
        self.umask = int(get("UMask")[0], 8)

    def calls(self, word):
        if not word.startswith("@"):
            return {word}
        out = analyze("syscall-filter", word).stdout
        inner = re.findall(r"^    ([@a-z_0-9-]+)", out, re.M)
        assert inner, word
        return {call for one in inner for call in self.calls(one)}

    def rule(self, action, name, *arguments):
        class Compare(ctypes.Structure):
            _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64),
                        ("b", ctypes.c_uint64)]

        number = self.lib.seccomp_syscall_resolve_name(name.encode())
        if number < 0:  # of another architecture
            return
        array = (Compare * max(1, len(arguments)))(*(Compare(*a) for a in arguments))
        done = self.lib.seccomp_rule_add_array(self.filter, ctypes.c_uint32(action), number,
                                               len(arguments), array)
        assert done == 0, (name, done)

    def apply(self):
        resource.setrlimit(resource.RLIMIT_CORE, (self.core, self.core))
        os.umask(self.umask)
        if self.lib.seccomp_load(self.filter) != 0:  # sets no_new_privs too
            os._exit(99)


@pytest.fixture
def limits(installed):
    return Limits(installed)


def test_the_limits_hold(limits):
    refused = subprocess.run(["unshare", "-Ur", "true"], preexec_fn=limits.apply, capture_output=True)
    assert refused.returncode == 1 and b"not permitted" in refused.stderr
    netlink = "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)"
    refused = subprocess.run(["python3", "-c", netlink], preexec_fn=limits.apply, capture_output=True)
    assert b"PermissionError" in refused.stderr


class Manager:
    """The end of the notification socket that systemd has."""

    def __init__(self, folder):
        self.path = folder / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.setblocking(False)
        self.said = []

    def heard(self, word):
        try:
            while True:
                self.said += self.socket.recv(4096).decode().splitlines()
        except BlockingIOError:
            return word in self.said


def test_the_daemon_types_and_writes_under_the_limits(headroom, limits, tmp_path):
    desktop, manager = XDesktop(), Manager(tmp_path)
    written = tmp_path / "texts"
    env = {"XDG_RUNTIME_DIR": str(tmp_path), "DISPLAY": desktop.env["DISPLAY"],
           "NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "1000000"}
    settings = ["audio.source=file", f"audio.files=['{headroom.jfk}']", "models.tiers=['whisper-tiny.en']",
                "output.targets=['type','file']", f"output.file={written}", "shortcut.on=false"]
    args = [arg for one in settings for arg in ("--set", one)]
    daemon = headroom.popen("daemon", *args, env=env, stderr=subprocess.PIPE, preexec_fn=limits.apply)
    try:
        wait_for(lambda: daemon.poll() is not None or manager.heard("READY=1"), "the daemon", 60)
        outcome = headroom("listen", env=env)  # ready is ready
        assert outcome.code == 0, outcome.err
        wait_for(lambda: written.exists() and "ask what you can do for your country" in written.read_text(),
                 "the text", 90)
        spoken = written.read_text().replace("\n", " ")
        assert desktop.read(len(spoken)).strip() == spoken.strip()
        assert written.stat().st_mode & 0o777 == 0o600
        wait_for(lambda: manager.heard("WATCHDOG=1"), "a sign of life", 30)
        daemon.send_signal(signal.SIGHUP)  # ExecReload
        manager.said.clear()
        wait_for(lambda: manager.heard("WATCHDOG=1"), "a sign of life after reloading", 30)
    finally:
        daemon.terminate()
        said = daemon.communicate(timeout=60)[1].decode()
        desktop.close()
    assert daemon.returncode == 0, said
    assert manager.heard("STOPPING=1")


def test_a_mistake_in_the_configuration_is_the_exit_code_that_is_not_tried_again(headroom, installed, tmp_path):
    config = tmp_path / "config.toml"
    config.write_text("[speech]\nmistake = 1\n")
    manager = Manager(tmp_path)
    outcome = headroom("daemon", "--config", config, env={
        "XDG_RUNTIME_DIR": str(tmp_path), "NOTIFY_SOCKET": str(manager.path)})
    assert f"RestartPreventExitStatus={outcome.code}\n" in installed.read_text(), outcome
    assert "config.toml:2:" in outcome.err and not manager.heard("READY=1")


def test_a_media_file_is_decoded_under_the_limits(headroom, limits):
    outcome = headroom("transcribe", "-m", "whisper-tiny.en", headroom.jfk, preexec_fn=limits.apply)
    assert outcome.code == 0 and "ask not what your country" in outcome.out, outcome.err
