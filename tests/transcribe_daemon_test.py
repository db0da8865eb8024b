"""`headroom transcribe` while the service runs: its model is used, and nothing is lost when it ends."""

import json
import signal
import subprocess
import threading
import time

import wav
from live_daemon import CLIPS, start, words  # noqa: F401 (a fixture)
from waiting import wait_for

MODEL = "whisper-tiny.en:F16"


def test_the_services_model_gives_the_same_text_in_every_format(headroom, start):
    daemon = start()
    for form in ("text", "srt", "json"):
        alone = headroom("transcribe", "--alone", "-m", MODEL, "-f", form, headroom.jfk, CLIPS[0])
        shared = headroom("transcribe", "--socket", daemon.socket, "-f", form, headroom.jfk, CLIPS[0])
        if form == "srt":  # of two files it cannot share standard output
            assert alone.code == shared.code != 0
            continue
        assert alone.code == shared.code == 0, shared.err
        assert "using the running service" in shared.err and "--alone" in shared.err
        if form == "text":
            assert shared.out == alone.out
            continue
        here, there = ([json.loads(d) for d in split(text)] for text in (alone.out, shared.out))
        assert [d.pop("model") for d in there] == ["whisper-tiny.en F16 on cpu"] * 2
        assert [d.pop("model") for d in here] == ["whisper-tiny.en-F16"] * 2
        assert here == there


def split(text):
    """Documents that follow each other."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while at < len(text):
        _, end = decoder.raw_decode(text, at)
        found.append(text[at:end])
        at = end + len(text[end:]) - len(text[end:].lstrip())
    return found


def test_standard_input_and_bad_files_are_as_without_a_service(headroom, start):
    daemon = start()
    with open(headroom.jfk, "rb") as file:
        got = headroom("transcribe", "--socket", daemon.socket, "-", stdin=file)
    assert got.code == 0 and "what your country can do for you" in got.out.lower()
    broken = headroom.home / "broken.wav"
    broken.write_bytes(b"RIFF")
    got = headroom("transcribe", "--socket", daemon.socket, broken, headroom.jfk)
    assert got.code != 0 and "broken.wav" in got.err
    assert "what your country can do for you" in got.out.lower()


def test_without_that_service_it_is_an_error_only_when_it_was_asked_for(headroom, tmp_path):
    got = headroom("transcribe", "--socket", tmp_path / "none.sock", headroom.jfk)
    assert got.code != 0 and "no daemon listens" in got.err and got.out == ""
    got = headroom("transcribe", "--socket", tmp_path / "none.sock", "--alone", "-m", MODEL, headroom.jfk)
    assert got.code == 0 and got.err == ""


def test_what_is_interrupted_leaves_the_service_idle(headroom, start, tmp_path):
    daemon = start()
    running = headroom.popen("transcribe", "--socket", daemon.socket, long_file(tmp_path),
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout.read(1)  # the first segments
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert b"the text recognised so far was written" in err
    wait_for(lambda: daemon.status()["waiting"] == 0, "nothing waits", 30)


def test_a_service_that_is_killed_and_comes_back_loses_no_word(headroom, start, tmp_path):
    recording = long_file(tmp_path)
    whole = headroom("transcribe", "--alone", "-m", MODEL, recording)
    daemon = start()
    running = headroom.popen("transcribe", "--socket", daemon.socket, recording,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out = []
    reader = threading.Thread(target=lambda: out.append(running.stdout.read()))
    reader.start()
    wait_for(lambda: daemon.status()["tier"] != "", "a loaded model", 60)
    time.sleep(1)  # somewhere in the recording
    daemon.kill()
    start()
    assert running.wait(timeout=180) == 0, running.stderr.read()
    reader.join()
    assert words(out[0].decode()) == words(whole.out)


def long_file(folder):
    """A minute and a half of speech."""
    path = folder / "long.wav"
    wav.write_pcm16(path, [value for clip in CLIPS for value in wav.samples(clip)] * 4)
    return path
