"""The realtime WebSocket as OpenAI's own client and a plain one see it, over a speech service that
sends scripted events (realtime_live)."""

import base64
import json
import os
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
from openai import OpenAI
from openai.types.beta.realtime.realtime_server_event import RealtimeServerEvent as BetaServerEvent
from openai.types.realtime.realtime_server_event import RealtimeServerEvent
from pydantic import TypeAdapter
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from waiting import wait_for

CURRENT = TypeAdapter(RealtimeServerEvent)
BETA = TypeAdapter(BetaServerEvent)
DELTA = "conversation.item.input_audio_transcription.delta"
COMPLETED = "conversation.item.input_audio_transcription.completed"
WITHIN = 30


class Server:
    def __init__(self, **limits):
        program = Path(os.environ["HEADROOM_TEST_BIN"]).parent / "tests/realtime_live"
        self.process = subprocess.Popen([program, json.dumps(limits)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def send(self, **order):
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def push(self, kind, item=0, session="session1", times=1, **fields):
        self.send(session=session, push={"kind": kind, "item": item, **fields}, times=times)

    def log(self, session="session1"):
        return self.send(log=session)

    def wait(self, what, session="session1"):
        return wait_for(lambda: log if what(log := self.log(session)) else None,
                        lambda: self.log(session), WITHIN, every=0.02)

    def connect(self, query="intent=transcription", **options):
        return connect(f"ws://127.0.0.1:{self.port}/v1/realtime?{query}", **options)

    def stop(self):
        self.process.stdin.close()
        self.process.wait(WITHIN)


@pytest.fixture
def server():
    server = Server()
    yield server
    if server.process.poll() is None:
        server.stop()


@pytest.fixture
def openai(server):
    return OpenAI(base_url=f"http://127.0.0.1:{server.port}/v1",
                  websocket_base_url=f"ws://127.0.0.1:{server.port}/v1", api_key="none")


def receive(ws, kind=None):
    """The next event, or the next of that type."""
    while True:
        event = json.loads(ws.recv(timeout=WITHIN))
        if kind in (None, event["type"]):
            return event


def send(ws, kind, **fields):
    ws.send(json.dumps({"type": kind, **fields}))


def closed(ws):
    """What is received until the connection ends, and its close code and reason."""
    events = []
    try:
        while True:
            events.append(json.loads(ws.recv(timeout=WITHIN)))
    except ConnectionClosed as end:
        assert end.rcvd, "no close frame"
        return events, end.rcvd.code, end.rcvd.reason


def audio(seconds, rate=24000):
    return base64.b64encode(bytes(int(seconds * rate) * 2)).decode()


def test_the_openai_client(server, openai):
    with openai.realtime.connect(model="gpt-realtime", extra_query={"intent": "transcription"}) as realtime:
        seen = []

        def until(kind):
            while True:
                event = CURRENT.validate_json(realtime.recv_bytes())
                seen.append(event.type)
                if event.type == kind:
                    return event

        created = until("session.created")
        assert created.session.type == "transcription"
        realtime.session.update(session={"type": "transcription", "audio": {"input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "transcription": {"model": "gpt-4o-transcribe", "language": "en"},
            "turn_detection": {"type": "server_vad", "silence_duration_ms": 500}}}})
        updated = until("session.updated")
        assert updated.session.audio.input.transcription.language == "en"
        assert updated.session.audio.input.turn_detection.silence_duration_ms == 500
        for _ in range(10):
            realtime.input_audio_buffer.append(audio=audio(0.1))
        # All but the last milliseconds, which the filter holds until more comes.
        server.wait(lambda log: 15_900 < log["samples"] <= 16_000)

        server.push("started", 1, at=200)
        item = until("input_audio_buffer.speech_started").item_id
        server.push("partial", 1, text="And so")
        first = until(DELTA)
        assert (first.item_id, first.delta) == (item, "And so")  # the client has not stopped to speak
        realtime.input_audio_buffer.append(audio=audio(0.1))
        server.push("partial", 1, text="And so my fellow")
        assert until(DELTA).delta == " my fellow"
        server.push("stopped", 1, at=1100)
        server.push("committed", 1, audio=900)
        server.push("text", 1, text="And so my fellow Americans.", language="en", audio=900)
        assert until("input_audio_buffer.committed").item_id == item
        assert until("conversation.item.done").item.id == item
        completed = until(COMPLETED)
        assert completed.item_id == item
        assert completed.transcript == "And so my fellow Americans."
        assert completed.usage.seconds == 0.9
        assert seen == ["session.created", "session.updated", "input_audio_buffer.speech_started", DELTA, DELTA,
                        "input_audio_buffer.speech_stopped", "input_audio_buffer.committed",
                        "conversation.item.added", "conversation.item.done", DELTA, COMPLETED]

        server.send(commit_text="By hand.")
        realtime.input_audio_buffer.clear()
        until("input_audio_buffer.cleared")
        realtime.input_audio_buffer.commit(event_id="mine")
        assert until("error").error.event_id == "mine"
    # It said goodbye: nothing is kept for it.
    assert server.wait(lambda log: log["closed"])["forgotten"]


def test_the_openai_client_in_the_betas_spelling(server, openai):
    server.send(commit_text="By hand.")
    with openai.beta.realtime.connect(model="gpt-4o-realtime-preview") as realtime:
        created = BETA.validate_json(realtime.recv_bytes())
        assert (created.type, created.session.input_audio_format) == ("session.created", "pcm16")
        realtime.transcription_session.update(session={
            "input_audio_format": "g711_ulaw", "turn_detection": None,
            "input_audio_transcription": {"model": "whisper-1", "language": "de"}})
        updated = json.loads(realtime.recv_bytes())
        assert updated["type"] == "transcription_session.updated"
        assert updated["session"]["turn_detection"] is None
        realtime.input_audio_buffer.append(audio=base64.b64encode(b"\xff" * 8000).decode())
        realtime.input_audio_buffer.commit()
        events = [BETA.validate_json(realtime.recv_bytes()) for _ in range(4)]
        assert [event.type for event in events] == [
            "input_audio_buffer.committed", "conversation.item.created", DELTA, COMPLETED]
        assert events[3].transcript == "By hand."
        assert events[1].item.id == events[3].item_id
    log = server.log()
    assert log["samples"] == 16000  # 8 kHz to 16 kHz, and none is lost
    assert log["configured"] == [{"language": "de", "turns": False}]


def test_bad_events_are_answered_and_do_no_harm(server):
    with server.connect() as ws, server.connect() as other:
        receive(ws), receive(other)
        for message, code in (("{", "invalid_json"), ("[1]", "invalid_event"), ('{"type": 1}', "invalid_type"),
                              ('{"type": "response.create"}', "invalid_value"),
                              ('{"type": "input_audio_buffer.append", "audio": "A"}', "invalid_value")):
            ws.send(message)
            assert receive(ws)["error"]["code"] == code
        ws.send(bytes(4800))
        server.push("text", 1, text="still here")
        assert receive(ws, COMPLETED)["transcript"] == "still here"
        other.send(b"\0" * 4800)
        server.push("text", 1, session="session2", text="and here")
        assert receive(other, COMPLETED)["transcript"] == "and here"


def test_frames_that_are_wrong_close_the_connection(server):
    with server.connect() as ws:
        receive(ws)
        try:
            ws.send("A" * (21 << 20))
        except ConnectionClosed:
            pass
        assert closed(ws)[1] == 1009
    with server.connect() as ws:
        receive(ws)
        ws.protocol.send_text(b"\xff\xfe")
        ws.socket.sendall(b"".join(ws.protocol.data_to_send()))
        assert closed(ws)[1] == 1007
    for session in ("session1", "session2"):
        server.wait(lambda log: log["closed"], session)
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(b"GET /v1/realtime HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                    b"Connection: upgrade\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 12\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 4")


def test_a_large_append_is_taken_whole(server):
    with server.connect() as ws:
        receive(ws)
        send(ws, "input_audio_buffer.append", audio=audio(300))
        server.wait(lambda log: log["samples"] > 300 * 16000 - 200)


def test_subprotocols(server):
    with server.connect(subprotocols=["realtime", "openai-insecure-api-key.none"]) as ws:
        assert ws.subprotocol == "realtime"
        assert receive(ws)["session"]["type"] == "transcription"
    with server.connect(subprotocols=["realtime", "openai-beta.realtime-v1"]) as ws:
        assert receive(ws)["type"] == "transcription_session.created"


def test_a_client_that_does_not_read_is_closed_with_a_reason(server):
    with server.connect() as ws:
        receive(ws)
        server.push("trouble", error="x" * 1000, times=50_000)
        log = server.wait(lambda log: log["closed"])
        assert not log["forgotten"]
        events, code, reason = closed(ws)
        assert (code, reason) == (1008, "the client does not read")
        assert len(events) < 50_000


def test_a_service_that_does_not_keep_up_slows_the_client(server):
    server.send(refuse_samples="busy")
    with server.connect() as ws:
        receive(ws)
        send(ws, "session.update", session={"type": "transcription", "audio": {"input": {
            "format": {"type": "audio/pcm", "rate": 16000}}}})
        for _ in range(20):
            ws.send(bytes(2000))
        send(ws, "input_audio_buffer.clear")
        receive(ws, "session.updated")
        time.sleep(0.3)
        assert server.log()["clears"] == 0  # it is behind the audio
        server.send(refuse_samples=None)
        receive(ws, "input_audio_buffer.cleared")
        assert server.log()["samples"] == 20_000


@pytest.mark.parametrize("busy", [False, True])
def test_a_client_that_vanishes_leaves_nothing(server, busy):
    if busy:  # nothing more is read from it
        server.send(refuse_samples="busy")
    ws = server.connect()
    receive(ws)
    ws.send(bytes(48000))
    assert server.log()["streams"] == 1
    ws.socket.shutdown(socket.SHUT_RDWR)
    log = server.wait(lambda log: log["streams"] == 0)
    assert log["closed"] and not log["forgotten"]  # it may come back


def test_resume(server):
    ws = server.connect()
    session = receive(ws)["session"]["id"]
    server.push("text", 1, text="one")
    last = receive(ws, COMPLETED)["item_id"]
    server.wait(lambda log: log["acknowledged"] == [1])
    ws.socket.shutdown(socket.SHUT_RDWR)
    server.wait(lambda log: log["closed"])
    with server.connect(f"session={session}&last_item={last}") as ws:
        assert receive(ws)["session"]["id"] == session
        log = server.log()
        assert (log["resume"], log["have"]) == ("session1", 1)
        server.push("text", 1, text="one")
        server.push("text", 2, text="two")
        committed = receive(ws)
        assert (committed["type"], committed["previous_item_id"]) == ("input_audio_buffer.committed", last)
        assert receive(ws, COMPLETED)["transcript"] == "two"


@pytest.mark.parametrize("query, code, close", [
    ("session=sess_nobody", "session_not_found", 1008),
    ("session=7", "invalid_value", 1008),
    ("session=sess_session1&last_item=item_9", "invalid_value", 1008)])
def test_what_cannot_be_resumed_is_refused(server, query, code, close):
    with server.connect(query) as ws:
        events, closed_with, _ = closed(ws)
        assert [event["error"]["code"] for event in events] == [code]
        assert closed_with == close


def test_a_service_without_room_says_when_it_is_busy(server):
    server.send(refuse_streams="busy")
    with server.connect() as ws:
        events, code, _ = closed(ws)
        assert events[0]["error"]["type"] == "server_error"
        assert code == 1013


def test_the_end_of_the_server_is_a_farewell(server):
    with server.connect() as ws:
        receive(ws)
        server.process.stdin.close()
        assert closed(ws)[1:] == (1001, "closed by the server")
        server.process.wait(WITHIN)


def test_a_quiet_client_is_closed_and_may_resume():
    server = Server(quiet=4000, sweep=100)
    with server.connect() as speaks, server.connect() as quiet:
        receive(speaks, "session.created")
        session = receive(quiet, "session.created")["session"]["id"]

        def is_closed():
            speaks.send(bytes(4800))
            send(quiet, "session.update", session={"type": "transcription"})  # is no audio
            return server.log("session2")["closed"]
        wait_for(is_closed, "the end of the quiet session", WITHIN, every=0.1)
        _, code, reason = closed(quiet)
        assert code == 1001 and "no audio" in reason
        assert not server.log("session2")["forgotten"]
        send(speaks, "input_audio_buffer.clear")
        receive(speaks, "input_audio_buffer.cleared")
        with server.connect(f"session={session}") as again:
            assert receive(again, "session.created")["session"]["id"] == session
    server.stop()


def test_the_quietest_client_makes_room_when_all_places_are_taken():
    server = Server(most=3, spare=300)
    with server.connect() as first, server.connect() as second, server.connect() as third:
        for ws in (first, second, third):
            receive(ws, "session.created")
        time.sleep(0.4)
        second.send(bytes(4800))
        server.wait(lambda log: log["samples"] > 0, "session2")
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/livez", timeout=WITHIN) as answer:
            assert answer.read() == b"alive\n"
        _, code, reason = closed(first)
        assert code == 1001 and "place is wanted" in reason
        assert [server.log(f"session{n}")["closed"] for n in (1, 2, 3)] == [True, False, False]
    server.stop()


def test_a_drained_service_finishes_what_it_has_and_says_so(server):
    server.send(commit_text="the rest")
    with server.connect() as ws:
        receive(ws, "session.created")
        ws.send(bytes(48000))
        server.wait(lambda log: log["samples"] > 15000)
        server.send(drain=True)
        events, code, reason = closed(ws)
        codes = [event["error"]["code"] for event in events if event["type"] == "error"]
        assert codes == ["draining"]
        assert [event["transcript"] for event in events if event["type"] == COMPLETED] == ["the rest"]
        assert code == 1013 and "drained" in reason
    assert not server.log()["forgotten"]  # it may come back
    with server.connect() as ws:  # a service that takes it all the same: what it missed, and the end
        events, code, _ = closed(ws)
        assert [event["type"] for event in events] == ["session.created", "error"] and code == 1013
    server.send(drain=False)
    with server.connect() as ws:
        receive(ws, "session.created")
        ws.send(bytes(48000))
        server.wait(lambda log: log["samples"] > 15000, session="session3")
