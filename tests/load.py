"""Clients of a daemon's servers: good ones, whose every text is checked, and neighbours who mean no good.

All run in one asyncio loop, so that the load itself takes little of the machine. The daemon's engine is the
scripted one (`headroom-worker-fake`), whose text says how many samples it was given: each utterance of a client
has a length of its own, so a text that is lost, doubled, swapped or another client's is noticed.
"""

import asyncio
import base64
import contextlib
import json
import os
import random
import socket
import struct
import time
from pathlib import Path

from websockets.asyncio.client import connect

import wav

RATE = 16000
STEP = 0.1  # s of audio in a message
WITHIN = 60  # s for a text; only reached when something is broken
NOISE = random.Random(1).randbytes(2 * RATE)


def fake_engine(folder):
    """The environment in which a daemon takes the scripted engine for the one on the CPU."""
    programs = folder / "libexec"
    programs.mkdir(exist_ok=True)
    built = Path(os.environ["HEADROOM_TEST_BIN"])
    (programs / "headroom-worker-cpu").symlink_to(built / "headroom-worker-fake")
    return {"HEADROOM_LIBEXEC": str(programs)}


class Footprint:
    """What a process holds now."""

    def __init__(self, pid, state):
        status = Path(f"/proc/{pid}/status").read_text()
        self.rss, self.anonymous = (int(status.split(f"{f}:")[1].split()[0]) / 1024 for f in ("VmRSS", "RssAnon"))
        self.threads = int(status.split("Threads:")[1].split()[0])
        self.files = len(os.listdir(f"/proc/{pid}/fd"))
        self.sessions = len(os.listdir(state / "sessions"))

    def most(self, other):
        for name, value in vars(other).items():
            setattr(self, name, max(getattr(self, name), value))

    def __str__(self):
        return (f"{self.anonymous:.1f} MiB anonymous ({self.rss:.1f} MiB RSS), {self.files} files, "
                f"{self.threads} threads, {self.sessions} sessions")


class Tally:
    """What happened to the good clients."""

    def __init__(self):
        self.latencies = {"realtime": [], "recording": [], "livez": []}
        self.wrong, self.sessions = [], []

    def took(self, kind, since):
        self.latencies[kind].append(time.monotonic() - since)

    def percentile(self, kind, share):
        values = sorted(self.latencies[kind])
        return 1000 * values[min(len(values) - 1, int(share * len(values)))]

    def __str__(self):
        return "\n".join(f"{kind}: {len(times)} answers, p50 {self.percentile(kind, 0.5):.0f} ms, "
                         f"p95 {self.percentile(kind, 0.95):.0f} ms, longest {self.percentile(kind, 1):.0f} ms"
                         for kind, times in self.latencies.items() if times)


def expected(samples):
    return f"{samples} samples in "


async def speak(port, number, end, tally):
    """A realtime client that speaks at the speed of speech, and commits utterances of 1 to 3 s."""
    await asyncio.sleep(0.03 * number)
    sent, got, items = [], [], set()

    async def listen(ws):
        async for message in ws:
            event = json.loads(message)
            if event["type"] == "error" or event["type"].endswith("failed"):
                tally.wrong.append(f"client {number}: {event['error']['message']}")
            if event["type"] == "session.created":
                tally.sessions.append(event["session"]["id"].removeprefix("sess_"))
            if not event["type"].endswith("transcription.completed"):
                continue
            samples, when = sent[len(got)] if len(got) < len(sent) else (0, time.monotonic())
            got.append(event["transcript"])
            if not event["transcript"].startswith(expected(samples)) or event["item_id"] in items:
                tally.wrong.append(f"client {number}: {event['transcript']!r} instead of {samples} samples")
            items.add(event["item_id"])
            tally.took("realtime", when)

    try:
        async with connect(f"ws://127.0.0.1:{port}/v1/realtime?intent=transcription", open_timeout=WITHIN) as ws:
            listening = asyncio.create_task(listen(ws))
            await ws.send(json.dumps({"type": "session.update", "session": {"type": "transcription", "audio": {
                "input": {"format": {"type": "audio/pcm", "rate": RATE}, "turn_detection": None}}}}))
            begin = time.monotonic() + random.random()
            spoken = 0
            while time.monotonic() < end:
                samples = random.randrange(RATE, 3 * RATE)
                for at in range(0, samples, int(RATE * STEP)):
                    piece = min(int(RATE * STEP), samples - at)
                    spoken += piece
                    await asyncio.sleep(max(0, begin + spoken / RATE - time.monotonic()))
                    await ws.send(NOISE[:2 * piece])
                sent.append((samples, time.monotonic()))
                await ws.send(json.dumps({"type": "input_audio_buffer.commit"}))
            waited = time.monotonic()
            while len(got) < len(sent) and time.monotonic() - waited < WITHIN:
                await asyncio.sleep(0.05)
            listening.cancel()
    except Exception as error:  # noqa: BLE001 (whatever it is, this client was let down)
        tally.wrong.append(f"client {number}: {error!r}")
    if len(got) != len(sent):
        tally.wrong.append(f"client {number}: {len(got)} texts of {len(sent)}")


# ---- HTTP by hand: no library of a client would let the neighbours be what they are ----

BOUNDARY = "0123456789abcdef"


def form(body):
    return (f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"response_format\"\r\n\r\ntext\r\n"
            f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n"
            ).encode() + body + f"\r\n--{BOUNDARY}--\r\n".encode()


def post(length):
    return (f"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\n{length}\r\n"
            f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n").encode()


async def exchange(port, request):
    """One request on a connection of its own: status and body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        return int(head.split()[1]), await reader.readexactly(length)
    finally:
        writer.close()


async def ask(port, speech, end, tally):
    """A good client of the other kind: a recording, and then whether the service lives, again and again."""
    body = form(wav.header(len(speech)) + speech)
    while time.monotonic() < end:
        for kind, request, text in (("recording", post(f"Content-Length: {len(body)}") + body, b" samples in "),
                                    ("livez", b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", b"alive\n")):
            since = time.monotonic()
            try:
                status, answer = await asyncio.wait_for(exchange(port, request), WITHIN)
            except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError) as error:
                tally.wrong.append(f"{kind}: {error!r} after {time.monotonic() - since:.1f} s")
                continue
            tally.took(kind, since)
            if status != 200 or text not in answer:
                tally.wrong.append(f"{kind}: {status} {answer[:200]!r}")
        await asyncio.sleep(0.2)


# ---- the neighbours; each does its worst once, and is begun again ----


@contextlib.asynccontextmanager
async def line(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def drip(writer, data, pause):
    for byte in data:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(pause)


UPGRADE = (b"GET /v1/realtime?intent=transcription HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
           b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
           + base64.b64encode(b"0123456789abcdef") + b"\r\n\r\n")


async def socket_of(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 16)
    writer.write(UPGRADE)
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


def frame(first, payload, length=None, mask=b"\1\2\3\4"):
    """A frame; `length` when it lies about it, `mask` b"" when it has none."""
    length = len(payload) if length is None else length
    bit = 0x80 if mask else 0
    head = bytes([first, bit | length]) if length < 126 else (
        bytes([first, bit | 126]) + struct.pack(">H", length) if length < 65536 else
        bytes([first, bit | 127]) + struct.pack(">Q", length))
    if mask:
        payload = bytes(b ^ mask[i % 4] for i, b in enumerate(payload))
    return head + mask + payload


async def half_open(port):
    """Connections that say nothing, half a request, half an upload or half a frame, and stay."""
    halves = [b"", b"GET /livez HT", post("Content-Length: 100000") + b"--012", UPGRADE[:60],
              UPGRADE + frame(0x82, b"x" * 20, 5000), b"\x16\x03\x01\x02\x00"]
    async with contextlib.AsyncExitStack() as open_now:
        for half in halves * 5:
            _, writer = await open_now.enter_async_context(line(port))
            writer.write(half)
        await asyncio.sleep(5)


async def slow_headers(port):
    async def one():
        async with line(port) as (_, writer):
            await drip(writer, b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 200, 0.25)

    await asyncio.gather(*(one() for _ in range(20)), return_exceptions=True)


async def slow_bodies(port):
    """More of them than uploads there may be at once."""
    async def one():
        async with line(port) as (_, writer):
            writer.write(post("Content-Length: 1000000"))
            await drip(writer, form(b"a" * 1000)[:-50], 0.25)

    await asyncio.gather(*(one() for _ in range(20)), return_exceptions=True)


async def slow_readers(port):
    """Ask for a lot, and never read."""
    async def one():
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(s, ("127.0.0.1", port))
            await loop.sock_sendall(s, UPGRADE)
            update = json.dumps({"type": "session.update", "event_id": "x" * 500, "session": {"type": "x" * 400}}).encode()
            while True:
                await asyncio.wait_for(loop.sock_sendall(s, frame(0x81, update) * 20), 10)

    await asyncio.gather(*(one() for _ in range(2)), return_exceptions=True)


async def pages_unread(port):
    async with line(port) as (_, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 40)
        await asyncio.sleep(3)


async def bad_frames(port):
    dice = random.Random()
    for bad in (dice.randbytes(400), frame(0x81, b"{}", mask=b""), frame(0xf2, b"{}"), frame(0x83, b"{}"),
                frame(0x89, b"x" * 200), frame(0x82, b"", 1 << 62), frame(0x82, b"", (1 << 64) - 1),
                frame(0x82, b"", 21 << 20), frame(0x80, b"and so on"), frame(0x01, b"{") + frame(0x01, b"}"),
                frame(0x81, b"\xff\xfe"), frame(0x88, b"\x01"), frame(0x88, struct.pack(">H", 5)),
                frame(0x81, b"[" * 60000), frame(0x81, b'{"type": 7}'), frame(0x81, b"")):
        reader, writer = await socket_of(port)
        try:
            writer.write(bad)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(reader.read(), 0.3)
        finally:
            writer.transport.abort()


async def bad_requests(port):
    dice = random.Random()
    for bad in (dice.randbytes(1000), b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 40000 + b"\r\n\r\n",
                b"BREW /pot HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
                post("Content-Length: -1"), post("Content-Length: 99999999999999999999"),
                post("Transfer-Encoding: chunked") + b"fffffffffffffffff\r\n", b"\0" * 500,
                post("Content-Length: 300") + dice.randbytes(300)):
        async with line(port) as (reader, writer):
            writer.write(bad)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(reader.read(), 0.3)


def huge_uploads(size):
    """One that says how large it is, which is refused unread, and one that does not, which is received up to
    the limit; as fast as they are taken."""
    async def once(port):
        with contextlib.suppress(ConnectionError):
            async with line(port) as (reader, writer):
                writer.write(post(f"Content-Length: {size * 2}"))
                assert b" 413 " in await reader.readline()
        zeros = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
        begin = form(b"").rsplit(b"\r\n--", 1)[0]
        with contextlib.suppress(ConnectionError):
            async with line(port) as (reader, writer):
                writer.write(post("Transfer-Encoding: chunked") + b"%x\r\n" % len(begin) + begin + b"\r\n")
                for _ in range(size >> 20):
                    writer.write(zeros)
                    await writer.drain()
        await asyncio.sleep(2)

    once.__name__ = "huge_uploads"
    return once


async def connects(port, count=2500):
    """One after the other, and then two hundred at once."""
    loop = asyncio.get_running_loop()
    for n in range(count):
        with socket.socket() as s:
            s.setblocking(False)
            await loop.sock_connect(s, ("127.0.0.1", port))
        if n % 50 == 0:
            await asyncio.sleep(0)
    async with contextlib.AsyncExitStack() as open_now:
        for opening in [line(port) for _ in range(200)]:
            await open_now.enter_async_context(opening)
        await asyncio.sleep(1)


async def wyoming_garbage(port):
    for bad in (b"", b"\n" * 100, b"{" * 100000, b'{"type": "audio-chunk", "payload_length": 99999999999}\n',
                b'{"type": "describe", "data_length": -1}\n', random.randbytes(5000), b'{"type": "audio-st'):
        async with line(port) as (reader, writer):
            writer.write(bad)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(reader.read(), 0.3)


async def again_and_again(neighbour, port, end, done):
    while time.monotonic() < end:
        with contextlib.suppress(OSError, asyncio.TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(max(0, end - time.monotonic())):
                await neighbour(port)
        done[neighbour.__name__] = done.get(neighbour.__name__, 0) + 1
        await asyncio.sleep(0.01)
