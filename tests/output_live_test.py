"""Typing and clipboards in real windows, through output_live (output_live.cc)."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from desktop import SwayDesktop, XDesktop

DRIVER = Path(os.environ["HEADROOM_TEST_BIN"]).parent / "tests/output_live"
TEXT = "Grüße, “quoted” 'it' \"it\" \\ $HOME `x` ~ ^ ´ 12:30 - € – 🎤 日本語 Ωж ñ|"
ASCII = "Hello, \"it\" 'is' 12:30; \\ $HOME `x` ~ ^ - @ # {[(%&)]} <|> + = _ end."
LONG = (TEXT + " The quick brown fox jumps over the lazy dog; ") * 200
DESKTOPS = {"x": XDesktop, "sway": SwayDesktop}


@pytest.fixture
def desktop(request):
    desktop = DESKTOPS[getattr(request, "param", "x")]()
    yield desktop
    desktop.close()


both = pytest.mark.parametrize("desktop", ["x", "sway"], indirect=True)
sway = pytest.mark.parametrize("desktop", ["sway"], indirect=True)


def deliver(desktop, text, *options, kind="type", path=None, timeout=120):
    env = {**desktop.env, "PATH": f"{path}:{desktop.env['PATH']}" if path else desktop.env["PATH"]}
    return subprocess.run([DRIVER, kind, *options], env=env, input=text.encode(),
                          capture_output=True, timeout=timeout)


def typed(desktop, text, *options, expect=None, **kwargs):
    expect = text if expect is None else expect
    done = deliver(desktop, text, *options, **kwargs)
    assert done.returncode == 0, done.stderr.decode()
    assert desktop.read(len(expect.encode())) == expect


def tool(desktop, *command, text=None):
    return subprocess.run(command, env=desktop.env, input=text, capture_output=True, timeout=20)


class Clipboard:
    """The desktop's, by the programs a person would use."""

    def __init__(self, desktop):
        self.desktop = desktop
        self.wayland = isinstance(desktop, SwayDesktop)

    def copy(self, content, primary=False, kind="UTF8_STRING"):
        command = (["wl-copy", "-t", kind] + ["-p"] * primary if self.wayland else
                   ["xclip", "-t", kind, "-selection", "primary" if primary else "clipboard"])
        subprocess.run(command, env=self.desktop.env, input=content, check=True, timeout=20,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def paste(self, primary=False, kind="UTF8_STRING"):
        command = (["wl-paste", "-n", "-t", kind] + ["-p"] * primary if self.wayland else
                   ["xclip", "-o", "-t", kind, "-selection", "primary" if primary else "clipboard"])
        return tool(self.desktop, *command).stdout


def program(folder, name, script):
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)
    return folder


@both
def test_every_character_arrives_the_first_one_too(desktop):
    typed(desktop, "Hello, first key.")
    typed(desktop, TEXT)
    typed(desktop, ASCII, desktop.name)
    typed(desktop, TEXT, "after= ", expect=TEXT + " ")
    typed(desktop, "-d 100 --file x", desktop.name)


@both
def test_a_long_text_arrives_whole_and_soon(desktop):
    assert len(LONG.encode()) > 10_000
    start = time.monotonic()
    typed(desktop, LONG)
    assert time.monotonic() - start < 20, "it is pasted: typing it takes a minute"
    typed(desktop, ASCII * 10, desktop.name)


@both
def test_enter_is_pressed_only_when_asked_for(desktop):
    typed(desktop, "rm -rf x\nyes\n", expect="rm -rf x yes")
    typed(desktop, "a\n\tb\x1b[2J\x03", expect="a b [2J ")
    typed(desktop, "one\ntwo\n", "newlines=keep", expect="one\rtwo\r")
    typed(desktop, "one\ntwo", "newlines=keep", "paste", expect="one\rtwo")


@sway
def test_wtype_types_every_character(desktop):
    typed(desktop, TEXT * 3, "wtype")


@sway
def test_shift_enter(desktop):
    # foot distinguishes Shift+Enter from Enter.
    typed(desktop, "one\ntwo", "newlines=shift-enter", expect="one\x1b[27;2;13~two")


@both
def test_what_was_typed_can_be_taken_back(desktop):
    for options in ([], ["paste"]):
        done = deliver(desktop, "Grüße an €, or not ", "back", *options)
        assert done.returncode == 0, done.stderr.decode()
        text = "Grüße an €, or not "
        assert desktop.read(len(text.encode()) + len(text)) == text + "\x7f" * len(text)
    for refused in ("an emoji 🎤", "e\u0301", "one\ntwo"):
        done = deliver(desktop, refused, "back", "newlines=keep")
        assert done.returncode == 1 and b"taken back" in done.stderr
        desktop.read(len(refused.encode()))


@both
def test_pasting_gives_the_clipboard_back(desktop):
    clipboard = Clipboard(desktop)
    typed(desktop, TEXT, "paste")
    assert clipboard.paste() == b"", "there was nothing before"
    clipboard.copy("mine, ü".encode())
    clipboard.copy(b"selected", primary=True)
    typed(desktop, TEXT, "paste")
    assert clipboard.paste() == "mine, ü".encode()
    assert clipboard.paste(primary=True) == b"selected"
    picture = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 100
    clipboard.copy(picture, kind="image/png")
    typed(desktop, TEXT, "paste")
    assert clipboard.paste(kind="image/png") == picture
    clipboard.copy(b"mine")
    typed(desktop, TEXT, "paste", "restore=0")
    assert clipboard.paste() == TEXT.encode()


@both
def test_what_was_copied_while_pasting_stays(desktop):
    clipboard = Clipboard(desktop)
    clipboard.copy(b"old")
    driver = subprocess.Popen([DRIVER, "type", "paste", "restore=3000"], env=desktop.env,
                              stdin=subprocess.PIPE)
    driver.stdin.write(b"spoken")
    driver.stdin.close()
    assert desktop.read(6) == "spoken"
    clipboard.copy(b"new")
    assert driver.wait(timeout=30) == 0
    assert clipboard.paste() == b"new"


@both
def test_the_clipboard_as_the_target(desktop):
    assert deliver(desktop, TEXT + "\nline", kind="clipboard").returncode == 0
    assert Clipboard(desktop).paste() == (TEXT + "\nline").encode()
    assert desktop.read() == ""


def test_held_modifiers_neither_spoil_the_text_nor_stay(desktop):
    for key in ("ctrl", "shift", "alt", "super"):
        tool(desktop, "xdotool", "keydown", key)
        typed(desktop, "Hello")
        tool(desktop, "xdotool", "type", "after")
        assert desktop.read(5) == "after", f"{key} is stuck"
    tool(desktop, "xdotool", "keydown", "ctrl")
    typed(desktop, "Hello", "paste")
    tool(desktop, "xdotool", "type", "after")
    assert desktop.read(5) == "after"
    tool(desktop, "xdotool", "key", "Caps_Lock")
    typed(desktop, "Hello")


def test_an_injector_that_hangs_is_ended_and_no_other_tries(desktop, tmp_path):
    path = program(tmp_path / "bin", "xdotool", "exec sleep 1000")
    start = time.monotonic()
    done = deliver(desktop, "Hello", "deadline=300", path=path)
    assert time.monotonic() - start < 10
    assert done.returncode == 1 and done.stderr.decode().startswith("timeout: xdotool did not end")
    assert desktop.read() == ""


def test_an_injector_that_fails_is_followed_by_the_next(desktop, tmp_path):
    path = program(tmp_path / "bin", "xdotool", "echo no >&2; exit 1")
    # ydotool cannot run without /dev/uinput; this one has its command line.
    real = next(p for p in os.environ["PATH"].split(":") if Path(p, "xdotool").exists()) + "/xdotool"
    for old in (False, True):
        (tmp_path / "keys").unlink(missing_ok=True)
        wanted = "key shift+Insert" if old else "key 42:1 110:1 110:0 42:0"
        help_text = "recorder" if old else "debug"
        program(tmp_path / "bin", "ydotool", f"""
            if [ "$1" = --help ]; then echo {help_text}; exit 1; fi
            echo "$@" >> {tmp_path}/keys
            [ "$*" = "{wanted}" ] && {real} key shift+Insert
            exit {2 if old else 0}""")
        typed(desktop, TEXT, path=path)
        assert (tmp_path / "keys").read_text() == wanted + "\n"


@pytest.mark.parametrize("old", [True, False])
def test_ydotool_types_only_what_it_can(desktop, tmp_path, old):
    path = program(tmp_path / "bin", "ydotool", f"""
        if [ "$1" = --help ]; then echo {"recorder" if old else "debug"}; exit 1; fi
        echo "$@" > {tmp_path}/args; cat "$3" > {tmp_path}/text; exit {3 if old else 0}""")
    done = deliver(desktop, "Hello, 12:30", "ydotool", path=path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "args").read_text() == "type --file /dev/stdin\n"
    assert (tmp_path / "text").read_text() == "Hello, 12:30"
    done = deliver(desktop, "Grüße", "ydotool", path=path)
    assert done.returncode == 1 and b"can only type ASCII" in done.stderr


def test_the_real_ydotool_says_what_it_needs(desktop):
    if os.path.exists("/dev/uinput"):
        pytest.skip("here it would type")
    done = deliver(desktop, "Hello", "ydotool")
    assert done.returncode == 1 and b"/dev/uinput" in done.stderr


@both
def test_what_is_missing_is_named(desktop, tmp_path):
    (tmp_path / "empty").mkdir()
    desktop.env["PATH"] = str(tmp_path / "empty")
    done = deliver(desktop, "Hello")
    assert done.returncode == 1
    assert done.stderr.decode().startswith("not_found: the text cannot be typed")
    assert f"{desktop.name} is not installed" in done.stderr.decode()
    assert "install" in done.stderr.decode().split(";")[-1]


def test_without_a_session(tmp_path):
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    for kind in ("type", "clipboard"):
        done = subprocess.run([DRIVER, kind], env=env, input=b"Hello", capture_output=True)
        assert done.returncode == 1 and b"no graphical session" in done.stderr


@sway
def test_a_session_that_came_after_us_is_found(desktop):
    desktop.env.pop("WAYLAND_DISPLAY")
    typed(desktop, "Hello")


@both
def test_the_doctor_names_the_first_that_is_exact(desktop):
    out = tool(desktop, DRIVER, "probe").stdout.decode()
    lines = {name: (exact, what) for name, exact, what in
             (line.split("\t") for line in out.splitlines())}
    assert lines["paste"] == ("1", "exact")
    assert lines["ydotool"][0] == "0"
    # xdotool is seldom exact on a busy machine: characters that are not on the keyboard.
    assert lines["first"][0] in ("wtype", "xdotool", "paste")
    assert lines[lines["first"][0]][0] == "1"
    assert lines["first"][1] == ("xterm" if desktop.name == "xdotool" else "foot")
    if desktop.name == "wtype":
        assert lines["wtype"] == ("1", "exact")
    assert desktop.read() == "", "the line went into the doctor's own window"
