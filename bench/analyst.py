#!/usr/bin/env python3
"""What the analyst and the recorder cost.

analyst.py FOLDER [--journal-mb N]   FOLDER has headroom-report; data is made beside it and deleted
"""

import argparse
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import time

MONTH = 30 * 24 * 3600


def run(command):
    """Seconds, and the largest resident set in MB, of one command."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, "TZ": "UTC"})
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command} ended with {process.returncode}")
    return time.monotonic() - began, usage.ru_maxrss / 1000, usage.ru_utime + usage.ru_stime


def month(path):
    """A card and a service at 1 Hz for 30 days: nightly peaks, noise, a slow leak."""
    with path.open("w") as out:
        out.write("epoch,memory.used [MiB],memory.total [MiB],rss_mb\n")
        for s in range(MONTH):
            used = 3740 if s % 86400 < 3600 else 2100
            out.write(f"{1767225600 + s},{used},4096,{700 + s / MONTH * 40 + 8 * math.sin(s / 300):.1f}\n")


def journal(path, size):
    """A journal in JSON of about `size` bytes, one line in 50 an error."""
    lines = []
    for i in range(5000):
        message = "CUDA error: unspecified launch failure" if i % 50 == 0 else f"GET /v1/models {i} 200 in {i % 37} ms"
        lines.append(f'{{"__CURSOR":"s=%09d{i:04}","__REALTIME_TIMESTAMP":"%d","__MONOTONIC_TIMESTAMP":"%d",'
                     f'"_BOOT_ID":"0123456789abcdef0123456789abcdef","PRIORITY":"6","_UID":"1000","_GID":"1000",'
                     f'"_SYSTEMD_UNIT":"server.service","SYSLOG_IDENTIFIER":"server","_PID":"4711",'
                     f'"_TRANSPORT":"stdout","_HOSTNAME":"desk","MESSAGE":"{message}"}}\n')
    written, block = 0, 0
    with path.open("w") as out:
        while written < size:
            at = 1767225600000000 + block * 5000 * 1000
            text = "".join(line % (block, at + i * 1000, 5000000 + (block * 5000 + i) * 1000) for i, line in enumerate(lines))
            out.write(text)
            written += len(text)
            block += 1
    return written


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--journal-mb", type=int, default=1000)
    options = parser.parse_args()
    program = options.folder / "headroom-report"
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        folder = pathlib.Path(folder)
        table, logs = folder / "month.csv", folder / "journal.json"
        month(table)
        size = journal(logs, options.journal_mb * 10**6)
        for path in (table, logs):  # from the page cache, not from the disk
            subprocess.run(["cat", path], stdout=subprocess.DEVNULL, check=True)
        print("| what | seconds (best of 3) | CPU seconds | MB at most | |\n|---|---|---|---|---|")
        for name, path, form, bytes_read in (("30 days at 1 Hz, CSV to HTML", table, "html", table.stat().st_size),
                                             (f"journal JSON, {size / 1e6:.0f} MB, to JSON", logs, "json", size)):
            runs = [run([program, "report", "-i", path, "-f", form]) for _ in range(3)]
            seconds, most, cpu = min(runs)
            print(f"| {name} | {seconds:.2f} | {cpu:.2f} | {most:.0f} | {bytes_read / seconds / 1e6:.0f} MB/s |", flush=True)


if __name__ == "__main__":
    main()
