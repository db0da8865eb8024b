#!/usr/bin/env python3
"""The raw logs of the incident, from the facts of the report that was written by hand.

generate.py FOLDER [--suspend] [--per-process]

journal.json  the service's and the kernel's journal, as journalctl -o json writes it
gpu.csv       nvidia-smi --query-gpu, every 5 s
memory.csv    the service's RAM and swap, every 5 s

The service starts at 20:20:00 UTC on 30 October 2025 and loads canary-1b-flash a minute later; at
07:14:57 kernels begin to fail with error 719, 4,759 times in 4 min 4 s. The report's "GB" of the card
are thousands of MiB: 3740 of 4096 MiB. With --suspend the machine sleeps from 06:30:00 to 07:14:40.
"""

import argparse
import datetime
import json
import pathlib

UTC = datetime.timezone.utc
START = datetime.datetime(2025, 10, 30, 20, 20, 0, tzinfo=UTC)
EVENT = datetime.datetime(2025, 10, 31, 7, 14, 57, tzinfo=UTC)
EVENT_END = datetime.datetime(2025, 10, 31, 7, 19, 1, tzinfo=UTC)
END = datetime.datetime(2025, 10, 31, 7, 30, 0, tzinfo=UTC)
SLEEP = datetime.datetime(2025, 10, 31, 6, 30, 0, tzinfo=UTC)
WAKE = datetime.datetime(2025, 10, 31, 7, 14, 40, tzinfo=UTC)
LOAD_S, READY_S = 60, 84
ERRORS = 4759
FIRST_SECONDS = (52, 40, 44, 64)  # the first four: about 200


def error_times():
    """4,759 moments: four seconds as reported, then clusters of four seconds in every ten."""
    times = []
    for second, count in enumerate(FIRST_SECONDS):
        times += [second + i / count for i in range(count)]
    left = ERRORS - len(times) - 1
    seconds = [s for s in range(10, 244) if (s - 10) % 10 < 4]
    for index, second in enumerate(seconds):
        count = left * (index + 1) // len(seconds) - left * index // len(seconds)
        times += [second + i / count for i in range(count)]
    return times + [244.0]  # the last of them


class Journal:
    def __init__(self, path, suspend):
        self.out = path.open("w")
        self.number = 0
        self.suspend = suspend

    def entry(self, at, message, unit="swictation.service", identifier="python3", **more):
        real = int(at.timestamp() * 1e6)
        boot = START - datetime.timedelta(hours=2)
        slept = WAKE - SLEEP if self.suspend and at >= WAKE else datetime.timedelta(0)
        mono = int((at - boot - slept).total_seconds() * 1e6)
        self.number += 1
        fields = {
            "__CURSOR": f"s=0a;i={self.number:x};b=1b;m={mono:x};t={real:x};x=0",
            "__REALTIME_TIMESTAMP": str(real),
            "__MONOTONIC_TIMESTAMP": str(mono),
            "_BOOT_ID": "1b9d2f6ab44c4be8a2f1f0d5f4f0a3c1",
            "_HOSTNAME": "desk",
            "PRIORITY": "6",
            "SYSLOG_IDENTIFIER": identifier,
            "MESSAGE": message,
        }
        if unit:
            fields["_SYSTEMD_UNIT"] = unit
        fields.update(more)
        self.out.write(json.dumps(fields) + "\n")

    def kernel(self, at, message):
        self.entry(at, message, unit=None, identifier="kernel", _TRANSPORT="kernel")

    def systemd(self, at, message):
        self.entry(at, message, unit="init.scope", identifier="systemd", UNIT="swictation.service")


def write_journal(path, suspend):
    lines = []  # (time, kind, text)
    at = lambda s: START + datetime.timedelta(seconds=s)  # noqa: E731
    lines.append((START, "systemd", "Started swictation.service - Voice dictation."))
    lines.append((at(LOAD_S), "unit", "Loading model nvidia/canary-1b-flash"))
    lines.append((at(READY_S), "unit", "Model loaded: nvidia/canary-1b-flash, 3600.1 MiB of VRAM"))
    lines.append((at(READY_S + 2), "unit", "Silero VAD ready (2.2 MB)"))
    for minute in range(5, 660, 10):
        when = START + datetime.timedelta(minutes=minute)
        if suspend and SLEEP <= when < WAKE:
            continue
        lines.append((when, "unit", "GPU memory allocated: 3600.1 MiB"))
    for hour in range(11):
        when = START + datetime.timedelta(hours=hour, minutes=17)
        if suspend and SLEEP <= when < WAKE:
            continue
        lines.append((when, "kernel", f"audit: type=1400 audit({hour}): apparmor=\"STATUS\""))
    if suspend:
        lines.append((SLEEP, "kernel", "PM: suspend entry (deep)"))
        lines.append((WAKE, "kernel", "PM: suspend exit"))
    lines.append((EVENT - datetime.timedelta(milliseconds=200), "unit", "VAD: speech detected"))
    for second in error_times():
        when = EVENT + datetime.timedelta(microseconds=round(second * 1e6))
        lines.append((when, "unit", "RuntimeError: CUDA error: unspecified launch failure"))
    journal = Journal(path, suspend)
    for when, kind, text in sorted(lines, key=lambda line: line[0]):
        {"unit": journal.entry, "kernel": journal.kernel, "systemd": journal.systemd}[kind](when, text)


def ramp(seconds, points):
    """Straight lines between (second, value) points."""
    for (x0, y0), (x1, y1) in zip(points, points[1:]):
        if seconds < x1:
            return y0 if seconds < x0 or x1 == x0 else y0 + (y1 - y0) * (seconds - x0) / (x1 - x0)
    return points[-1][1]


def write_samples(folder, suspend, per_process):
    event = (EVENT - START).total_seconds()
    ram = [(0, 200), (LOAD_S, 200), (READY_S, 789.7), (event, 789.7), (event + 103, 6000.0),
           (event + 213, 6000.0), (event + 273, 999.8)]
    swap = [(0, 0), (event, 0), (event + 113, 1300.0), (event + 223, 1300.0), (event + 283, 614.0)]
    vram = [(0, 4), (LOAD_S, 4), (READY_S, 3740)]
    with (folder / "gpu.csv").open("w") as gpu, (folder / "memory.csv").open("w") as memory:
        gpu.write("timestamp, index, memory.used [MiB], memory.total [MiB]\n")
        memory.write("time,rss_mb,swap_mb,host_total_mb\n")
        apps = (folder / "apps.csv").open("w") if per_process else None
        if apps:
            apps.write("timestamp, pid, process_name, used_gpu_memory [MiB]\n")
        second = 0
        while START + datetime.timedelta(seconds=second) <= END:
            when = START + datetime.timedelta(seconds=second)
            if not (suspend and SLEEP <= when < WAKE):
                used = round(ramp(second, vram))
                gpu.write(f"{when:%Y/%m/%d %H:%M:%S}.000, 0, {used} MiB, 4096 MiB\n")
                memory.write(f"{when:%Y-%m-%dT%H:%M:%SZ},{ramp(second, ram):.1f},"
                             f"{ramp(second, swap):.1f},31000\n")
                if apps and second % 60 == 0:
                    apps.write(f"{when:%Y/%m/%d %H:%M:%S}.000, 4711, python3, {max(0, used - 4)} MiB\n")
            second += 5


def generate(folder, suspend=False, per_process=False):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_journal(folder / "journal.json", suspend)
    write_samples(folder, suspend, per_process)
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--suspend", action="store_true")
    parser.add_argument("--per-process", action="store_true")
    arguments = parser.parse_args()
    generate(arguments.folder, arguments.suspend, arguments.per_process)
