"""Speech with known text, and word error rate on it."""

import random
import re
import subprocess
import wave
from dataclasses import dataclass
from pathlib import Path

LIBRIVOX = Path("/usr/share/pocketsphinx/test/data/librivox")  # Debian: pocketsphinx-testdata
JFK_TEXT = (
    "and so my fellow americans ask not what your country can do for you "
    "ask what you can do for your country"
)


@dataclass
class Clip:
    name: str
    path: Path
    text: str
    seconds: float


def seconds_of(path):
    with wave.open(str(path)) as f:
        return f.getnframes() / f.getframerate()


def clips(engine):
    """The five LibriVox sentences and the engine's sample."""
    found = []
    for line in (LIBRIVOX / "transcription").read_text().splitlines():
        text, name = re.match(r"<s> (.*?) </s> \((.*)\)", line).groups()
        path = LIBRIVOX / f"{name}.wav"
        found.append(Clip(name[-4:], path, text, seconds_of(path)))
    path = Path(engine) / "samples/jfk.wav"
    found.append(Clip("jfk", path, JFK_TEXT, seconds_of(path)))
    return found


def joined(clips_, repeat, pause, out):
    """One long recording: the clips one after the other, `pause` seconds of silence between."""
    with wave.open(str(out), "wb") as w:
        w.setnchannels(1)
        w.setsampwidth(2)
        w.setframerate(16000)
        for _ in range(repeat):
            for clip in clips_:
                with wave.open(str(clip.path)) as f:
                    w.writeframes(f.readframes(f.getnframes()))
                w.writeframes(bytes(int(pause * 16000) * 2))
    text = " ".join(c.text for _ in range(repeat) for c in clips_)
    return Clip(f"{seconds_of(out):.0f} s", out, text, seconds_of(out))


def words(text):
    """Lower case, no punctuation, hyphens are spaces, Mr. is mister."""
    text = text.lower().replace("-", " ").replace("mr.", "mister")
    return re.sub(r"[^a-z0-9' ]", " ", text).split()


def errors(reference, hypothesis):
    """Substitutions, insertions and deletions between two word lists (Levenshtein)."""
    row = list(range(len(hypothesis) + 1))
    for i, r in enumerate(reference, 1):
        last, row[0] = row[0], i
        for j, h in enumerate(hypothesis, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (r != h))
    return row[-1]


def interval(differences, samples=2000):
    """Of their sum, 95 %, by the bootstrap: the recordings drawn anew with replacement."""
    chance = random.Random(0)
    sums = sorted(sum(chance.choices(differences, k=len(differences))) for _ in range(samples))
    return sums[samples // 40], sums[-samples // 40]


def run(command, **kwargs):
    return subprocess.run(command, check=True, capture_output=True, text=True, **kwargs).stdout
