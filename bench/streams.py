"""Clients of the realtime socket, each playing the sentences at the speed they were spoken, with a second of
silence between two: texts, latency from the noticed end of speech to the text, certain text before that, and
the daemon's memory before, during and after.

While somebody speaks: how long after the begin of speech its first words come, and how far behind the speech the
words of each delta are, as if those of an item had been spoken at an even pace.

Word errors are those of all clients together; each says the same sentences, begun at different moments.
"""

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path

import websockets

from clips import clips, errors, words
from peers import free_port

HEADROOM, ENGINE = os.environ["HEADROOM"], os.environ["ENGINE"]
RATE, STEP = 16000, 0.1


def memory(pid):
    """RSS and anonymous memory, MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return [int(status.split(f"{field}:")[1].split()[0]) / 1024 for field in ("VmRSS", "RssAnon")]


def sound(recordings):
    pcm = bytes(RATE)
    for one in recordings:
        with wave.open(str(one.path)) as f:
            pcm += f.readframes(f.getnframes()) + bytes(2 * RATE)
    return pcm + bytes(2 * RATE)


class Client:
    def __init__(self, number, pcm):
        self.number, self.pcm = number, pcm
        self.texts, self.stopped, self.latencies = [], {}, []
        self.early, self.committed, self.troubles = set(), set(), []
        self.began = 0  # when the first sample was spoken
        self.starts, self.ends = {}, {}  # of items, in seconds of the audio
        self.deltas = {}  # of items: (when it came, words so far), while somebody spoke
        self.first, self.behind = [], []

    def take(self, event):
        kind, item = event["type"], event.get("item_id")
        if kind == "input_audio_buffer.speech_started":
            self.starts[item] = event["audio_start_ms"] / 1000
        elif kind == "input_audio_buffer.speech_stopped":
            self.stopped[item] = time.monotonic()
            self.ends[item] = event["audio_end_ms"] / 1000
        elif kind == "input_audio_buffer.committed":
            self.committed.add(item)
        elif kind.endswith("transcription.delta"):
            if item not in self.stopped:
                self.early.add(item)
                said = self.deltas.setdefault(item, [])
                said.append((time.monotonic(), (said[-1][1] if said else 0) + len(words(event["delta"]))))
        elif kind.endswith("transcription.completed"):
            self.texts.append(event["transcript"])
            if item in self.stopped:
                self.latencies.append(time.monotonic() - self.stopped[item])
            self.judge(item, len(words(event["transcript"])))
        elif kind == "error" or kind.endswith("transcription.failed"):
            self.troubles.append(event["error"]["message"])

    def judge(self, item, count):
        start, end = self.starts.get(item), self.ends.get(item)
        if item not in self.deltas or start is None or end is None or count == 0:
            return
        self.first.append(self.deltas[item][0][0] - self.began - start)
        for came, known in self.deltas[item]:
            self.behind.append(came - self.began - (start + (end - start) * min(known, count) / count))

    async def run(self, url, patience):
        await asyncio.sleep(0.37 * self.number)
        async with websockets.connect(url, max_size=None) as ws:
            await ws.send(json.dumps({"type": "session.update", "session": {
                "type": "transcription",
                "audio": {"input": {"format": {"type": "audio/pcm", "rate": RATE},
                                    "turn_detection": {"type": "server_vad", "silence_duration_ms": 800}}}}}))
            listening = asyncio.create_task(self.listen(ws))
            size = int(RATE * STEP) * 2
            self.began = time.monotonic()
            for count, at in enumerate(range(0, len(self.pcm), size)):  # a piece once it has been spoken
                await asyncio.sleep(max(0, self.began + (count + 1) * STEP - time.monotonic()))
                await ws.send(self.pcm[at:at + size])
            end = time.monotonic() + patience
            while time.monotonic() < end and len(self.texts) + len(self.troubles) < len(self.committed):
                await asyncio.sleep(0.1)
            listening.cancel()

    async def listen(self, ws):
        async for message in ws:
            self.take(json.loads(message))


async def play(clients, url, pid, patience):
    peak = memory(pid)

    async def watch():
        while True:
            await asyncio.sleep(0.25)
            peak[:] = map(max, peak, memory(pid))

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(client.run(url, patience) for client in clients))
    watching.cancel()
    return peak


def spread(values):
    if not values:
        return "none | none"
    values = sorted(values)
    return f"{1000 * statistics.median(values):.0f} ms | {1000 * values[int(0.95 * len(values))]:.0f} ms"


def show(args, tier, clients, recordings, before, peak, after):
    committed = sum(len(c.committed) for c in clients)
    wrong = sum(errors(words(" ".join(r.text for r in recordings)), words(" ".join(c.texts))) for c in clients)
    said = len(clients) * sum(len(words(r.text)) for r in recordings)
    print(f"| clients | tier | items | texts | troubles | with text before the end | p50 | p95 | word errors | "
          f"memory a client | left after |\n|{'---|' * 11}")
    print(f"| {args.clients} | {tier} | {committed} | {sum(len(c.texts) for c in clients)} | "
          f"{sum(len(c.troubles) for c in clients)} | {sum(len(c.early) for c in clients)} | "
          f"{spread([x for c in clients for x in c.latencies])} | {wrong} of {said} | "
          f"{(peak[1] - before[1]) / len(clients):.1f} MiB | {after[1] - before[1]:.1f} MiB |")
    print(f"\n| while speaking | deltas | p50 | p95 |\n|{'---|' * 4}")
    print(f"| first words after the begin of speech | | {spread([x for c in clients for x in c.first])} |")
    print(f"| words behind the speech | {sum(len(c.behind) for c in clients)} | "
          f"{spread([x for c in clients for x in c.behind])} |")
    for trouble in sorted({t for c in clients for t in c.troubles}):
        print(f"trouble: {trouble}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-c", "--clients", type=int, default=4)
    parser.add_argument("-m", "--model", default="whisper-tiny.en:Q8_0")
    parser.add_argument("--patience", type=float, default=60, help="seconds for the last texts")
    args = parser.parse_args()
    recordings = clips(ENGINE)
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        (Path(folder) / "config.toml").write_text("")
        daemon = subprocess.Popen(
            [HEADROOM, "daemon", "--config", f"{folder}/config.toml", "--state", f"{folder}/state"]
            + [word for setting in ("audio.source=none", "output.targets=file", f"output.file={folder}/text",
                                    f"control.socket={folder}/s", f"server.listen=127.0.0.1:{port}",
                                    f"models.tiers=['{args.model}@cpu']", "shortcut.on=false")
               for word in ("--set", setting)],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            end = time.monotonic() + 60
            while socket.socket().connect_ex(("127.0.0.1", port)) != 0:
                if daemon.poll() is not None or time.monotonic() > end:
                    sys.exit("streams: the daemon ended")
                time.sleep(0.05)
            time.sleep(2)
            url = f"ws://127.0.0.1:{port}/v1/realtime?intent=transcription"
            first = [Client(0, sound(recordings[-1:]))]  # loads the model
            asyncio.run(play(first, url, daemon.pid, args.patience))
            time.sleep(2)
            before = memory(daemon.pid)
            clients = [Client(i, sound(recordings)) for i in range(args.clients)]
            peak = asyncio.run(play(clients, url, daemon.pid, args.patience))
            time.sleep(3)
            show(args, args.model, clients, recordings, before, peak, memory(daemon.pid))
        finally:
            daemon.terminate()
            daemon.wait()


main()
