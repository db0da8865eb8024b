"""Programs that hear one recording after the other with the model loaded: our service and its peers."""

import os
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
from pathlib import Path

FASTER_WHISPER = """
import sys
from faster_whisper import WhisperModel
model = WhisperModel(sys.argv[1], device="cpu", compute_type=sys.argv[2], cpu_threads=2)
print("ready", flush=True)
for line in sys.stdin:
    language, path = line.strip().split(" ", 1)
    segments, _ = model.transcribe(path, language=language, beam_size=1, vad_filter=True)
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
    language, path = line.strip().split(" ", 1)
    with wave.open(path) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768
    segments = model.transcribe(samples, language=language)
    print(" ".join(s.text.strip() for s in segments), file=answers, flush=True)
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Lines:
    """A program that answers a line with a line."""

    def __init__(self, code, *args):
        # pywhispercpp puts the libraries that it compiled beside itself.
        self.process = subprocess.Popen([sys.executable, "-c", code, *args], text=True, bufsize=1,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL,
                                        env={**os.environ, "LD_LIBRARY_PATH": sysconfig.get_path("platlib")})
        if self.process.stdout.readline() != "ready\n":
            sys.exit("bench: a peer did not start")

    def ask(self, path, language="en"):
        self.process.stdin.write(f"{language} {path}\n")
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit("bench: a peer ended")
        return answer

    def stop(self):
        self.process.kill()
        self.process.wait()


class Service:
    """`headroom daemon` with one tier on the processor, asked by HTTP."""

    def __init__(self, headroom, tier, folder):
        folder.mkdir()
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        settings = (f"models.tiers=['{tier}@cpu']", "shortcut.on=false", "output.targets=stdout",
                    f"control.socket={folder}/s", f"server.listen=127.0.0.1:{port}")
        (folder / "config.toml").write_text("")
        self.process = subprocess.Popen(
            [headroom, "daemon", "--config", folder / "config.toml", "--state", folder / "state",
             *(a for s in settings for a in ("--set", s))],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while True:
            try:
                return urllib.request.urlopen(f"{self.url}/livez").close()
            except OSError:
                if self.process.poll() is not None:
                    sys.exit("bench: the service ended")
                time.sleep(0.05)

    def ask(self, path, language="en"):
        fields = "".join(f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
                         for name, value in (("language", language), ("response_format", "text")))
        body = (fields + '--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
                ).encode() + Path(path).read_bytes() + b"\r\n--b--\r\n"
        request = urllib.request.Request(f"{self.url}/v1/audio/transcriptions", body,
                                         {"Content-Type": "multipart/form-data; boundary=b"})
        with urllib.request.urlopen(request) as answer:
            return answer.read().decode()

    def stop(self):
        self.process.terminate()
        self.process.wait()
