"""The realtime WebSocket of a real daemon, which hears real speech."""

import json
import socket
import time
import wave

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from live_daemon import CLIPS, alike, free_port, start, words  # noqa: F401
from waiting import wait_for

RATE = 16000
PIECE = RATE // 10 * 2  # bytes of 100 ms
SILENCE = bytes(RATE * 2 * 3 // 2)
COMPLETED = "conversation.item.input_audio_transcription.completed"
DELTA = "conversation.item.input_audio_transcription.delta"
COMMITTED = "input_audio_buffer.committed"
WITHIN = 120


def pcm(path):
    with wave.open(str(path)) as clip:
        assert clip.getframerate() == RATE and clip.getnchannels() == 1
        return clip.readframes(clip.getnframes())


class Client:
    """A connection, and everything that it received."""

    def __init__(self, port, query="", turns={"type": "server_vad"}):
        wait_for(lambda: self._connects(port, query), "a connection", 60)
        self.events = []
        self.session = self.until("session.created")["session"]["id"]
        self.ws.send(json.dumps({"type": "session.update", "session": {"type": "transcription", "audio": {"input": {
            "format": {"type": "audio/pcm", "rate": RATE}, "turn_detection": turns}}}}))
        self.until("session.updated")

    def _connects(self, port, query):
        try:
            self.ws = connect(f"ws://127.0.0.1:{port}/v1/realtime?intent=transcription{query}")
            return True
        except OSError:
            return False

    def take(self, timeout):
        """The next event; None when there was none in that time, or no connection any more."""
        try:
            event = json.loads(self.ws.recv(timeout=timeout))
        except (TimeoutError, ConnectionClosed):
            return None
        assert event["type"] != "error", event
        self.events.append(event)
        return event

    def until(self, kind):
        while event := self.take(WITHIN):
            if event["type"] == kind:
                return event
        raise AssertionError(f"no {kind}: {[e['type'] for e in self.events]}")

    def say(self, sound, pause=0.0):
        """Sends it in pieces of 100 ms, `pause` seconds apart."""
        for at in range(0, len(sound), PIECE):
            self.ws.send(sound[at:at + PIECE])
            while pause and self.take(0):
                pass
            time.sleep(pause)

    def of(self, kind):
        return [event for event in self.events if event["type"] == kind]

    def drop(self):
        self.ws.socket.shutdown(socket.SHUT_RDWR)
        while self.take(1):
            pass


def served(start, port, folder="d"):
    return start("server.listen=127.0.0.1:%d" % port, folder=folder)


TRANSCRIBED = {}


def transcribed(headroom, path):
    if path not in TRANSCRIBED:
        outcome = headroom("transcribe", "--model", "whisper-tiny.en:F16", path)
        assert outcome.code == 0, outcome.err
        TRANSCRIBED[path] = " ".join(outcome.out.split())
    return TRANSCRIBED[path]


def test_text_comes_during_speech_and_is_that_of_transcribe(headroom, start):
    port = free_port()
    served(start, port)
    client = Client(port, turns=None)
    client.say(pcm(headroom.jfk), pause=0.1)
    early = client.of(DELTA)
    assert early, "no delta before the end of speech"
    client.ws.send(json.dumps({"type": "input_audio_buffer.commit"}))
    completed = client.until(COMPLETED)
    assert {event["item_id"] for event in client.of(DELTA)} == {completed["item_id"]}
    # Committed words stay, even where the whole sentence is recognised differently.
    assert alike(completed["transcript"], transcribed(headroom, headroom.jfk)) > 0.9
    spoken = words("".join(event["delta"] for event in early))
    assert spoken == words(completed["transcript"])[:len(spoken)]

    client.say(pcm(CLIPS[1]))
    client.ws.send(json.dumps({"type": "input_audio_buffer.commit"}))
    assert client.until(COMPLETED)["transcript"].strip() == transcribed(headroom, CLIPS[1])


def ended(*clients):
    """Item and text of what was completed, in order, over several connections of a session."""
    return [(event["item_id"], event["transcript"]) for client in clients for event in client.of(COMPLETED)]


def finish(client):
    """Until everything that was committed has its text."""
    client.ws.send(SILENCE)
    quiet = time.monotonic()
    while time.monotonic() - quiet < 3 or not (
            {e["item_id"] for e in client.of(COMMITTED)} <= {e["item_id"] for e in client.of(COMPLETED)}):
        assert time.monotonic() - quiet < WITHIN
        if client.take(0.2):
            quiet = time.monotonic()


def check(texts, headroom, clips):
    items = [item for item, _ in texts]
    assert len(set(items)) == len(items), texts
    assert items == sorted(items, key=lambda item: int(item.rsplit("_")[-1]))
    assert alike(" ".join(text for _, text in texts),
                 " ".join(transcribed(headroom, clip) for clip in clips)) > 0.9, texts


def test_a_dropped_connection_is_resumed(headroom, start):
    port = free_port()
    served(start, port)
    first = Client(port)
    first.say(pcm(CLIPS[0]) + SILENCE)
    first.until(COMPLETED)
    first.say(pcm(CLIPS[1]) + SILENCE)
    first.until(COMMITTED)
    first.drop()
    last = ended(first)[-1][0]
    second = Client(port, f"&session={first.session}&last_item={last}")
    assert second.session == first.session
    second.say(pcm(CLIPS[2]) + SILENCE)
    finish(second)
    check(ended(first, second), headroom, CLIPS)


def test_a_killed_daemon_gives_each_item_once(headroom, start):
    port = free_port()
    daemon = served(start, port)
    first = Client(port)
    first.say(pcm(CLIPS[0]) + SILENCE)
    first.until(COMPLETED)
    first.say(pcm(CLIPS[1]) + SILENCE)
    first.until(COMMITTED)
    daemon.kill()
    while first.take(1):
        pass
    last = ended(first)[-1][0]
    served(start, port)
    second = Client(port, f"&session={first.session}&last_item={last}")
    assert second.session == first.session
    second.say(pcm(CLIPS[2]) + SILENCE)
    finish(second)
    check(ended(first, second), headroom, CLIPS)
