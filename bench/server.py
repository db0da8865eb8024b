"""Headroom's Wyoming server and wyoming-faster-whisper, asked by the same client for the same short recordings:
requests per second, latency from the last byte of audio to the text, and memory of all processes.

Each client sends its recordings one after the other, without pauses. The servers take turns (A B A B …), so that
a machine whose speed drifts is the same to both; what is shown is of all rounds together.
"""

import argparse
import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path

from wyoming.asr import Transcribe, Transcript
from wyoming.audio import wav_to_chunks
from wyoming.client import AsyncTcpClient

from clips import clips, errors, words
from peers import free_port

HEADROOM, ENGINE, WEIGHTS = (os.environ[k] for k in ("HEADROOM", "ENGINE", "WEIGHTS"))
PAIRS = [("whisper-tiny.en", "Q8_0", "int8"), ("whisper-tiny.en", "F16", "float32"),
         ("whisper-base", "Q8_0", "int8")]


def tree(pid):
    """Peak memory of a process and all below it, MiB; it also goes on when one ends meanwhile."""
    total = 0
    try:
        total = int(Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            total += tree(child)
        for task in Path(f"/proc/{pid}/task").iterdir():
            if task.name != str(pid):
                total += sum(tree(child) for child in (task / "children").read_text().split())
    except (OSError, IndexError):
        pass
    return total


class Results:
    def __init__(self):
        self.took, self.latencies, self.wrong, self.said = 0, [], 0, 0

    def add(self, took, latencies, wrong, said):
        self.took += took
        self.latencies = sorted(self.latencies + latencies)
        self.wrong += wrong
        self.said += said

    def rate(self):
        return len(self.latencies) / self.took

    def __str__(self):
        return (f"{self.rate():.2f} | {1000 * statistics.median(self.latencies):.0f} ms | "
                f"{1000 * self.latencies[int(0.95 * len(self.latencies))]:.0f} ms | {self.wrong} of {self.said}")


class Server:
    def __init__(self, name, port, command):
        self.name, self.port = name, port
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        self.peak, self.results = 0, {}
        end = time.monotonic() + 120
        while socket.socket().connect_ex(("127.0.0.1", port)) != 0:
            if self.process.poll() is not None or time.monotonic() > end:
                sys.exit(f"server: {name} does not answer")
            time.sleep(0.05)


def headroom(model, quantisation, folder):
    port = free_port()
    (folder / "config.toml").write_text("")
    settings = ("audio.source=none", "output.targets=file", f"output.file={folder}/text", "shortcut.on=false",
                f"control.socket={folder}/s", f"wyoming.listen=127.0.0.1:{port}", "server.listen=",
                f"models.tiers=['{model}:{quantisation}@cpu']")
    return Server(f"headroom, {quantisation}", port,
                  [HEADROOM, "daemon", "--config", folder / "config.toml", "--state", folder / "state",
                   *(word for setting in settings for word in ("--set", setting))])


def peer(model, compute, folder):
    port = free_port()
    return Server(f"wyoming-faster-whisper, {compute}", port,
                  [sys.executable, "-m", "wyoming_faster_whisper", "--uri", f"tcp://127.0.0.1:{port}", "--model",
                   f"{WEIGHTS}/{model}", "--data-dir", folder, "--language", "en", "--beam-size", "1",
                   "--compute-type", compute, "--cpu-threads", "2", "--stt-library", "faster-whisper",
                   "--local-files-only"])


async def ask(port, clip):
    """Text, and the seconds from the last byte of audio to it."""
    async with AsyncTcpClient("127.0.0.1", port) as client:
        await client.write_event(Transcribe(language="en").event())
        with wave.open(str(clip.path)) as audio:
            for chunk in wav_to_chunks(audio, samples_per_chunk=4096, start_event=True, stop_event=True):
                await client.write_event(chunk.event())
        sent = time.monotonic()
        while (event := await client.read_event()) is not None:
            if Transcript.is_type(event.type):
                return Transcript.from_event(event).text, time.monotonic() - sent
    raise RuntimeError("no text")


async def round_of(server, recordings, clients, each):
    latencies, wrong, said = [], 0, 0

    async def one(number):
        nonlocal wrong, said
        for i in range(each):
            clip = recordings[(number + i) % len(recordings)]
            text, took = await ask(server.port, clip)
            latencies.append(took)
            wrong += errors(words(clip.text), words(text))
            said += len(words(clip.text))

    begin = time.monotonic()
    await asyncio.gather(*(one(number) for number in range(clients)))
    server.results.setdefault(clients, Results()).add(time.monotonic() - begin, latencies, wrong, said)
    server.peak = max(server.peak, tree(server.process.pid))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", "--rounds", type=int, default=3)
    parser.add_argument("-r", "--requests", type=int, default=12, help="of all clients in a round, at least 2 each")
    parser.add_argument("-c", "--clients", type=int, nargs="*", default=[1, 4, 16])
    parser.add_argument("-m", "--models", nargs="*", default=[f"{m}:{q}" for m, q, _ in PAIRS])
    args = parser.parse_args()
    recordings = clips(ENGINE)
    print("| model | server | clients | requests/s | p50 | p95 | word errors | peak memory |\n|" + "---|" * 8)
    for model, quantisation, compute in PAIRS:
        if f"{model}:{quantisation}" not in args.models:
            continue
        with tempfile.TemporaryDirectory() as folder:
            servers = [headroom(model, quantisation, Path(folder)), peer(model, compute, Path(folder))]
            try:
                for server in servers:  # loads the model
                    asyncio.run(ask(server.port, recordings[-1]))
                for clients in args.clients:
                    each = max(2, args.requests // clients)
                    for _ in range(args.rounds):
                        for server in servers:
                            asyncio.run(round_of(server, recordings, clients, each))
                for clients in args.clients:
                    for server in servers:
                        print(f"| {model} | {server.name} | {clients} | {server.results[clients]} | "
                              f"{server.peak:.0f} MiB |")
                    ours, theirs = (server.results[clients].rate() for server in servers)
                    print(f"| | ratio | {clients} | {ours / theirs:.2f} | | | | |", flush=True)
            finally:
                for server in servers:
                    server.process.terminate()
                for server in servers:
                    server.process.wait()


main()
