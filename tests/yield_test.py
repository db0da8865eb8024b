"""headroom yield: the service leaves the GPU before the command starts and returns after it; the command
runs even if the service does not leave."""

import os
import subprocess

import pytest

from control_test import Daemon
from waiting import wait_for


@pytest.fixture
def runtime(headroom, tmp_path):
    headroom.env["XDG_RUNTIME_DIR"] = str(tmp_path)
    return tmp_path / "headroom/control.sock"


def test_without_a_daemon_it_is_the_command(headroom, runtime):
    outcome = headroom("yield", "--", "sh", "-c", "cat; echo $0 $1; exit 7", "a", "-b",
                       stdin=subprocess.PIPE)
    assert (outcome.code, outcome.out, outcome.err) == (7, "a -b\n", "")
    assert headroom("yield", "sh", "-c", "kill -9 $$").code == 137
    outcome = headroom("yield", "--", "/no/such/program")
    assert outcome.code == 127
    assert "start /no/such/program: No such file" in outcome.err


def test_the_daemon_stays_away_for_as_long_as_the_command_runs(headroom, runtime):
    daemon = Daemon(headroom, runtime)
    read, write = os.pipe()
    process = headroom.popen("yield", "--", "sh", "-c", "echo runs; read line; exit 3",
                             stdin=read, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"runs\n"
    assert daemon.asked() == ["yield 1 sh"]
    os.write(write, b"\n")
    assert process.wait(timeout=60) == 3
    wait_for(lambda: daemon.asked() == ["yield 1 sh", "end yield 1"], "the end of the yield", 60)
    daemon.stop()


def test_a_daemon_that_does_not_answer_keeps_no_game_from_starting(headroom, runtime):
    daemon = Daemon(headroom, runtime)
    daemon.send("hold")
    outcome = headroom("yield", "--", "echo", "plays")
    assert (outcome.code, outcome.out) == (0, "plays\n")
    assert "did not leave the GPU" in outcome.err
    daemon.stop()


def test_a_daemon_that_dies_meanwhile_does_no_harm(headroom, runtime):
    daemon = Daemon(headroom, runtime)
    process = headroom.popen("yield", "--", "sh", "-c", "echo runs; read line; exit 3",
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"runs\n"
    daemon.process.kill()
    daemon.process.wait()
    process.communicate(b"\n", timeout=60)
    assert process.returncode == 3
