"""headroom watch, run and top on real processes, files and a real terminal."""

import json
import os
import pty
import select
import signal
import sqlite3
import struct
import subprocess
import sys
import time
import fcntl
import termios

import pytest

from waiting import wait_for



def rows(path, query):
    with sqlite3.connect(path) as database:
        return database.execute(query).fetchall()


HOLD = "import sys,time; x=bytearray(int(sys.argv[1])<<20); print('ready',flush=True); time.sleep(600)"


def hold(mib, marker="x"):
    p = subprocess.Popen([sys.executable, "-c", HOLD, str(mib), marker], stdout=subprocess.PIPE)
    p.stdout.readline()
    return p


def test_run_passes_the_exit_code_and_records_the_children(headroom, tmp_path):
    record = tmp_path / "run.db"
    child = f"{sys.executable} -c 'import time; x=bytearray(200<<20); time.sleep(1.5)'"
    outcome = headroom("run", "-o", record, "--", "sh", "-c", f"echo out; {child}; exit 7")
    assert outcome.code == 7
    assert outcome.out == "out\n"
    assert "recorded in" in outcome.err
    assert (os.stat(record).st_mode & 0o777) == 0o600
    # PEP 683: python3 may be called by another name here, so by size.
    peak, = rows(record, "SELECT max(ram) FROM service_sample")[0]
    assert 200 << 20 < peak < 400 << 20
    assert rows(record, "SELECT count(*) FROM process")[0][0] >= 2
    events = [json.loads(a) for (a,) in rows(record, "SELECT attributes FROM event WHERE kind='target'")]
    assert events[-1]["step"] == "exited" and events[-1]["exit_code"] == 7
    assert events[-1]["bytes"] > 200 << 20
    assert rows(record, "SELECT ended_mono_ms IS NOT NULL FROM run") == [(1,)]


def test_run_says_what_a_shell_says(headroom, tmp_path):
    record = tmp_path / "r.db"
    assert headroom("run", "-q", "-o", record, "--", "no-such-command").code == 127
    assert headroom("run", "-q", "-o", record, "--", "/etc/hostname").code == 126
    assert headroom("run", "-q", "-o", record, "--", "sh", "-c", "kill -9 $$").code == 137
    outcome = headroom("run", "-q", "-o", record, "--", "cat", stdin=subprocess.DEVNULL)
    assert (outcome.code, outcome.err) == (0, "")


def test_run_gives_a_termination_to_the_command(headroom, tmp_path):
    script = "trap 'echo got it; exit 5' TERM; echo ready; while :; do sleep 0.1; done"
    p = headroom.popen("run", "-q", "-o", tmp_path / "r.db", "--", "sh", "-c", script,
                       stdout=subprocess.PIPE)
    assert p.stdout.readline() == b"ready\n"
    p.send_signal(signal.SIGINT)  # not ours to act on
    time.sleep(0.3)
    assert p.poll() is None
    p.send_signal(signal.SIGTERM)
    assert p.wait(timeout=30) == 5
    assert p.stdout.read() == b"got it\n"


def test_watch_follows_a_restart(headroom, tmp_path):
    record = tmp_path / "w.db"
    first = hold(50)
    watch = headroom.popen("watch", first.pid, "--interval", "100ms", "-o", record,
                           stderr=subprocess.PIPE)
    try:
        steps = "SELECT attributes FROM event WHERE kind='target' ORDER BY id"
        assert b"recording to" in watch.stderr.readline()
        wait_for(lambda: len(rows(record, steps)) >= 1, "the target is found")
        first.kill()
        first.wait()
        wait_for(lambda: len(rows(record, steps)) >= 2, "its end is seen")
        second = hold(50)
        try:
            wait_for(lambda: len(rows(record, steps)) >= 3, "its successor is found")
            steps_seen = [json.loads(a) for (a,) in rows(record, steps)]
            assert [t["step"] for t in steps_seen] == ["found", "ended", "restarted"]
            assert steps_seen[2]["pid"] == second.pid
            wait_for(lambda: rows(record, "SELECT max(ram) > 50<<20, min(ram) = 0 FROM service_sample")
                     == [(1, 1)], "its memory, and none between the two")
        finally:
            second.kill()
            second.wait()
        watch.send_signal(signal.SIGINT)
        _, err = watch.communicate(timeout=30)
        assert watch.returncode == 0
        assert b"at most 5" in err or b"at most 6" in err
    finally:
        first.kill()
        watch.kill()


def test_a_second_watcher_of_the_same_file_is_refused(headroom, tmp_path):
    record = tmp_path / "w.db"
    watch = headroom.popen("watch", os.getpid(), "-o", record, stderr=subprocess.PIPE)
    try:
        assert b"recording to" in watch.stderr.readline()
        outcome = headroom("watch", os.getpid(), "-o", record)
        assert outcome.code == 6
        assert "another headroom process writes this flight record" in outcome.err
    finally:
        watch.kill()
        watch.wait()
        watch.stderr.close()
    # Killed, and yet whole; and it can be gone on with.
    outcome = headroom("watch", os.getpid(), "-o", record, "--for", "300ms", "--interval", "100ms")
    assert outcome.code == 0, outcome.err
    assert rows(record, "SELECT count(*) FROM run") == [(2,)]


@pytest.mark.parametrize("args, code, words", [
    (("watch", "pid:x"), 2, "is no process number"),
    (("watch", "1", "--interval", "1ms"), 2, "at least 10ms"),
    (("watch", "container:none-such"), None, ""),
    (("top", "--record", "/no/such/file", "--once"), 3, "/no/such/file"),
    (("top", "1", "--record", "x", "--once"), 2, "give either"),
])
def test_what_is_wrong_is_said(headroom, args, code, words):
    outcome = headroom(*args, *(("--for", "100ms") if args[0] == "watch" else ()))
    assert code is None or outcome.code == code, outcome.err
    assert words in outcome.err


def test_top_once_and_json(headroom, tmp_path):
    held = hold(80)
    try:
        text = headroom("top", held.pid, "--once")
        assert text.code == 0 and "\x1b" not in text.out
        assert str(held.pid) in text.out and "RAM" in text.out
        view = json.loads(headroom("top", held.pid, "--once", "--format", "json").out)
        ram = next(g for g in view["gauges"] if g["what"] == "RAM")
        assert ram["used"] > 80 << 20 and ram["zone"] == "safe"
        record = tmp_path / "t.db"
        headroom("watch", held.pid, "-o", record, "--for", "500ms", "--interval", "100ms")
        view = json.loads(headroom("top", "--record", record, "--once", "--format", "json").out)
        assert any(p["pid"] == held.pid and p["counted"] > 80 << 20 for p in view["processes"])
        assert any(e["kind"] == "target" for e in view["events"])
    finally:
        held.kill()
        held.wait()


class Terminal:
    """The program in a terminal of its own, as a person sits before it."""

    def __init__(self, headroom, *args, columns=100, lines=30):
        self.main, terminal = pty.openpty()
        self.resize(columns, lines)
        self.before = termios.tcgetattr(terminal)
        self.terminal = terminal
        self.process = headroom.popen(*args, stdin=terminal, stdout=terminal, stderr=terminal,
                                      start_new_session=True)
        self.seen = b""

    def resize(self, columns, lines):
        fcntl.ioctl(self.main, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def until(self, text, seconds=30):
        end = time.monotonic() + seconds
        while text not in self.seen:
            assert time.monotonic() < end, self.seen[-2000:]
            if select.select([self.main], [], [], 0.1)[0]:
                self.seen += os.read(self.main, 65536)
        at = self.seen.index(text)
        before, self.seen = self.seen[:at], self.seen[at + len(text):]
        return before

    def end(self):
        code = self.process.wait(timeout=30)
        while select.select([self.main], [], [], 0)[0]:
            self.seen += os.read(self.main, 65536)
        attributes = termios.tcgetattr(self.terminal)
        os.close(self.terminal)
        os.close(self.main)
        return code, attributes


@pytest.mark.parametrize("leave", ["q", "interrupt"])
def test_top_in_a_terminal(headroom, leave):
    terminal = Terminal(headroom, "top", os.getpid(), "--interval", "200ms")
    terminal.until(b"\x1b[?1049h")  # the other screen
    terminal.until(b"headroom top")
    terminal.until(b"host")
    # A narrower window, and nothing is drawn beyond it.
    terminal.resize(40, 12)
    os.kill(terminal.process.pid, signal.SIGWINCH)
    for _ in range(2):
        terminal.until(b"\x1b[H")
    screen = terminal.until(b"\x1b[J").decode()
    assert len(screen.split("\r\n")) <= 12
    if leave == "q":
        os.write(terminal.main, b"q")
    else:
        terminal.process.send_signal(signal.SIGINT)
    code, attributes = terminal.end()
    assert code == 0
    assert b"\x1b[?25h\x1b[?1049l" in terminal.seen
    assert attributes == terminal.before
