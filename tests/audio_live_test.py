"""Live sources against real sound servers, driven through audio_live (audio_live.cc)."""

import json
import os
import subprocess
import threading
import time
import wave
from pathlib import Path

import numpy
import pytest

from sound_server import SoundServer
from waiting import wait_for

DRIVER = Path(os.environ["HEADROOM_TEST_BIN"]).parent / "tests/audio_live"
RATE = 16000


@pytest.fixture
def server(request):
    server = SoundServer(getattr(request, "param", "pulse")).start()
    yield server
    server.remove()


both = pytest.mark.parametrize("server", ["pulse", "pipewire"], indirect=True)


@pytest.fixture
def clip(headroom, tmp_path):
    """Two and a half seconds of speech: "And so, my fellow Americans"."""
    with wave.open(str(headroom.jfk)) as whole, wave.open(str(tmp_path / "clip.wav"), "wb") as part:
        part.setparams(whole.getparams())
        part.writeframes(whole.readframes(int(2.5 * RATE)))
    return tmp_path / "clip.wav"


def alike(said, heard, at):
    """Their correlation, of what was heard from `at` on."""
    at = max(at, 0)
    part = heard[at : at + len(said)]
    if len(part) < len(said):
        return 0.0
    return numpy.dot(said, part) / (numpy.linalg.norm(said) * numpy.linalg.norm(part) + 1e-12)


class Listener:
    def __init__(self, server, out, *devices, kind="pulse", buffer_ms=30000, silence_ms=60000, env=None):
        self.out = out
        self.process = subprocess.Popen(
            [DRIVER, kind, out, str(buffer_ms), str(silence_ms), *devices],
            env={**server.env, **(env or {})}, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.reports = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.reports.append(json.loads(line))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            assert self.process.wait(timeout=30) == 0, "the driver must end well"
        finally:
            self.process.kill()
        self.reader.join()

    def say(self, command):
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()

    @property
    def report(self):
        return self.reports[-1] if self.reports else {"state": "", "device": "", "trouble": ""}

    def wait(self, **expected):
        """Until the newest report has these; for texts: until it contains them."""
        def fits():
            report = self.report
            return all(v in report.get(k, "") for k, v in expected.items())
        try:
            wait_for(fits, str(expected))
        except AssertionError as late:
            raise AssertionError(f"{late}; reports: {self.reports[-5:]}") from None
        return self.report

    def heard(self):
        return numpy.fromfile(self.out, dtype="<f4")

    def hears(self, server, clip, sink):
        """Plays the clip and finds all of it, from its first to its last word, in what was heard."""
        before = len(self.heard())
        server.play(clip, sink)
        with wave.open(str(clip)) as f:
            said = numpy.frombuffer(f.readframes(f.getnframes()), dtype="<i2") / 32768
        wait_for(lambda: len(self.heard()) - before > len(said) + RATE // 2, "samples")
        heard = self.heard()[max(0, before - RATE // 2):]
        size = 1 << (len(heard) + len(said)).bit_length()
        spectrum = numpy.fft.rfft(heard, size) * numpy.conj(numpy.fft.rfft(said, size))
        lag = int(numpy.argmax(numpy.fft.irfft(spectrum, size)[: len(heard)]))
        for start in range(0, len(said) - RATE // 4 + 1, RATE // 4):
            a = said[start : start + RATE // 4]
            assert lag + start + RATE // 4 <= len(heard), f"cut off after {start / RATE} s"
            if numpy.sqrt(numpy.mean(a**2)) < 0.01:
                continue
            # The player's clock is not the recorder's: a sample more or less now and then.
            assert max(alike(a, heard, lag + start + d) for d in range(-16, 17)) > 0.9, \
                f"missing or changed at {start / RATE} s of the clip"


@both
def test_the_whole_clip_is_there_and_the_microphone_is_shut_afterwards(server, clip, tmp_path):
    server.sink("speech")
    with Listener(server, tmp_path / "out", "speech.monitor") as listener:
        listener.wait(state="running", device="speech")
        assert len(server.recorders()) == 1
        listener.hears(server, clip, "speech")
        listener.say("close")
        listener.wait(state="closed")
        wait_for(lambda: not server.recorders(), "the microphone is shut")
        listener.say("open")
        listener.wait(state="running")
        listener.hears(server, clip, "speech")
        assert listener.report["dropped"] == 0 and listener.report["interruptions"] == 0


@both
def test_a_restarted_server_is_found_again(server, clip, tmp_path):
    server.sink("speech")
    with Listener(server, tmp_path / "out", "speech.monitor") as listener:
        listener.wait(state="running")
        server.stop()
        listener.wait(state="lost", trouble="no sound server")
        server.start()
        server.sink("speech")
        listener.wait(state="running")
        listener.hears(server, clip, "speech")
        assert listener.report["interruptions"] == 1
        assert listener.report["trouble"] == ""


@both
def test_a_source_that_was_removed_is_waited_for(server, clip, tmp_path):
    server.sink("speech")
    module = server.microphone("headset", "speech", "Headset-7")
    with Listener(server, tmp_path / "out", "headset") as listener:
        listener.wait(state="running", device="Headset-7")
        server.pactl("unload-module", module)
        listener.wait(state="lost", trouble="not connected: headset")
        # It comes back under another name, as USB devices do.
        server.microphone("headset.2", "speech", "Headset-7")
        listener.wait(state="running", device="Headset-7")
        listener.hears(server, clip, "speech")


@both
def test_a_switched_default_is_followed(server, clip, tmp_path):
    for name in ("one", "two"):
        server.sink(f"{name}_room")
        server.microphone(f"{name}_mic", f"{name}_room")
    server.pactl("set-default-source", "one_mic")
    with Listener(server, tmp_path / "out", kind="auto") as listener:
        listener.wait(state="running", device="one_mic")
        listener.hears(server, clip, "one_room")
        server.pactl("set-default-source", "two_mic")
        listener.wait(state="running", device="two_mic")
        listener.hears(server, clip, "two_room")


def test_the_preferred_device_is_taken_as_soon_as_it_is_there(server, clip, tmp_path):
    server.sink("room")
    server.microphone("builtin", "room")
    server.pactl("set-default-source", "builtin")
    with Listener(server, tmp_path / "out", "headset", "default") as listener:
        listener.wait(state="running", device="builtin")
        server.sink("head")
        module = server.microphone("headset", "head")
        listener.wait(state="running", device="headset")
        listener.hears(server, clip, "head")
        server.pactl("unload-module", module)
        listener.wait(state="running", device="builtin")
        listener.hears(server, clip, "room")


def test_what_the_speakers_play_is_not_taken_for_a_microphone(server, tmp_path):
    server.sink("speech")
    server.pactl("set-default-source", "speech.monitor")
    with Listener(server, tmp_path / "out") as listener:
        listener.wait(state="lost", trouble="no microphone")
        server.microphone("mic", "speech")
        server.pactl("set-default-source", "mic")
        listener.wait(state="running")


def test_a_reader_that_stays_away_costs_counted_samples(server, clip, tmp_path):
    server.sink("speech")
    with Listener(server, tmp_path / "out", "speech.monitor", buffer_ms=500) as listener:
        listener.wait(state="running")
        listener.say("stall")
        wait_for(lambda: listener.report["dropped"] > 8000, "samples are dropped")
        listener.say("go")
        listener.hears(server, clip, "speech")
        dropped = listener.report["dropped"]
        listener.hears(server, clip, "speech")
        assert listener.report["dropped"] == dropped


def test_silence_muting_and_suspending_are_said(server, tmp_path):
    server.sink("speech")
    server.microphone("mic", "speech")
    with Listener(server, tmp_path / "out", "mic", silence_ms=300) as listener:
        listener.wait(state="running", trouble="has been silent")
        server.pactl("set-source-mute", "mic", 1)
        listener.wait(state="running", trouble="mic is muted")
        server.pactl("set-source-mute", "mic", 0)
        listener.wait(state="running", trouble="has been silent")
        server.pactl("suspend-source", "mic", 1)
        listener.wait(state="lost", trouble="suspended")
        server.pactl("suspend-source", "mic", 0)
        listener.wait(state="running")
        assert listener.report["interruptions"] == 1


def test_without_a_server(tmp_path):
    server = SoundServer("pulse")
    try:
        with Listener(server, tmp_path / "out", kind="auto") as listener:
            listener.wait(state="lost", trouble="no sound server")
        devices = subprocess.run([DRIVER, "devices"], env=server.env, capture_output=True, text=True)
        assert devices.returncode == 1 and "no sound server" in devices.stderr
    finally:
        server.remove()


def test_a_server_that_hangs_does_not_hang_us(server, tmp_path):
    server.sink("speech")
    with Listener(server, tmp_path / "out", "speech.monitor") as listener:
        listener.wait(state="running")
        server.processes[0].send_signal(19)
        listener.wait(state="lost")
        start = time.monotonic()
        listener.say("close")
        listener.wait(state="closed")
        assert time.monotonic() - start < 5
        server.processes[0].send_signal(18)
        listener.say("open")
        listener.wait(state="running")


@both
def test_devices_are_listed(server):
    server.sink("speech")
    server.microphone("mic", "speech", "Desk")
    server.pactl("set-default-source", "mic")
    wait_for(lambda: server.pactl("get-default-source") == "mic", "the default")
    out = subprocess.run([DRIVER, "devices"], env=server.env, capture_output=True, check=True).stdout
    devices = {d["name"]: d for d in json.loads(out)}
    assert devices["speech.monitor"]["monitor"]
    assert not devices["mic"]["monitor"] and devices["mic"]["description"] == "Desk"
    assert devices["mic"]["default"] and not devices["speech.monitor"]["default"]


def test_alsa_through_its_pulse_plugin(server, clip, tmp_path):
    server.sink("speech")
    server.microphone("mic", "speech")
    (server.folder / ".asoundrc").write_text("pcm.!default { type pulse device mic }\n")
    with Listener(server, tmp_path / "out", kind="alsa") as listener:
        listener.wait(state="running", device="ALSA's default device")
        listener.hears(server, clip, "speech")
        server.stop()
        listener.wait(state="lost")
        server.start()
        server.sink("speech")
        server.microphone("mic", "speech")
        listener.wait(state="running")
        listener.hears(server, clip, "speech")
    with Listener(server, tmp_path / "out", "no_such_card", kind="alsa") as listener:
        listener.wait(state="lost", trouble="no_such_card cannot be opened")
