"""Seconds from starting the command to its end (model load included) and peak RSS of each process.

The programs take turns on each recording (A B C A B C…), so that a machine whose speed drifts is the
same to all of them; medians and the ratio of the medians to faster-whisper are printed.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from clips import clips, joined

HEADROOM, ENGINE, WEIGHTS = (os.environ[k] for k in ("HEADROOM", "ENGINE", "WEIGHTS"))

PEER = """
import sys
from faster_whisper import WhisperModel
model = WhisperModel(sys.argv[1], device="cpu", compute_type=sys.argv[2], cpu_threads=2)
segments, _ = model.transcribe(sys.argv[3], language="en", beam_size=1, vad_filter=True)
print(" ".join(s.text for s in segments))
"""


def children(pid):
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def peak(pid):
    """(name, VmHWM in MiB) of a process, or None when it has gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        name = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()
        return Path(name).name, int(status.split("VmHWM:")[1].split()[0]) / 1024
    except (OSError, IndexError, ValueError):
        return None


def measure(command):
    begin = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peaks = {}
    while process.poll() is None:
        for pid in [process.pid, *children(process.pid)]:
            seen = peak(pid)
            if seen and seen[0] and seen[1]:  # one that ends has no name any more
                peaks[seen[0]] = max(seen[1], peaks.get(seen[0], 0))
        time.sleep(0.01)
    seconds = time.monotonic() - begin
    if process.returncode:
        sys.exit(f"speed: {' '.join(command)} exited with {process.returncode}")
    return seconds, peaks


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=5, help="runs of each (default 5)")
    parser.add_argument("--model", action="append", help="default: whisper-tiny.en and whisper-base")
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        some = clips(ENGINE)
        short = next(c for c in some if c.name == "jfk")
        long = joined(some, repeat=3, pause=0.7, out=Path(folder) / "long.wav")
        for model in args.model or ["whisper-tiny.en", "whisper-base"]:
            gguf = {q: subprocess.run([HEADROOM, "models", "path", f"{model}:{q}"], check=True,
                                      capture_output=True, text=True).stdout.strip()
                    for q in ("F16", "Q8_0")}
            programs = {}
            for compute in ("int8", "float32"):
                programs[f"faster-whisper 1.2.1 {compute}"] = lambda clip, c=compute: [
                    sys.executable, "-c", PEER, f"{WEIGHTS}/{model}", c, str(clip.path)]
            for quant, path in gguf.items():
                programs[f"transcribe.cpp CLI {quant}"] = lambda clip, p=path: [
                    f"{ENGINE}/bin/transcribe-cli", "-m", p, "--threads", "2", str(clip.path)]
                programs[f"headroom {quant}"] = lambda clip, p=path: [
                    HEADROOM, "transcribe", "-m", p, "-l", "en", "-t", "2", str(clip.path)]
            for clip in (short, long):
                table(model, clip, programs, args.n)


def table(model, clip, programs, runs):
    print(f"\n**{model}, {clip.seconds:.0f} s of audio**, {runs} runs in turn, 2 threads\n")
    print("| program | seconds (min–max) | audio/time | to faster-whisper int8 | peak RSS |")
    print("|---|---|---|---|---|")
    seconds = {name: [] for name in programs}
    peaks = {name: {} for name in programs}
    for turn in range(runs + 1):  # the first turn warms the page cache and is not counted
        for name, command in programs.items():
            took, seen = measure(command(clip))
            if turn:
                seconds[name].append(took)
            for process, mib in seen.items():
                peaks[name][process] = max(mib, peaks[name].get(process, 0))
    base = statistics.median(seconds["faster-whisper 1.2.1 int8"])
    for name, times in seconds.items():
        middle = statistics.median(times)
        memory = ", ".join(f"{p} {m:.0f} MiB" for p, m in peaks[name].items())
        print(f"| {name} | {middle:.2f} ({min(times):.2f}–{max(times):.2f}) | {clip.seconds / middle:.1f} "
              f"| {middle / base:.2f} | {memory} |", flush=True)


main()
