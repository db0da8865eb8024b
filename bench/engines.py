"""Seconds from handing over a recording to its text, with the model loaded.

Every program is one process that waits for recordings: `headroom daemon`, asked by HTTP (its decoder and
voice activity detection included), faster-whisper with its voice activity detection, and whisper.cpp
without any. They take turns on each recording (A B C A B C…); medians, the ratio of the medians to
faster-whisper int8, and the word errors of the first answer are printed.
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import whisper_bin
from clips import clips, errors, joined, words
from peers import FASTER_WHISPER, WHISPER_CPP, Lines, Service

HEADROOM, ENGINE, WEIGHTS = (os.environ[k] for k in ("HEADROOM", "ENGINE", "WEIGHTS"))
BASE = "faster-whisper 1.2.1 int8"


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
        programs[f"headroom {quant}"] = Service(HEADROOM, f"{model}:{quant}", folder / f"{model}-{quant}")
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
