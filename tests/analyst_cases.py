#!/usr/bin/env python3
"""How often the analyst is right on records that other people post.

analyst_cases.py BIN           runs BIN/headroom-report on every case and prints the score by kind
analyst_cases.py BIN CASE      prints what one case misses

A case is a folder of analyst_cases/: the inputs, and expect.json with
  kind           for the table
  args           further arguments
  cause          ids of which the first cause must be one; "" stands for no cause
  errors, kills  counts
  status         one of these
  leak           whether any gauge may be (true: must be) called a leak
  peaks          MiB that a gauge must reach, within `within` (default 0.005)
  peaks_not      MiB that no gauge may have as its peak
  limits_above   bytes: no advised MemoryHigh or MemoryMax may be below
  text, not      regular expressions that the Markdown report must and must not contain
  refused        a regular expression that the refusal must contain
  any            a list of such objects, of which one must hold
lines.tsv and times.tsv hold one line each with its class, and its time.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

FOLDER = pathlib.Path(__file__).parent / "analyst_cases"
MIB = 1 << 20
CASES = sorted(path.parent.name for path in FOLDER.glob("*/expect.json"))


def run(program, inputs, args=(), form="json"):
    command = [str(program), "report", "-f", form, *args]
    for path in inputs:
        command += ["-i", str(path)]
    env = {**os.environ, "TZ": "UTC", "LC_ALL": "C.UTF-8"}
    return subprocess.run(command, env=env, capture_output=True, text=True, errors="replace", timeout=120)


class Outcome:
    """What the program made of one case."""

    def __init__(self, program, name):
        folder = FOLDER / name
        self.expect = json.loads((folder / "expect.json").read_text())
        self.inputs = sorted(path for path in folder.iterdir() if path.name != "expect.json")
        for path in self.inputs:
            os.utime(path, (1798761600, 1798761600))  # the reference for times without a year: 2027-01-01
        done = run(program, self.inputs, self.expect.get("args", []))
        self.error = done.stderr
        self.report = json.loads(done.stdout) if done.returncode in (0, 9) and done.stdout else None
        self.text = run(program, self.inputs, self.expect.get("args", []), "md").stdout if self.report else ""

    def cause(self):
        if not self.report:
            return "-"
        hypotheses = self.report["cause"]["hypotheses"]
        return hypotheses[0]["id"] if hypotheses and hypotheses[0]["share"] > 0 else ""

    def verdict(self):
        """"right", "silent" or "wrong": the first cause alone."""
        wanted = self.expect.get("cause")
        if wanted is None:
            return "right" if not self.missed(self.expect) else "silent"
        got = self.cause()
        if got in wanted:
            return "right"
        return "silent" if got in ("", "-") else "wrong"

    def missed(self, expect):
        if "refused" in expect:
            if self.report:
                return ["should be refused"]
            return [] if re.search(expect["refused"], self.error) else [f"the refusal lacks {expect['refused']}"]
        if not self.report:
            if "any" not in expect:
                return [f"no report: {self.error.strip()[:160]}"]
        out = []
        report = self.report

        def check(good, words):
            if not good:
                out.append(words)

        if report:
            peaks = [gauge["peak"] / MIB for gauge in report["gauges"]]
            within = expect.get("within", 0.005)
            if "cause" in expect:
                check(self.cause() in expect["cause"], f"first cause is {self.cause() or 'none'}, not {expect['cause']}")
            if "cause_not" in expect:
                check(self.cause() not in expect["cause_not"], f"first cause is {self.cause()}")
            if "errors" in expect:
                check(report["errors"]["count"] == expect["errors"],
                      f"{report['errors']['count']} errors, not {expect['errors']}")
            if "kills" in expect:
                check(report.get("kills", 0) == expect["kills"], f"{report.get('kills')} kills, not {expect['kills']}")
            if "status" in expect:
                check(report["status"] in expect["status"], f"status is {report['status']}")
            if "leak" in expect:
                leaks = [leak["gauge"] for leak in report["leaks"] if leak["verdict"] == "leak"]
                check(bool(leaks) == expect["leak"], f"leaks: {leaks}")
            for gauge in expect.get("leak_not", []):
                check(not any(leak["verdict"] == "leak" and leak["gauge"] == gauge for leak in report["leaks"]),
                      f"{gauge} is called a leak")
            for wanted in expect.get("peaks", []):
                check(any(abs(peak - wanted) <= max(0.6, within * wanted) for peak in peaks),
                      f"no gauge reaches {wanted} MiB: {[round(peak, 1) for peak in peaks]}")
            for wanted in expect.get("peaks_not", []):
                check(not any(abs(peak - wanted) <= 0.6 for peak in peaks), f"a gauge has {wanted} MiB")
            if "limits_above" in expect:
                lines = [line for item in report["recommendations"] for line in item["lines"]]
                limits = [float(m[1]) * MIB for m in (re.match(r"Memory(?:High|Max)=(\d+)M", line) for line in lines) if m]
                check(all(limit >= expect["limits_above"] for limit in limits), f"advises {limits}")
            if "bad" in expect:
                check(sum(source["bad"] for source in report["sources"]) == expect["bad"], "bad lines")
            if "kernel" in expect:
                check(any(source["kernel"] for source in report["sources"]) == expect["kernel"], "kernel lines")
            for pattern in expect.get("text", []):
                check(re.search(pattern, self.text), f"does not say {pattern}")
            for pattern in expect.get("not", []):
                check(not re.search(pattern, self.text), f"says {pattern}")
            if expect.get("not_parts_over"):
                over = [part for part in report["breakdowns"] if part["unaccounted"] < 0]
                check(not over, "parts are more than the whole")
        if "any" in expect:
            choices = [self.missed(choice) for choice in expect["any"]]
            check(any(not choice for choice in choices), f"none of {choices}")
        return out


CLASSES = {"hw": "hardware", "shm": "shared_memory", "heap": "heap"}


def line_class(report):
    """The class in which the report puts the only line of a log."""
    if not report:
        return "none"
    types = report["errors"]["types"]
    if report.get("kills"):
        return "kill"
    events = {event["kind"] for event in report.get("events", [])}
    for kind in ("suspend", "resume", "hot"):
        if kind in events:
            return kind
    if types:
        return types[0]["family"]
    for event in report.get("events", []):
        if event["kind"] == "reset":
            return event["family"]
    return "sample" if report["gauges"] or any(s["samples"] for s in report["sources"]) else "none"


def lines(program):
    """(right, all, what is wrong) of lines.tsv."""
    right, wrong, rows = 0, [], []
    for row in (FOLDER / "lines.tsv").read_text().splitlines():
        if row and not row.startswith("#"):
            rows.append(row.split("\t", 2))
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "journal.txt"
        for who, wanted, text in rows:
            path.write_text(f"2026-11-20T10:00:05Z host {who}: {text}\n")
            done = run(program, [path])
            got = line_class(json.loads(done.stdout) if done.stdout else None)
            if got == CLASSES.get(wanted, wanted):
                right += 1
            else:
                wrong.append(f"{wanted} but {got}: {text[:120]}")
    return right, len(rows), wrong


def times(program):
    """(right, all, what is wrong) of times.tsv."""
    right, wrong, rows = 0, [], []
    for row in (FOLDER / "times.tsv").read_text().splitlines():
        if row and not row.startswith("#"):
            rows.append(row.split("\t", 2))
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "log.txt"
        for form, wanted, text in rows:
            path.write_text(json.loads(text) + "\n", newline="")
            os.utime(path, (1795200000, 1795200000))  # 2026-11-20 18:40 UTC
            done = run(program, [path])
            report = json.loads(done.stdout) if done.stdout else None
            count = report["errors"]["count"] if report else 0
            at = report["errors"]["types"][0]["first"] if count else None
            if count == 1 and (wanted == "-" or at == wanted):
                right += 1
            else:
                wrong.append(f"{form}: {count} errors at {at}, wanted {wanted}")
    return right, len(rows), wrong


def main():
    program = pathlib.Path(sys.argv[1]) / "headroom-report"
    if len(sys.argv) > 2:
        for name in sys.argv[2:]:
            outcome = Outcome(program, name)
            print(name, outcome.cause(), *outcome.missed(outcome.expect), sep="\n  ")
        return
    table = {}
    for name in CASES:
        outcome = Outcome(program, name)
        missed = outcome.missed(outcome.expect)
        row = table.setdefault(outcome.expect["kind"], {"cases": 0, "whole": 0, "right": 0, "silent": 0, "wrong": 0})
        row["cases"] += 1
        row["whole"] += not missed
        row[outcome.verdict()] += 1
        if missed:
            print(f"{name}: {'; '.join(missed)}")
    print("\nkind    cases  cause right  silent  wrong  all facts")
    for kind, row in [*sorted(table.items()), ("sum", {k: sum(r[k] for r in table.values()) for k in row})]:
        print(f"{kind:7} {row['cases']:5} {row['right']:12} {row['silent']:7} {row['wrong']:6} {row['whole']:10}")
    for title, (right, count, wrong) in (("lines", lines(program)), ("times", times(program))):
        print(f"\n{title}: {right} of {count}", *wrong, sep="\n  ")


if __name__ == "__main__":
    main()
