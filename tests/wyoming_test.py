"""Wyoming, as the client that Home Assistant uses speaks it."""

import asyncio
import json
import subprocess
import urllib.request
import wave

import pytest
from wyoming.asr import (Transcribe, Transcript, TranscriptChunk, TranscriptStart, TranscriptStop)
from wyoming.audio import AudioChunk, AudioStart, AudioStop, wav_to_chunks
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong

from live_daemon import CLIPS, free_port, start, words  # noqa: F401 (start is a fixture)

PATIENCE = 60  # s; only reached when something is broken


class Server:
    def __init__(self, headroom):
        self.process = subprocess.Popen(
            [headroom.bin.parent / "tests/wyoming_live"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def asked(self, stream):
        self.process.stdin.write(f"{stream}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@pytest.fixture
def server(headroom):
    server = Server(headroom)
    yield server
    server.process.communicate(timeout=PATIENCE)
    assert server.process.returncode == 0


async def converse(port, events, until=None):
    """Sends the events and returns those that came, up to one of the type `until` or the end."""
    async with AsyncTcpClient("127.0.0.1", port) as client:
        for event in events:
            await client.write_event(event.event() if hasattr(event, "event") else event)
        came = []
        while (event := await client.read_event()) is not None:
            came.append(event)
            if until and until.is_type(event.type):
                break
        return came


def talk(port, events, until=None):
    return asyncio.run(asyncio.wait_for(converse(port, events, until), PATIENCE))


def recording(path, request=None):
    with wave.open(str(path)) as wav:
        return [request or Transcribe(),
                *wav_to_chunks(wav, samples_per_chunk=1024, start_event=True, stop_event=True)]


def test_info(server):
    info = Info.from_event(talk(server.port, [Describe()], Info)[-1])
    assert len(info.asr) == 1 and not info.tts and not info.wake
    program = info.asr[0]
    assert program.name == "headroom" and program.version == "1.2.3" and program.installed
    assert program.supports_transcript_streaming and program.requires_external_vad
    assert [(m.name, m.languages, m.installed) for m in program.models] == [
        ("whisper-base", ["de", "en"], True), ("parakeet", ["en"], True)]


def test_a_command(server, headroom):
    request = Transcribe(name="whisper-base", language="de-DE", transcript_names=["Küchenlicht"],
                         transcript_terms=["an"])
    came = talk(server.port, recording(headroom.jfk, request), TranscriptStop)
    assert [event.type for event in came] == [
        "transcript-start", "transcript-chunk", "transcript", "transcript-stop"]
    assert TranscriptStart.from_event(came[0]).language == "de"
    assert TranscriptChunk.from_event(came[1]).text == "Mach das Licht an."
    transcript = Transcript.from_event(came[2])
    assert (transcript.text, transcript.language) == ("Mach das Licht an.", "de")
    asked = server.asked(1)
    assert (asked["language"], asked["model"]) == ("de", "whisper-base")
    assert asked["prompt"] == "Küchenlicht, an"
    with wave.open(str(headroom.jfk)) as wav:
        assert asked["samples"] == wav.getnframes()
    assert 0.1 < asked["loudest"] <= 1


@pytest.mark.parametrize("rate, width, channels", [(48000, 4, 2), (8000, 1, 1), (44100, 2, 2)])
def test_other_formats(server, rate, width, channels):
    silence = b"\x80" if width == 1 else b"\x00"
    second = silence * (rate * width * channels)
    audio = AudioChunk(rate, width, channels, second)
    talk(server.port, [Transcribe(), AudioStart(rate, width, channels), audio, audio, AudioStop()],
         Transcript)
    asked = server.asked(1)
    assert asked["samples"] == 32000 and asked["loudest"] < 0.001


def test_a_hundred_commands_and_nothing_is_left(server, headroom):
    async def all_of_them():
        command = [Transcribe(language="en"), AudioStart(16000, 2, 1),
                   AudioChunk(16000, 2, 1, b"\1\2" * 1600), AudioStop()]
        for _ in range(10):
            texts = await asyncio.gather(*(converse(server.port, command, Transcript) for _ in range(10)))
            assert all(Transcript.from_event(came[-1]).text == "Mach das Licht an." for came in texts)

    asyncio.run(asyncio.wait_for(all_of_them(), PATIENCE))
    for _ in range(PATIENCE * 10):
        if server.asked(100)["streams"] == 0:
            break
        asyncio.run(asyncio.sleep(0.1))
    assert server.asked(100)["streams"] == 0
    assert server.asked(100)["samples"] == 1600


def test_ping_and_what_is_not_known(server):
    came = talk(server.port, [Event("synthesize", {"text": "no"}), Ping(text="hello")], Pong)
    assert [Pong.from_event(event).text for event in came] == ["hello"]


def test_a_wrong_field_is_named_and_ends_the_connection(server):
    came = talk(server.port, [AudioStart(16000, 7, 1)])
    assert [Error.from_event(event).text for event in came] == ["audio-start: width: 1 to 4 bytes are taken"]
    assert talk(server.port, [Describe()], Info)  # others notice nothing


def test_a_drained_daemon_finishes_the_command_that_is_spoken(headroom, start):
    port = free_port()
    daemon = start(f"wyoming.listen=127.0.0.1:{port}")
    events = recording(headroom.jfk, Transcribe(language="en"))

    async def command():
        async with AsyncTcpClient("127.0.0.1", port) as client, AsyncTcpClient("127.0.0.1", port) as other:
            for event in events[:len(events) // 2]:
                await client.write_event(event.event())
            while await asyncio.to_thread(lambda: daemon.status()["clients"]) == 0:
                await asyncio.sleep(0.1)
            drained = await asyncio.to_thread(headroom, "drain", "--socket", daemon.socket)
            assert drained.out == "draining, 1 served\n", drained
            for event in events[len(events) // 2:]:
                await client.write_event(event.event())
            while not Transcript.is_type((event := await client.read_event()).type):
                assert not Error.is_type(event.type), event
            transcript = Transcript.from_event(event)
            # The next is refused, with the reason, of this client and of another.
            said = []
            for one in (client, other):
                for event in events[:3]:
                    await one.write_event(event.event())
                while (event := await one.read_event()) is not None:
                    if Error.is_type(event.type):
                        said.append(Error.from_event(event).text)
                        break
            return transcript.text, said

    text, said = asyncio.run(asyncio.wait_for(command(), PATIENCE))
    assert "country" in text
    assert len(said) == 2 and all("drained" in why for why in said), said
    assert headroom("drain", "--wait", "--socket", daemon.socket).out == "draining, 0 served\n"
    assert headroom("drain", "--off", "--socket", daemon.socket).code == 0
    came = talk(port, events, TranscriptStop)
    assert any(Transcript.is_type(event.type) for event in came)


def test_the_daemon_hears_what_transcribe_hears(headroom, start):
    port = free_port()
    web = free_port()
    daemon = start(f"wyoming.listen=127.0.0.1:{port}", f"server.listen=127.0.0.1:{web}")
    info = Info.from_event(talk(port, [Describe()], Info)[-1])
    assert [(m.name, m.languages) for m in info.asr[0].models] == [("whisper-tiny.en", ["en"])]
    for path in (headroom.jfk, CLIPS[0]):
        said = headroom("transcribe", "-m", "whisper-tiny.en:F16", path).out
        came = talk(port, recording(path, Transcribe(language="en")), TranscriptStop)
        transcript = Transcript.from_event(next(event for event in came if Transcript.is_type(event.type)))
        assert words(transcript.text) == words(said)
        assert transcript.language == "en"
    came = talk(port, [Transcribe(name="whisper-huge"), *recording(headroom.jfk)[1:]])
    assert "whisper-huge" in Error.from_event(came[-1]).text
    came = talk(port, [Transcribe(language="xx"), *recording(headroom.jfk)[1:]])
    assert '"xx"' in Error.from_event(came[-1]).text
    with urllib.request.urlopen(f"http://127.0.0.1:{web}/metrics", timeout=PATIENCE) as answer:
        metrics = answer.read().decode()
    assert "\nheadroom_wyoming_transcripts_total 2\n" in metrics
    assert "\nheadroom_wyoming_failed_total 2\n" in metrics
    daemon.stop()
    assert "country" not in daemon.says()
