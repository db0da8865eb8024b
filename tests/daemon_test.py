"""The real daemon with real speech: a real sound server, files and kills."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from live_daemon import CLIPS, alike, files, start, words  # noqa: F401 (start is a fixture)
from sound_server import SoundServer
from waiting import wait_for


@pytest.fixture
def server():
    server = SoundServer("pulse").start()
    yield server
    server.remove()


def test_dictate_plays_a_recording_through_the_live_pipeline(headroom):
    outcome = headroom("dictate", "--fast", "-m", "whisper-tiny.en:F16", headroom.jfk)
    assert outcome.code == 0, outcome.err
    assert alike(outcome.out, "And so my fellow Americans ask not what your country can do for you "
                              "ask what you can do for your country") > 0.85, outcome.out
    assert "utterances" in outcome.err and "zone safe" in outcome.err
    assert not (headroom.home / ".local/state/headroom").exists(), "a played file leaves nothing"


def test_speech_from_a_sound_server_arrives_in_a_file(headroom, start, server):
    server.sink("speech")
    server.microphone("mic", "speech")
    daemon = start("audio.source=pulse", "audio.device=mic", env=server.env | {"HOME": str(headroom.home)})
    others = len(server.recorders())  # the remapped source is one
    assert daemon.status()["phase"] == "idle"
    assert daemon.call("POST", "listen")["phase"] == "listening"
    assert len(server.recorders()) == others + 1
    server.play(headroom.jfk, "speech")
    status = daemon.call("POST", "finish")
    assert status["phase"] in ("idle", "decoding", "listening", "speaking")
    daemon.idle()
    wait_for(lambda: len(server.recorders()) == others, "the microphone is closed")
    assert alike(" ".join(daemon.lines()), "And so my fellow Americans ask not what your country can do "
                                           "for you ask what you can do for your country") > 0.85
    assert daemon.seen("partial"), "text came during speech"
    for path in [daemon.text, *daemon.state.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path
    # Nothing that was said is in the log, and after delivery nothing of it in the state folder.
    assert "country" not in daemon.says()
    for path in daemon.state.rglob("*"):
        if path.is_file() and "history" not in path.name:
            assert b"country" not in path.read_bytes(), path
    daemon.stop()


def test_the_microphone_comes_and_goes_and_the_next_sentence_is_whole(headroom, start, server):
    server.sink("speech")
    module = server.microphone("mic", "speech")
    daemon = start("audio.source=pulse", "audio.device=mic", "speech.mode=hands_free",
                   env=server.env | {"HOME": str(headroom.home)})
    wait_for(lambda: daemon.status()["phase"] == "listening", "listening")
    server.pactl("unload-module", module)
    wait_for(lambda: daemon.status()["microphone"]["trouble"], "the loss is reported")
    server.microphone("mic", "speech")
    wait_for(lambda: daemon.status()["microphone"]["state"] == "running", "it is found again")
    server.play(CLIPS[0], "speech")
    wait_for(lambda: daemon.lines() and daemon.status()["waiting"] == 0, "a text")
    time.sleep(1)
    server.stop()
    wait_for(lambda: daemon.status()["microphone"]["state"] != "running", "the server's end is seen")
    server.start()
    server.sink("speech")
    server.microphone("mic", "speech")
    wait_for(lambda: daemon.status()["microphone"]["state"] == "running", "it is found again")
    before = len(daemon.lines())
    server.play(CLIPS[0], "speech")
    wait_for(lambda: len(daemon.lines()) > before, "a text")
    daemon.stop()


def reference(start):
    """The utterances of the three clips, as written by a daemon that is not killed."""
    daemon = start("audio.source=file", files(*CLIPS), "audio.real_time=false", "speech.mode=hands_free",
                   folder="reference")
    wait_for(lambda: len(daemon.lines()) >= 3, "three sentences", 120)
    daemon.idle()
    daemon.stop()
    return daemon.lines()


def whole_sentences(lines, expected, ended):
    """`lines` are the first of `expected`, each once and in order; the last may be cut."""
    for i, line in enumerate(lines[:-1]):
        assert alike(line, expected[i]) > 0.7, (i, line, expected[i], lines)
    assert len(lines) <= len(expected), lines
    assert len(lines) >= ended, (lines, ended)
    if lines:
        i = len(lines) - 1
        start = " ".join(words(expected[i])[: max(len(words(lines[i])), 1)])
        # What a small model makes of half a word is not the service's.
        assert alike(lines[i], start) > 0.3 or len(words(lines[i])) < 3, (lines[i], expected[i])


def test_killed_at_any_moment_every_sentence_arrives_once(start):
    """The daemon dies by SIGKILL at random moments of speech played at the speed it was spoken."""
    expected = reference(start)
    seed = int(os.environ.get("HEADROOM_SEED", "1"))
    for trial in range(int(os.environ.get("HEADROOM_KILLS", "3"))):
        chance = random.Random(f"{seed} {trial}")
        folder = f"killed-{trial}"
        daemon = start("audio.source=file", files(*CLIPS), "speech.mode=hands_free", folder=folder)
        time.sleep(chance.uniform(0.5, 16))
        ended = len(daemon.seen("speech", what="end"))
        daemon.kill()
        daemon = start("audio.source=none", folder=folder)
        daemon.idle()
        daemon.stop()
        print(f"seed {seed} trial {trial}: {ended} whole before the kill, {len(daemon.lines())} texts")
        whole_sentences(daemon.lines(), expected, ended)


def test_workers_that_are_killed_cost_no_sentence(start):
    expected = reference(start)
    seed = int(os.environ.get("HEADROOM_SEED", "1"))
    for trial in range((int(os.environ.get("HEADROOM_KILLS", "3")) + 2) // 3):
        chance = random.Random(f"{seed} {trial}")
        daemon = start("audio.source=file", files(*CLIPS), "audio.real_time=false", "speech.mode=hands_free",
                       folder=f"workers-{trial}")
        killed = 0
        for _ in range(3):
            worker = wait_for(lambda: subprocess.run(["pgrep", "-P", str(daemon.process.pid), "headroom-worker"],
                                                     capture_output=True, text=True).stdout.split(), "a worker", 60)
            try:
                os.kill(int(worker[0]), signal.SIGKILL)
                killed += 1
            except ProcessLookupError:
                pass
            if len(daemon.lines()) == len(expected):
                break
            time.sleep(chance.uniform(0.05, 1.5))
        daemon.idle(200)
        lines = daemon.lines()
        print(f"seed {seed} trial {trial}: {killed} workers killed")
        assert killed and len(lines) == len(expected)
        for got, wanted in zip(lines, expected):
            assert alike(got, wanted) > 0.7
        daemon.stop()


def test_a_second_daemon_is_refused(headroom, start, tmp_path):
    first = start("audio.source=none")
    outcome = headroom("daemon", "--state", first.state, "--set", "audio.source=none",
                       "--set", f"control.socket={tmp_path}/other.sock",
                       "--set", "models.tiers=['whisper-tiny.en:F16@cpu']")
    assert outcome.code == 6 and "another headroom is running" in outcome.err
    assert first.status()["phase"] == "idle"
    first.stop()


def test_a_state_folder_that_cannot_be_written_costs_durability_not_the_service(headroom, start, tmp_path):
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "state").mkdir()
    (folder / "state/spool").mkdir()  # no file can be made there, not even by root
    daemon = start("audio.source=file", files(CLIPS[0]), "audio.real_time=false", "speech.mode=hands_free")
    wait_for(lambda: daemon.lines(), "a text", 120)
    assert any("in memory only" in warning for warning in daemon.status()["troubles"])
    daemon.stop()


def test_configuration_is_read_again(headroom, start, tmp_path):
    config = headroom.home / ".config/headroom/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("[speech]\nlanguage = 'en'\n")
    daemon = start("audio.source=none")
    config.write_text("[speech]\nlanguage = 'de'\n")
    assert "speech.language" in daemon.call("POST", "reload")["changed"]
    config.write_text("[speech]\nlangage = 'de'\n")
    refused = daemon.call("POST", "reload")
    assert "langage" in refused["error"]["message"] and daemon.status()["language"] == "de"
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "langage" in " ".join(daemon.status()["troubles"]), "the warning")
    daemon.stop()


def test_idleness_costs_next_to_nothing(start):
    """CPU time of the waiting daemon; the real numbers are in bench/, this is only a wall."""
    daemon = start("audio.source=none")
    time.sleep(1)

    def ticks():
        fields = Path(f"/proc/{daemon.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])
    before = ticks()
    time.sleep(5)
    assert ticks() - before <= 10, "a tenth of a second of computing in five seconds of idleness"
    daemon.stop()
