#!/usr/bin/env python3
"""Made-up but physically sensible records with known answers, and how many the analyst finds.

corpus.py BIN            runs BIN/headroom-report on each record and prints the scores
corpus.py --write FOLDER writes the records
"""

import datetime
import json
import math
import os
import pathlib
import random
import subprocess
import sys
import tempfile

UTC = datetime.timezone.utc
ZERO = datetime.datetime(2026, 3, 2, 8, 0, 0, tzinfo=UTC)
HOUR = 3600
GPU_MIB = 8192  # MiB


class Record:
    """Files of one record, and what must be found in it."""

    def __init__(self, name, seed):
        self.name = name
        self.random = random.Random(seed)
        self.files = {}
        self.checks = []  # (kind, words, predicate on the JSON report)

    def noise(self, size):
        return self.random.gauss(0, size)

    def expect(self, kind, words, predicate):
        self.checks.append((kind, words, predicate))

    def stamp(self, seconds, log=False):
        when = ZERO + datetime.timedelta(seconds=seconds)
        return when.strftime("%b %d %H:%M:%S") if log else when.strftime("%Y-%m-%dT%H:%M:%SZ")

    def table(self, name, columns, length, step, row, skip=lambda s: False, shift=lambda s: 0):
        lines = ["time," + ",".join(columns)]
        second = 0
        while second <= length:
            if not skip(second):
                cells = ",".join(f"{value:.1f}" if isinstance(value, float) else str(value) for value in row(second))
                lines.append(f"{self.stamp(second + shift(second))},{cells}")
            second += step
        self.files[name] = "\n".join(lines) + "\n"

    def log(self, lines):
        text = []
        for second, source, message in sorted(lines, key=lambda line: line[0]):
            micros = int((ZERO.timestamp() + second) * 1e6)
            text.append(f"{micros // 10**6}.{micros % 10**6:06} desk {source}: {message}")
        self.files["log.txt"] = "\n".join(text) + "\n"

    def cause(self, wanted):
        self.expect("cause", f"first cause is {wanted}",
                    lambda r: bool(r["cause"]["hypotheses"]) and r["cause"]["hypotheses"][0]["id"] == wanted)

    def no_cause(self):
        self.expect("cause", "no failure, so no cause", lambda r: r["cause"]["onset"] is None)

    def status(self, wanted):
        self.expect("status", f"status is {wanted}", lambda r: r["status"] == wanted)

    def leaks(self, wanted):
        def leaking(report):
            return {leak["gauge"] for leak in report["leaks"] if leak["verdict"] == "leak"}
        self.expect("leak", f"leaks: {sorted(wanted) or 'none'}", lambda r: leaking(r) == set(wanted))

    def errors(self, count):
        self.expect("errors", f"{count} errors", lambda r: r["errors"]["count"] == count)


def oom(tried, free):
    return (f"torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate {tried:.2f} MiB. GPU 0 has a total "
            f"capacity of 8.00 GiB of which {free:.2f} MiB is free. Including non-PyTorch memory, this process has "
            f"7.00 GiB memory in use. Of the allocated memory 5.00 GiB is allocated by PyTorch")


def slow_leak():
    r = Record("slow leak", 1)
    r.table("ram.csv", ["rss_mb"], 24 * HOUR, 10, lambda s: [500 + 5.24288 * s / HOUR + r.noise(2)])
    r.leaks({"RAM"})
    r.no_cause()
    r.expect("leak", "5 MiB/h within a tenth", lambda x: abs(x["leaks"][0]["bytes_per_hour"] / 2**20 - 5) < 0.5)
    r.expect("phases", "one long phase", lambda x: max(p["seconds"] for p in x["phases"]) > 20 * HOUR)
    r.status("AT RISK")
    return r


def sawtooth():
    r = Record("sawtooth", 2)
    r.table("ram.csv", ["rss_mb"], 12 * HOUR, 10, lambda s: [400 + 300 * (s % 1800) / 1800 + r.noise(2)])
    r.leaks(set())
    r.no_cause()
    r.status("HEALTHY")
    return r


def leaking_sawtooth():
    r = Record("sawtooth that leaks", 3)
    r.table("ram.csv", ["rss_mb"], 24 * HOUR, 20,
            lambda s: [400 + 20 * s / HOUR + 100 * (s % 1800) / 1800 + r.noise(2)])
    r.leaks({"RAM"})
    r.expect("leak", "20 MB/h within a fifth", lambda x: abs(x["leaks"][0]["bytes_per_hour"] / 20e6 - 1) < 0.2)
    return r


def plateau():
    r = Record("plateau", 4)
    r.table("ram.csv", ["rss_mb"], 12 * HOUR, 10, lambda s: [300 + 200 * (1 - math.exp(-s / HOUR)) + r.noise(1)])
    r.leaks(set())
    r.no_cause()
    r.status("HEALTHY")
    return r


def fragmentation():
    r = Record("fragmentation", 5)
    r.table("gpu.csv", ["index", "memory.used [MiB]", "memory.total [MiB]"], 4 * HOUR, 5,
            lambda s: [0, 7300 if s < 3 * HOUR else 7890, GPU_MIB])
    r.log([(60, "python3[1]", "Loading model big-llm")] +
          [(3.5 * HOUR + i, "python3[1]", oom(512, 300)) for i in range(6)] + [(10, "kernel", "usb 1-1: new device")])
    r.errors(6)
    r.cause("memory-exhausted")
    r.leaks(set())
    r.status("INCIDENT")
    return r


def neighbour():
    r = Record("neighbour process", 6)
    game = lambda s: 3000 if s > 2 * HOUR else 0  # noqa: E731
    r.table("gpu.csv", ["index", "memory.used [MiB]", "memory.total [MiB]"], 3 * HOUR, 5,
            lambda s: [0, min(GPU_MIB - 10, 5000 + game(s)), GPU_MIB])
    r.files["apps.csv"] = "timestamp, pid, process_name, used_gpu_memory [MiB]\n" + "".join(
        f"{r.stamp(s)}, {pid}, {who}, {size} MiB\n" for s in range(0, 3 * HOUR, 10)
        for pid, who, size in ((1, "python3", 4980), (2, "game", game(s))) if size)
    r.log([(2 * HOUR + 120 + i, "python3[1]", oom(600, 170)) for i in range(8)] + [(10, "kernel", "usb 1-1: new device")])
    r.errors(8)
    r.cause("another-process")
    r.expect("breakdown", "the game is named at the peak", lambda x: any(
        "game" in p["owner"] for b in x["breakdowns"] for p in b["parts"]))
    return r


def driver_reset():
    r = Record("driver reset", 7)
    r.table("gpu.csv", ["index", "memory.used [MiB]", "memory.total [MiB]"], 2 * HOUR, 5,
            lambda s: [0, 4000 if s < HOUR else 0, GPU_MIB])
    r.log([(HOUR, "kernel", "NVRM: Xid (PCI:0000:01:00): 79, pid=1, GPU has fallen off the bus.")] +
          [(HOUR + 1 + i / 10, "app[1]", "CUDA error: unspecified launch failure") for i in range(50)])
    r.errors(50)
    r.cause("driver-reset")
    return r


def thermal():
    r = Record("thermal restart", 8)
    r.table("gpu.csv", ["index", "memory.used [MiB]", "memory.total [MiB]", "temperature.gpu"], 2 * HOUR, 5,
            lambda s: [0, 4000 if s < HOUR else 100, GPU_MIB, min(103, 60 + s // 90)])
    r.log([(HOUR - 5, "kernel", "thermal thermal_zone0: critical temperature reached (103 C)"),
           (HOUR - 1, "kernel", "amdgpu 0000:03:00.0: amdgpu: GPU reset begin!")] +
          [(HOUR + i, "app[1]", "vk::DeviceLostError: vkQueueSubmit: ErrorDeviceLost") for i in range(10)])
    r.errors(10)
    r.cause("driver-reset")
    return r


def log_gap():
    r = Record("log gap", 9)
    gone = lambda s: 5 * HOUR < s < 8 * HOUR  # noqa: E731
    r.table("ram.csv", ["rss_mb"], 12 * HOUR, 10, lambda s: [800 + r.noise(3)], skip=gone)
    r.leaks(set())
    r.no_cause()
    r.expect("time", "three hours are unknown", lambda x: abs(x["gauges"][0]["unknown_s"] - 3 * HOUR) <= 20)
    r.expect("time", "known and unknown make the whole",
             lambda x: abs(x["gauges"][0]["unknown_s"] + x["gauges"][0]["known_s"] - 12 * HOUR) < 1)
    return r


def clock_jump():
    r = Record("clock jump", 10)
    r.table("ram.csv", ["rss_mb"], 8 * HOUR, 10, lambda s: [800 + r.noise(3)], shift=lambda s: -HOUR if s > 4 * HOUR else 0)
    r.leaks(set())
    r.no_cause()
    r.expect("time", "one clock step", lambda x: x["sources"][0]["clock_steps"] == 1)
    r.status("HEALTHY")
    return r


def two_gpus():
    r = Record("two GPUs", 11)
    lines = ["timestamp, index, memory.used [MiB], memory.total [MiB]"]
    for s in range(0, 10 * HOUR, 10):
        lines.append(f"{r.stamp(s)}, 0, 2400 MiB, {GPU_MIB} MiB")
        lines.append(f"{r.stamp(s)}, 1, {1000 + 40 * s / HOUR + r.noise(2):.0f} MiB, {GPU_MIB} MiB")
    r.files["gpu.csv"] = "\n".join(lines) + "\n"
    r.leaks({"VRAM of GPU 1"})
    r.no_cause()
    r.expect("time", "both are followed", lambda x: [g["name"] for g in x["gauges"]] == ["VRAM of GPU 0", "VRAM of GPU 1"])
    return r


def no_gpu():
    r = Record("no GPU", 12)
    rises = lambda s: max(0, s - HOUR)  # noqa: E731
    r.table("host.csv", ["rss_mb", "swap_mb", "ram_available_mb", "psi_full"], HOUR + 300, 1,
            lambda s: [900 + min(5000, rises(s) * 30), float(min(1800, rises(s) * 10)), max(50, 5000 - rises(s) * 30),
                       float(min(80, rises(s)))])
    r.log([(HOUR + 200, "kernel", "Out of memory: Killed process 7 (python3) total-vm:9999kB, anon-rss:5900kB")])
    r.cause("host-memory")
    r.expect("errors", "no GPU is invented", lambda x: all(g["kind"] != "vram" for g in x["gauges"]))
    r.status("INCIDENT")
    return r


def healthy_week():
    r = Record("healthy week", 13)
    r.table("all.csv", ["memory.used [MiB]", "memory.total [MiB]", "rss_mb", "swap_mb"], 7 * 24 * HOUR, 60,
            lambda s: [4300 if s % (24 * HOUR) < 10 * HOUR else 200, GPU_MIB, 700 + 40 * math.sin(s / 5000) + r.noise(5), 0])
    r.leaks(set())
    r.no_cause()
    r.errors(0)
    r.status("HEALTHY")
    return r


def too_short():
    r = Record("too short", 14)
    r.table("ram.csv", ["rss_mb"], 300, 1, lambda s: [500 + s])
    r.leaks(set())
    r.expect("leak", "no verdict", lambda x: all(leak["verdict"] == "too short" for leak in x["leaks"]))
    r.status("TOO SHORT")
    return r


def suspended():
    r = Record("suspend", 15)
    asleep = lambda s: 2 * HOUR < s < 9 * HOUR  # noqa: E731
    r.table("gpu.csv", ["index", "memory.used [MiB]", "memory.total [MiB]"], 10 * HOUR, 5, lambda s: [0, 3000, GPU_MIB], skip=asleep)
    r.log([(2 * HOUR, "kernel", "PM: suspend entry (s2idle)"), (9 * HOUR, "kernel", "PM: suspend exit")] +
          [(9 * HOUR + 30 + i / 4, "app[1]", "CUDA error: unknown error") for i in range(40)])
    r.cause("suspend-resume")
    r.errors(40)
    r.expect("phases", "asleep for seven hours", lambda x: any(p["kind"] == "asleep" and p["seconds"] == 7 * HOUR for p in x["phases"]))
    return r


def leak_to_the_end():
    r = Record("VRAM leak to the end", 16)
    full = 5.5 * HOUR
    r.table("gpu.csv", ["index", "memory.used [MiB]", "memory.total [MiB]"], 6 * HOUR, 10,
            lambda s: [0, int(min(8100, 2000 + 6100 * s / full) + r.noise(3)), GPU_MIB])
    r.log([(full + i * 5, "app[1]", oom(64, 20)) for i in range(30)] + [(10, "kernel", "usb 1-1: new device")])
    r.cause("leak")
    r.expect("leak", "VRAM leaks", lambda x: any(leak["verdict"] == "leak" for leak in x["leaks"]))
    r.errors(30)
    return r


def leak_before_a_restart():
    r = Record("leak that a restart hid", 17)
    r.table("ram.csv", ["rss_mb"], 16 * HOUR, 10,
            lambda s: [400 + (60 * s / HOUR if s < 6 * HOUR else 0) + r.noise(2)])
    r.log([(6 * HOUR, "systemd[1]", "Stopped app.service - An app."), (6 * HOUR + 2, "systemd[1]", "Started app.service - An app.")])
    r.leaks({"RAM"})
    return r


def leak_into_the_wall():
    r = Record("leak until there is no room", 18)
    r.table("gpu.csv", ["index", "memory.used [MiB]", "memory.total [MiB]"], 16 * HOUR, 10,
            lambda s: [0, int(min(8000, 2000 + 1000 * s / HOUR) + r.noise(3)), GPU_MIB])
    r.leaks({"VRAM of GPU 0"})
    return r


RECORDS = [slow_leak, sawtooth, leaking_sawtooth, plateau, fragmentation, neighbour, driver_reset, thermal, log_gap,
           clock_jump, two_gpus, no_gpu, healthy_week, too_short, suspended, leak_to_the_end,
           leak_before_a_restart, leak_into_the_wall]


def find(program, record, folder):
    """The report in JSON."""
    folder = pathlib.Path(folder) / record.name.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    command = [str(program), "report", "--zone", "UTC", "--format", "json"]
    for name, text in record.files.items():
        (folder / name).write_text(text)
        command += ["--input", str(folder / name)]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=120,
                             env={**os.environ, "XDG_CONFIG_HOME": "/nonexistent"})
    if outcome.returncode != 0:
        raise RuntimeError(f"{record.name}: {outcome.stderr}")
    return json.loads(outcome.stdout)


def score(program, folder):
    """[(record, kind, words, found)] of all records."""
    results = []
    for make in RECORDS:
        record = make()
        report = find(program, record, folder)
        for kind, words, predicate in record.checks:
            results.append((record.name, kind, words, bool(predicate(report))))
    return results


def table(results):
    """Scores by kind of finding, as Markdown."""
    kinds = sorted({kind for _, kind, _, _ in results})
    lines = ["| finding | found | of |", "|---|---|---|"]
    for kind in kinds:
        own = [found for _, k, _, found in results if k == kind]
        lines.append(f"| {kind} | {sum(own)} | {len(own)} |")
    lines.append(f"| together | {sum(r[3] for r in results)} | {len(results)} |")
    return "\n".join(lines)


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--write":
        for make in RECORDS:
            record = make()
            folder = pathlib.Path(sys.argv[2]) / record.name.replace(" ", "-")
            folder.mkdir(parents=True, exist_ok=True)
            for name, text in record.files.items():
                (folder / name).write_text(text)
        return 0
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        results = score(pathlib.Path(sys.argv[1]) / "headroom-report", folder)
    print(table(results))
    for name, _, words, found in results:
        if not found:
            print(f"missed: {name}: {words}")
    return 0 if all(r[3] for r in results) else 1


if __name__ == "__main__":
    sys.exit(main())
