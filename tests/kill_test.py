"""SIGKILL for the worker and for the daemon, at moments of no choosing: whatever was acknowledged has its text,
once and in order. The scripted engine says how many samples it was given, and no two utterances are equally long.
"""

import asyncio
import json
import os
import random
import re
import signal
import threading
import time
import wave
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

import load
from live_daemon import free_port, start  # noqa: F401 (a fixture)
from waiting import wait_for

PIECE = load.RATE // 10
SLOW = 60  # ms that a run takes
SEEDS = int(os.environ.get("HEADROOM_KILL_SEEDS", "1"))
WITHIN = 60


@pytest.fixture
def serve(headroom, start, tmp_path):  # noqa: F811
    """A daemon whose worker takes SLOW for a run; the same port and the same state when it is begun again."""
    port = free_port()
    script = tmp_path / f"m slow={SLOW} "
    script.mkdir()
    (script / "models").symlink_to(headroom.models)
    env = {**load.fake_engine(tmp_path), "HEADROOM_MODELS": str(script / "models")}

    def begin():
        daemon = start(f"server.listen=127.0.0.1:{port}", "audio.source=none", env=env)
        daemon.port = port
        return daemon

    return begin


def worker_of(daemon):
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rsplit(")", 1)[1].split()[1]) == daemon.process.pid and \
                    b"headroom-worker" in (stat.parent / "cmdline").read_bytes():
                return int(stat.parent.name)
        except OSError:
            pass  # it went meanwhile
    return None


# ---- the worker ----


def killing(daemon, dice, times):
    """Kills the worker so often, whatever it is doing. Each time its tier rests for ten seconds."""
    for _ in range(times):
        time.sleep(dice.uniform(0.3, 1))
        os.kill(wait_for(lambda: worker_of(daemon), "a worker"), signal.SIGKILL)


async def asked(port, body, end):
    """The answers to recordings. While nothing can be decoded they are refused, and asked for again."""
    answers = []
    request = load.post(f"Content-Length: {len(body)}") + body
    while time.monotonic() < end:
        status, answer = await asyncio.wait_for(load.exchange(port, request), WITHIN)
        if status == 503 and b"not_ready" in answer:
            await asyncio.sleep(0.2)
        else:
            answers.append((status, answer))
    return answers


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_killed_worker_takes_no_text_along(headroom, serve, seed):
    daemon = serve()
    with wave.open(str(headroom.jfk)) as recording:
        clip = recording.readframes(recording.getnframes())
    body = load.form(load.wav.header(len(clip)) + clip)
    tally = load.Tally()

    async def everybody():
        end = time.monotonic() + 13
        return await asyncio.gather(
            asyncio.to_thread(killing, daemon, random.Random(seed), 2),
            *(asked(daemon.port, body, end) for _ in range(3)),
            *(load.speak(daemon.port, number, end, tally) for number in range(6)))

    _, *answers = asyncio.run(everybody())
    answers = [answer for one in answers[:3] for answer in one]
    print(len(answers), tally)
    assert not tally.wrong
    assert {status for status, _ in answers} == {200} and len({text for _, text in answers}) == 1, answers


# ---- the daemon ----


class Speaker:
    """One session over several connections."""

    def __init__(self, port, dice):
        self.port, self.dice = port, dice
        self.session, self.spoken = None, []  # samples of each utterance that was said to its end
        self.committed, self.texts = set(), []  # item ids; (item id, samples that were heard)

    def connect(self):
        query = "intent=transcription"
        if self.session:
            query += f"&session={self.session}"
            if self.texts:
                query += f"&last_item={self.texts[-1][0]}"
        self.ws = connect(f"ws://127.0.0.1:{self.port}/v1/realtime?{query}", open_timeout=WITHIN)
        self.ws.send(json.dumps({"type": "session.update", "session": {"type": "transcription", "audio": {"input": {
            "format": {"type": "audio/pcm", "rate": load.RATE}, "turn_detection": None}}}}))

    def take(self, timeout):
        event = json.loads(self.ws.recv(timeout=timeout))
        assert event["type"] != "error" and not event["type"].endswith("failed"), event
        if event["type"] == "session.created":
            assert self.session in (None, event["session"]["id"])
            self.session = event["session"]["id"]
        elif event["type"] == "input_audio_buffer.committed":
            self.committed.add(event["item_id"])
        elif event["type"].endswith("transcription.completed"):
            heard = re.match(r"(\d+) samples in ", event["transcript"])
            self.texts.append((event["item_id"], int(heard[1]) if heard else 0))

    def take_all(self):
        try:
            while True:
                self.take(0)
        except TimeoutError:
            pass

    def say(self):
        """One utterance, faster than anybody speaks."""
        samples = 2000 + 320 * len(self.spoken) + 7
        self.spoken.append(samples)
        for at in range(0, samples, PIECE):
            self.ws.send(load.NOISE[:2 * min(PIECE, samples - at)])
            time.sleep(self.dice.choice((0, 0, 0.005)))
            self.take_all()
        self.ws.send(json.dumps({"type": "input_audio_buffer.commit"}))
        self.take_all()

    def until_gone(self):
        try:
            while True:
                self.say()
        except ConnectionClosed:
            pass
        try:  # what had come before
            while True:
                self.take(0)
        except (ConnectionClosed, TimeoutError):
            pass


@pytest.mark.parametrize("seed", range(4 * SEEDS))
def test_a_killed_daemon_takes_nothing_along_that_was_acknowledged(serve, seed):
    dice = random.Random(seed)
    daemon = serve()
    speaker = Speaker(daemon.port, dice)
    kills = 3
    for _ in range(kills):
        speaker.connect()
        while speaker.session is None:
            speaker.take(WITHIN)
        deadly = threading.Timer(dice.uniform(0.02, 0.8), daemon.kill)
        deadly.start()
        speaker.until_gone()
        deadly.join()
        daemon = serve()
    speaker.connect()
    last = []
    for _ in range(5):
        speaker.say()
        last.append(speaker.spoken[-1])
    end = time.monotonic() + WITHIN
    while last[-1] not in [heard for _, heard in speaker.texts]:
        speaker.take(max(0, end - time.monotonic()))
    speaker.ws.close()

    items = [item for item, _ in speaker.texts]
    numbers = [int(item.rsplit("_")[-1]) for item in items]
    assert numbers == sorted(set(numbers)), "in order, each once"
    assert speaker.committed <= set(items), "whatever was acknowledged has its text"
    whole = [heard for _, heard in speaker.texts if heard in speaker.spoken]
    assert whole == sorted(set(whole)), "no audio is heard twice"
    assert whole[-5:] == last
    assert len(items) - len(whole) <= kills, "only what was open when the daemon died is in pieces"
    print(len(speaker.committed), len(whole), len(items))
    wait_for(lambda: not os.listdir(daemon.state / "sessions"), "the session forgotten")
    daemon.stop()
