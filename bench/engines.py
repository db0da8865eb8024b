"""Seconds from handing over a recording to its text, with the model loaded.

Every program is one process that waits for recordings: `headroom daemon`, asked by HTTP (its decoder and
voice activity detection included), faster-whisper with its voice activity detection, and whisper.cpp
without any. They take turns on each recording (A B C A B C…); medians, the ratio of the medians to
faster-whisper int8, and the word errors of the first answer are printed.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.request
from pathlib import Path

import whisper_bin
from clips import clips, errors, joined, words

HEADROOM, ENGINE, WEIGHTS = (os.environ[k] for k in ("HEADROOM", "ENGINE", "WEIGHTS"))
BASE = "faster-whisper 1.2.1 int8"

FASTER_WHISPER = """
import sys
from faster_whisper import WhisperModel
model = WhisperModel(sys.argv[1], device="cpu", compute_type=sys.argv[2], cpu_threads=2)
print("ready", flush=True)
for line in sys.stdin:
    segments, _ = model.transcribe(line.strip(), language="en", beam_size=1, vad_filter=True)
    print(" ".join(s.text.strip() for s in segments), flush=True)
"""

WHISPER_CPP = """
import os, sys, wave
import numpy as np
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # it prints about its model
from pywhispercpp.model import Model
model = Model(sys.argv[1], n_threads=2, print_realtime=False, print_progress=False)
print("ready", file=answers, flush=True)
for line in sys.stdin:
    with wave.open(line.strip()) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768
    segments = model.transcribe(samples, language="en")
    print(" ".join(s.text.strip() for s in segments), file=answers, flush=True)
"""


class Lines:
    """A program that answers a line with a line."""

    def __init__(self, code, *args):
        # pywhispercpp puts the libraries that it compiled beside itself.
        self.process = subprocess.Popen([sys.executable, "-c", code, *args], text=True, bufsize=1,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL,
                                        env={**os.environ, "LD_LIBRARY_PATH": sysconfig.get_path("platlib")})
        if self.process.stdout.readline() != "ready\n":
            sys.exit("engines: a peer did not start")

    def ask(self, path):
        self.process.stdin.write(f"{path}\n")
        return self.process.stdout.readline()

    def stop(self):
        self.process.kill()
        self.process.wait()


class Service:
    def __init__(self, tier, folder):
        folder.mkdir()
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        settings = (f"models.tiers=['{tier}@cpu']", "shortcut.on=false", "output.targets=stdout",
                    f"control.socket={folder}/s", f"server.listen=127.0.0.1:{port}")
        (folder / "config.toml").write_text("")
        self.process = subprocess.Popen(
            [HEADROOM, "daemon", "--config", folder / "config.toml", "--state", folder / "state",
             *(a for s in settings for a in ("--set", s))],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while True:
            try:
                return urllib.request.urlopen(f"{self.url}/livez").close()
            except OSError:
                if self.process.poll() is not None:
                    sys.exit("engines: the service ended")
                time.sleep(0.05)

    def ask(self, path):
        fields = "".join(f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
                         for name, value in (("language", "en"), ("response_format", "text")))
        body = (fields + '--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
                ).encode() + Path(path).read_bytes() + b"\r\n--b--\r\n"
        request = urllib.request.Request(f"{self.url}/v1/audio/transcriptions", body,
                                         {"Content-Type": "multipart/form-data; boundary=b"})
        with urllib.request.urlopen(request) as answer:
            return answer.read().decode()

    def stop(self):
        self.process.terminate()
        self.process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=5, help="runs of each (default 5)")
    parser.add_argument("--model", action="append", help="default: whisper-tiny.en and whisper-base")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        some = {clip.name: clip for clip in clips(ENGINE)}
        recordings = [some["0880"], some["0870"], some["jfk"],
                      joined([*some.values(), *list(some.values())[:4]], 1, 0.7, folder / "long.wav")]
        for model in args.model or ["whisper-tiny.en", "whisper-base"]:
            compare(model, recordings, args.n, folder)


def compare(model, recordings, runs, folder):
    f16 = subprocess.run([HEADROOM, "models", "path", f"{model}:F16"], check=True, capture_output=True,
                         text=True).stdout.strip()
    binary = folder / f"{model}.bin"
    whisper_bin.main(f16, binary)
    programs = {BASE: Lines(FASTER_WHISPER, f"{WEIGHTS}/{model}", "int8"),
                "faster-whisper 1.2.1 float32": Lines(FASTER_WHISPER, f"{WEIGHTS}/{model}", "float32"),
                "whisper.cpp F16": Lines(WHISPER_CPP, str(binary))}
    for quant in ("F16", "Q8_0", "Q5_K_M"):
        programs[f"headroom {quant}"] = Service(f"{model}:{quant}", folder / f"{model}-{quant}")
    try:
        for clip in recordings:
            table(model, clip, programs, runs)
    finally:
        for program in programs.values():
            program.stop()


def table(model, clip, programs, runs):
    print(f"\n**{model}, {clip.seconds:.0f} s of audio**, {runs} runs in turn, 2 threads\n")
    print("| program | seconds (min–max) | to faster-whisper int8 | word errors |")
    print("|---|---|---|---|")
    seconds = {name: [] for name in programs}
    texts = {}
    for turn in range(runs + 1):  # the first turn loads, and is not counted
        for name, program in programs.items():
            begin = time.monotonic()
            text = program.ask(clip.path)
            took = time.monotonic() - begin
            if turn:
                seconds[name].append(took)
            texts.setdefault(name, text)
    base = statistics.median(seconds[BASE])
    for name, times in seconds.items():
        wrong = errors(words(clip.text), words(texts[name]))
        print(f"| {name} | {statistics.median(times):.2f} ({min(times):.2f}–{max(times):.2f}) "
              f"| {statistics.median(times) / base:.2f} | {wrong} of {len(words(clip.text))} |", flush=True)


main()
