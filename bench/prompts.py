"""Word errors over 8700 words in three languages, for what the six recordings of the other benches are too few.

Debian's telephone prompts (asterisk-core-sounds, one professional speaker a language), those of four words
and more, which begin without silence. The service and faster-whisper take turns on each; both have the same
weights and nothing of the transcripts. The transcripts say what was meant to be read, so a part of the errors is
the reader's; what counts is the difference, with its 95 % interval over recordings. Exits 1 when the service makes
more errors than faster-whisper int8 beyond that.
"""

import argparse
import gzip
import os
import re
import subprocess
import sys
import tempfile
import time
import unicodedata
from pathlib import Path

from clips import Clip, errors, interval, seconds_of
from peers import FASTER_WHISPER, Lines, Service

HEADROOM, WEIGHTS = (os.environ[k] for k in ("HEADROOM", "WEIGHTS"))
SPEAKERS = {"en": "en_US_f_Allison", "es": "es_MX_f_Allison", "fr": "fr_CA_f_June"}
NUMBERS = {
    "en": "zero one two three four five six seven eight nine ten",
    "es": "cero uno dos tres cuatro cinco seis siete ocho nueve diez",
    "fr": "zero un deux trois quatre cinq six sept huit neuf dix",
}
FEWEST_WORDS = 4


def words(text, language):
    """Lower case, without accents and punctuation, numbers up to ten in words."""
    text = unicodedata.normalize("NFD", text.lower())
    text = "".join(c for c in text if not unicodedata.combining(c))
    numbers = NUMBERS[language].split()
    found = re.findall(r"[a-z]+|\d+", text)
    return [numbers[int(w)] if w.isdigit() and int(w) < len(numbers) else w for w in found]


def prompts(language, folder):
    sounds = Path("/usr/share/asterisk/sounds") / SPEAKERS[language]
    text = Path(f"/usr/share/doc/asterisk-core-sounds-{language}/core-sounds-{language}.txt.gz")
    found = []
    for line in gzip.decompress(text.read_bytes()).decode().splitlines():
        match = re.match(r"([\w/.-]+):\s*(.*)", line)
        # What stands in brackets is a remark, or is not spoken.
        if not match or re.search(r"[\[\](){}<>]", line) or len(words(match[2], language)) < FEWEST_WORDS:
            continue
        source = sounds / f"{match[1]}.g722"
        if not source.exists():
            continue
        path = folder / f"{language}-{match[1].replace('/', '-')}.wav"
        subprocess.run(["ffmpeg", "-v", "error", "-f", "g722", "-i", source, "-ar", "16000", "-ac", "1", path],
                       check=True)
        found.append(Clip(match[1], path, match[2], seconds_of(path)))
    return found


def compare(model, language, clips, quants, folder, texts):
    base = "faster-whisper 1.2.1 int8"
    programs = {base: Lines(FASTER_WHISPER, f"{WEIGHTS}/{model}", "int8"),
                "faster-whisper 1.2.1 float32": Lines(FASTER_WHISPER, f"{WEIGHTS}/{model}", "float32")}
    for quant in quants:
        programs[f"headroom {quant}"] = Service(HEADROOM, f"{model}:{quant}", folder / f"{model}-{language}-{quant}")
    wrong = {name: [] for name in programs}
    seconds = dict.fromkeys(programs, 0.0)
    details = []
    try:
        for program in programs.values():
            program.ask(clips[0].path, language)  # loads
        for clip in clips:
            said, heard = words(clip.text, language), {}
            for name, program in programs.items():
                begin = time.monotonic()
                heard[name] = words(program.ask(clip.path, language), language)
                seconds[name] += time.monotonic() - begin
                wrong[name].append(errors(said, heard[name]))
            if len({tuple(h) for h in heard.values()}) > 1:
                details.append(f"{clip.name} ({clip.seconds:.1f} s): {' '.join(said)}")
                details += [f"    {wrong[name][-1]} {name}: {' '.join(h)}" for name, h in heard.items()]
    finally:
        for program in programs.values():
            program.stop()
    total = sum(len(words(clip.text, language)) for clip in clips)
    print(f"\n**{model}, {language}**: {len(clips)} recordings, {sum(c.seconds for c in clips):.0f} s, {total} words\n")
    print("| program | errors | WER | more than int8 (95 %) | recordings better, worse | time to int8 |")
    print("|---|---|---|---|---|---|")
    worse = False
    for name in programs:
        differences = [mine - theirs for mine, theirs in zip(wrong[name], wrong[base])]
        low, high = interval(differences)
        worse = worse or (name.startswith("headroom") and low > 0)
        print(f"| {name} | {sum(wrong[name])} | {100 * sum(wrong[name]) / total:.2f} % "
              f"| {sum(differences):+d} ({low:+d} to {high:+d}) "
              f"| {sum(d < 0 for d in differences)}, {sum(d > 0 for d in differences)} "
              f"| {seconds[name] / seconds[base]:.2f} |", flush=True)
    if texts:
        print("\n" + "\n".join(details), flush=True)
    return worse


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", action="append", help="default: whisper-tiny.en and whisper-base")
    parser.add_argument("--language", action="append", choices=SPEAKERS, help="default: all that the model speaks")
    parser.add_argument("--quant", action="append", help="default: Q8_0")
    parser.add_argument("--texts", action="store_true", help="print what the programs heard differently")
    args = parser.parse_args()
    worse = []
    with tempfile.TemporaryDirectory() as folder:
        for language in args.language or SPEAKERS:
            clips = prompts(language, Path(folder))
            for model in args.model or ["whisper-tiny.en", "whisper-base"]:
                if language != "en" and model.endswith(".en"):
                    continue
                if compare(model, language, clips, args.quant or ["Q8_0"], Path(folder), args.texts):
                    worse.append(f"{model} in {language}")
    if worse:
        sys.exit(f"prompts: more errors than faster-whisper int8: {', '.join(worse)}")


main()
