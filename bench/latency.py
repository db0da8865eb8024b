"""Latency, processor time and memory of `headroom daemon` while known sentences are played to it at the
speed they were spoken; all utterances count.

faster-whisper is given the same recording, cut by its own Silero VAD with the same rule (0.5, 800 ms of
silence). It decodes when an utterance has ended, as the servers around it do, so its time from the
endpoint is its decoding time, and from the last word that and the 800 ms.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import wave
from pathlib import Path

from clips import clips, errors, joined, words

HEADROOM, ENGINE, WEIGHTS = (os.environ[k] for k in ("HEADROOM", "ENGINE", "WEIGHTS"))
SILENCE_MS = 800
TICK = os.sysconf("SC_CLK_TCK")


class Daemon:
    def __init__(self, folder, *settings):
        self.socket = Path(folder) / "s"
        self.events = []
        config = Path(folder) / "config.toml"
        config.write_text("")
        args = [HEADROOM, "daemon", "--config", config, "--state", Path(folder) / "state"]
        for setting in ("speech.mode=hands_free", "speech.language=en", f"speech.silence={SILENCE_MS}ms",
                        "shortcut.on=false", "output.targets=file", f"output.file={folder}/text",
                        f"control.socket={self.socket}", *settings):
            args += ["--set", setting]
        self.process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while True:
            try:
                self.stream = socket.socket(socket.AF_UNIX)
                self.stream.connect(str(self.socket))
                break
            except OSError:
                if self.process.poll() is not None:
                    sys.exit("latency: the daemon ended")
                time.sleep(0.005)
        self.stream.sendall(b"GET /v1/events?only=speech,text,source HTTP/1.1\r\nHost: headroom\r\n\r\n")
        threading.Thread(target=self.follow, daemon=True).start()

    def follow(self):
        name = None
        for line in self.stream.makefile("rb"):
            if line.startswith(b"event: "):
                name = line[7:].strip().decode()
            elif line.startswith(b"data: "):
                self.events.append((time.monotonic(), name, json.loads(line[6:])))

    def seen(self, name):
        return [(at, data) for at, kind, data in list(self.events) if kind == name]

    def workers(self):
        pids = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(p) for path in pids for p in path.read_text().split()]

    def stop(self):
        self.process.terminate()
        self.process.wait()


def ticks(pid):
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])
    except OSError:
        return 0


def mib(pid, field):
    try:
        return int(Path(f"/proc/{pid}/status").read_text().split(f"{field}:")[1].split()[0]) / 1024
    except (OSError, IndexError):
        return 0


class Use:
    """Share of one core and RSS, of the daemon and of all its children, until end()."""

    def __init__(self, daemon):
        self.daemon, self.begin = daemon, time.monotonic()
        self.base = ticks(daemon.process.pid)
        self.children, self.peak, self.over = {}, [0, 0], False
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        while not self.over:
            pid = self.daemon.process.pid
            self.peak[0] = max(self.peak[0], mib(pid, "VmRSS"))
            rss = 0
            for child in self.daemon.workers():
                self.children.setdefault(child, [ticks(child), 0])[1] = ticks(child)
                rss += mib(child, "VmRSS")
            self.peak[1] = max(self.peak[1], rss)
            time.sleep(0.2)

    def end(self):
        self.over = True
        self.thread.join()
        seconds = time.monotonic() - self.begin
        own = (ticks(self.daemon.process.pid) - self.base) / TICK / seconds
        others = sum(last - first for first, last in self.children.values()) / TICK / seconds
        return own, others, *self.peak


def silence(path, seconds):
    with wave.open(str(path), "wb") as w:
        w.setnchannels(1)
        w.setsampwidth(2)
        w.setframerate(16000)
        w.writeframes(bytes(seconds * 32000))
    return path


def show_use(name, use):
    print(f"| {name} | {100 * use[0]:.1f} % | {100 * use[1]:.1f} % | {use[2]:.1f} MiB | {use[3]:.1f} MiB |",
          flush=True)


def played(folder, tier, recording, patience):
    daemon = Daemon(folder, f"models.tiers=['{tier}@cpu']", "models.threads=2", "audio.source=file",
                    f"audio.files={json.dumps([str(recording)])}")
    use = Use(daemon)
    end = time.monotonic() + patience
    while time.monotonic() < end:
        time.sleep(0.2)
        begun = [d for _, d in daemon.seen("speech") if d["what"] == "begin"]
        if use.begin + seconds_of(recording) + 2 < time.monotonic() and len(daemon.seen("text")) >= len(begun):
            break
    result = use.end()
    daemon.stop()
    ends = {d["utterance"]: at for at, d in daemon.seen("speech") if d["what"] == "end"}
    texts = daemon.seen("text")
    from_endpoint = [1000 * (at - ends[d["utterance"]]) for at, d in texts]
    from_word = [d["latency_ms"] for _, d in texts]
    return " ".join(d["text"] for _, d in texts), from_word, from_endpoint, result


def seconds_of(path):
    with wave.open(str(path)) as f:
        return f.getnframes() / f.getframerate()


def peer(model, compute, recording):
    import numpy
    from faster_whisper import WhisperModel
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    whisper = WhisperModel(f"{WEIGHTS}/{model}", device="cpu", compute_type=compute, cpu_threads=2)
    with wave.open(str(recording)) as f:
        audio = numpy.frombuffer(f.readframes(f.getnframes()), "<i2").astype("float32") / 32768
    spoken = get_speech_timestamps(audio, VadOptions(threshold=0.5, min_silence_duration_ms=SILENCE_MS,
                                                     speech_pad_ms=100))
    took, texts = [], []
    for i, part in enumerate(spoken[:1] + spoken):  # the first once more, to warm up
        begin = time.monotonic()
        segments, _ = whisper.transcribe(audio[part["start"]:part["end"]], language="en", beam_size=1,
                                         condition_on_previous_text=False)
        text = " ".join(s.text for s in segments)
        if i:
            took.append(1000 * (time.monotonic() - begin))
            texts.append(text)
    return " ".join(texts), [t + SILENCE_MS for t in took], took


def quantiles(values):
    ordered = sorted(values)
    return statistics.median(ordered), ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=2, help="how often the six sentences are played (default 2)")
    parser.add_argument("--model", action="append", help="default: whisper-tiny.en and whisper-base")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hr-latency-", dir="/tmp") as folder:
        folder = Path(folder)
        recording = joined(clips(ENGINE), repeat=args.n, pause=1.6, out=folder / "speech.wav")
        uses = []
        for model in args.model or ["whisper-tiny.en", "whisper-base"]:
            print(f"\n**{model}**, {recording.seconds:.0f} s of speech and pauses, 2 threads\n")
            print("| program | utterances | endpoint to text p50 / p95 | last word to text p50 / p95 | word errors |")
            print("|---|---|---|---|---|")
            rows = {}
            for quant in ("F16", "Q8_0", "Q5_K_M"):
                state = folder / f"{model}-{quant}"
                state.mkdir()
                text, word, endpoint, use = played(state, f"{model}:{quant}", recording.path,
                                                   recording.seconds * 3)
                uses.append((f"speaking, {model} {quant}", use))
                rows[f"headroom {quant}"] = text, word, endpoint
            for compute in ("int8", "float32"):
                rows[f"faster-whisper 1.2.1 {compute}"] = peer(model, compute, recording.path)
            for name, (text, word, endpoint) in rows.items():
                w, e = quantiles(word), quantiles(endpoint)
                wrong = errors(words(recording.text), words(text))
                print(f"| {name} | {len(word)} | {e[0]:.0f} / {e[1]:.0f} ms | {w[0]:.0f} / {w[1]:.0f} ms "
                      f"| {wrong} of {len(words(recording.text))} |", flush=True)
        print("\n| the service | daemon: of a core | its workers | daemon: RSS | workers: RSS |\n|---|---|---|---|---|")
        (folder / "idle").mkdir()
        daemon = Daemon(folder / "idle", "audio.source=none", "speech.mode=toggle")
        time.sleep(3)
        use = Use(daemon)
        time.sleep(30)
        show_use("idle, microphone closed, no model", use.end())
        daemon.stop()
        (folder / "silence").mkdir()
        quiet = silence(folder / "quiet.wav", 45)
        daemon = Daemon(folder / "silence", "models.tiers=['whisper-tiny.en:Q8_0@cpu']", "audio.source=file",
                        f"audio.files={json.dumps([str(quiet)])}")
        time.sleep(5)
        use = Use(daemon)
        time.sleep(30)
        show_use("listening to silence, whisper-tiny.en Q8_0 loaded", use.end())
        daemon.stop()
        for name, use in uses:
            show_use(name, use)


main()
