"""Prints a Markdown table: encoders of the shapes of Canary, which are Parakeet's too, on two threads.

Weights are random and their texts end at once; what an encoder takes does not depend on either. Our worker and
the engine's own program (transcribe-cli, the same build) take turns; medians of the second run of a process.
Parakeet 0.6b has 24 of the 32 layers of 1b.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

BENCH, ENGINE, CANARIES = (os.environ[k] for k in ("BENCH", "HEADROOM_TEST_ENGINE", "CANARIES"))
ROOT = Path(__file__).parent.parent
SECONDS = (2, 4, 7, 11, 30)


def model(shape, weights):
    path = Path(CANARIES) / f"canary-{shape}-silent-{weights}.gguf"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        make = [sys.executable, ROOT / "tests/make_canary.py", f"{shape}-silent", weights, part]
        subprocess.run(make, check=True)
        part.rename(path)
    return path


def clip(seconds, folder):
    """The engine's sample, again and again."""
    with wave.open(f"{ENGINE}/samples/jfk.wav") as file:
        samples = file.readframes(file.getnframes())
    path = folder / f"{seconds}.wav"
    size = seconds * 16000 * 2
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes((samples * (size // len(samples) + 1))[:size])
    return path


def run(command):
    """What it printed, and the most that it had resident, in MiB."""
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read().decode()
    if child.returncode != 0:
        sys.exit(f"conformers: {command[0]}: {text}")
    return text, usage.ru_maxrss / 1024


def engines(path, audio):
    program = f"{ENGINE}/bin/transcribe-cli"
    text, peak = run([program, "-m", path, "--threads", "2", "--backend", "cpu", "-r", "2", "-l", "en", audio])
    return float(re.findall(r"encode=([\d.]+) ms", text)[-1]), peak


def ours(path, audio):
    encode, peak = run([BENCH, path, audio])[0].split()
    return float(encode), float(peak)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=5, help="runs of each (default 5)")
    parser.add_argument("shape", nargs="*", help="180m or 1b; default: both")
    args = parser.parse_args()
    print("| shape | audio | the engine's own | ours | ratio | memory, the engine's own | ours |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for shape in args.shape or ["180m", "1b"]:
            for weights in ("q8_0", "f16"):
                path = model(shape, weights)
                for seconds in SECONDS:
                    audio = clip(seconds, Path(folder))
                    turns = [(engines(path, audio), ours(path, audio)) for _ in range(args.n)]
                    before, after = (statistics.median(turn[who][0] for turn in turns) for who in (0, 1))
                    peaks = [max(turn[who][1] for turn in turns) for who in (0, 1)]
                    print(f"| {shape} {weights} | {seconds} s | {before:.0f} ms | {after:.0f} ms | {after / before:.2f} "
                          f"| {peaks[0]:.0f} MiB | {peaks[1]:.0f} MiB |", flush=True)


main()
