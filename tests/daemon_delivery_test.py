"""Where the daemon's texts go, and what becomes of them when something is in the way."""

import json
import socket
import subprocess
import time
import wave
from pathlib import Path

import numpy
import pytest

from desktop import SwayDesktop, XDesktop
from live_daemon import CLIPS, alike, files, start, words  # noqa: F401 (start is a fixture)
from waiting import wait_for

JFK = "And so my fellow Americans ask not what your country can do for you ask what you can do for your country"
LIBFAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")


@pytest.fixture
def played(start, headroom):
    """A daemon that is played the sentence, as fast as it takes it, and has written all of it."""

    def played(*settings, **kwargs):
        daemon = start("audio.source=file", files(headroom.jfk), "audio.real_time=false",
                       "speech.mode=hands_free", *settings, **kwargs)
        wait_for(lambda: daemon.seen("text"), "a text", 120)
        daemon.idle()
        return daemon

    return played


def test_what_did_not_arrive_is_kept_and_can_be_pasted(headroom, played):
    gone = headroom.home / "gone"
    daemon = played(f"output.file={gone}/text")
    socket_path = ["--socket", daemon.socket]
    count = daemon.status()["undelivered"]
    assert count == len(daemon.seen("text")) > 0 and not gone.exists()
    assert any("gone" in warning for warning in daemon.status()["troubles"])
    entries = daemon.call("GET", "history?undelivered=true")["entries"]
    assert alike(" ".join(entry["text"] for entry in reversed(entries)), JFK) > 0.85
    assert all(entry["arrival"] == "undelivered" and "gone" in entry["why"] for entry in entries)
    refused = daemon.call("POST", "history/paste")
    assert "gone" in refused["error"]["message"], "it cannot arrive yet"
    gone.mkdir()
    for _ in range(count):
        outcome = headroom("history", "paste", *socket_path)
        assert outcome.code == 0, outcome.err
    assert (gone / "text").read_text().splitlines() == [entry["text"] for entry in entries], "the newest first"
    assert daemon.status()["undelivered"] == 0
    assert daemon.call("GET", "history?undelivered=true")["entries"] == []
    assert headroom("history", "paste", *socket_path).code == 0, "the newest, once more"
    assert len((gone / "text").read_text().splitlines()) == count + 1
    assert f"deleted {count} text" in headroom("history", "clear", *socket_path).out
    assert headroom("history", "paste", *socket_path).code == 3
    daemon.stop()


def test_the_history_outlives_the_daemon(played, start):
    daemon = played(folder="h")
    text = daemon.lines()
    daemon.stop()
    again = start("audio.source=none", folder="h")
    entries = again.call("GET", "history")["entries"]
    assert [entry["text"] for entry in reversed(entries)] == text != []
    assert all(entry["arrival"] == "delivered" and entry["latency_ms"] >= 0 for entry in entries)
    again.stop()


def test_words_are_written_as_the_user_wants_them(headroom, played):
    headroom.configure('[replacements]\n"fellow americans" = "Landsleute – groß & klein"\n'
                        '[commands.en]\n"your country" = "§"\n')
    daemon = played("speech.language=en")
    text = " ".join(daemon.lines())
    assert "Landsleute – groß & klein" in text and text.count("§") == 2 and "country" not in text
    daemon.stop()


@pytest.mark.parametrize("make", [XDesktop, SwayDesktop], ids=["x", "sway"])
def test_text_is_typed_where_the_cursor_is(headroom, played, make):
    headroom.configure('[replacements]\n"fellow americans" = "Brüder „und“ Schwestern ß€"\n')
    desktop = make()
    try:
        env = {k: v for k, v in desktop.env.items() if k in ("DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR")}
        daemon = played("speech.language=en", "output.targets=['type']", env=env)
        texts = [event["text"] for event in daemon.seen("text")]
        assert all(event["delivered"] for event in daemon.seen("text")), daemon.says()
        expected = "".join(text + " " for text in texts)
        assert "Brüder „und“ Schwestern ß€" in expected
        assert desktop.read(len(expected.encode())) == expected
        daemon.stop()
    finally:
        desktop.close()


def test_without_a_window_the_text_is_kept(played):
    daemon = played("output.targets=['type']", env={"DISPLAY": "", "WAYLAND_DISPLAY": "", "XDG_RUNTIME_DIR": "/nowhere"})
    entries = daemon.call("GET", "history")["entries"]
    assert entries
    for entry in entries:
        assert entry["arrival"] == "undelivered" and "graphical session" in entry["why"]
    daemon.stop()


def test_nothing_that_was_said_stays_behind(headroom, played):
    daemon = played("history.on=false")
    said = words(" ".join(daemon.lines()))
    daemon.stop()
    with wave.open(str(headroom.jfk)) as clip:
        pcm = clip.readframes(clip.getnframes())
    loud = max(range(0, len(pcm) - 64, 64), key=lambda i: max(pcm[i:i + 64]))
    samples = numpy.frombuffer(pcm[loud:loud + 64], "<i2")
    marks = [pcm[loud:loud + 64], (samples / 32768).astype("<f4").tobytes()]
    marks += [word.encode() for word in said if len(word) > 6]
    assert len(marks) > 2
    kept = [path for path in daemon.folder.rglob("*") if path.is_file() and path != daemon.text]
    assert any(path.name == "spool" for path in kept)
    for path in kept:
        content = path.read_bytes().lower() if path.name == "log" else path.read_bytes()
        for mark in marks:
            assert mark not in content, (path, mark[:16])


def test_delivered_audio_is_there_only_if_the_user_keeps_it(headroom, played):
    daemon = played("spool.keep=true")
    with wave.open(str(headroom.jfk)) as clip:
        pcm = clip.readframes(clip.getnframes())
    daemon.stop()
    assert pcm[64000:64064] in (daemon.state / "spool").read_bytes()


def test_clients_that_never_read_hinder_nobody(played):
    daemon = played()
    sockets = []
    for i in range(40):
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(daemon.socket))
        client.sendall(b"GET /v1/events HTTP/1.1\r\nHost: headroom\r\n\r\n" if i % 2 else b"GET /v1/sta")
        sockets.append(client)
    start = time.monotonic()
    for _ in range(20):
        assert daemon.status()["phase"] == "idle"
    assert time.monotonic() - start < 20
    for client in sockets:
        client.close()
    wait_for(lambda: daemon.status()["control"]["open"] < 10, "they are forgotten")
    daemon.stop()


def test_a_full_disk_costs_the_history_not_the_text(headroom, played, tmp_path):
    state = tmp_path / "d/state"
    state.mkdir(parents=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", state], capture_output=True).returncode:
        pytest.skip("this user may not mount a small disk")
    try:
        (state / "ballast").write_bytes(bytes((2 << 20) - (64 << 10)))
        daemon = played()
        assert alike(" ".join(daemon.lines()), JFK) > 0.85
        troubles = " ".join(daemon.status()["troubles"])
        assert "in memory only" in troubles, troubles
        daemon.stop()
    finally:
        subprocess.run(["umount", "-l", state], check=True)


def test_a_clock_that_jumps_a_day_changes_nothing(headroom, start, tmp_path):
    if not LIBFAKETIME.exists():
        pytest.skip("libfaketime is not installed")
    offset = tmp_path / "offset"
    offset.write_text("+0")
    env = {"LD_PRELOAD": str(LIBFAKETIME), "FAKETIME_TIMESTAMP_FILE": str(offset), "FAKETIME_NO_CACHE": "1",
           "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1"}
    daemon = start("audio.source=file", files(*CLIPS[:2]), "speech.mode=hands_free", env=env)
    wait_for(lambda: daemon.seen("speech", what="begin"), "speech")
    offset.write_text("+86400")
    wait_for(lambda: len(daemon.lines()) >= 1, "a sentence after a jump forward")
    offset.write_text("-86400")
    wait_for(lambda: len(daemon.lines()) >= 2, "a sentence after a jump back", 60)
    daemon.idle()
    assert [event for event in daemon.seen("text") if not 0 <= event["latency_ms"] < 60_000] == []
    assert daemon.process.poll() is None
    daemon.stop()


def test_another_source_takes_over_without_a_restart(headroom, start):
    headroom.configure("[audio]\nsource = 'none'\n")
    daemon = start()
    headroom.configure(f"[speech]\nmode = 'hands_free'\n[audio]\nsource = 'file'\nreal_time = false\n"
                        f"files = {json.dumps([str(headroom.jfk)])}\n")
    assert headroom("reload", "--socket", daemon.socket).code == 0
    wait_for(lambda: daemon.lines(), "a text from the new source", 120)
    assert daemon.status()["mode"] == "hands_free"
    daemon.stop()
