"""Prints a Markdown table; exits 1 when an F16 import makes more errors than faster-whisper does, beyond what the
choice of the recordings explains (95 %). bench/prompts has ninety times as many words."""

import os
import sys

from faster_whisper import WhisperModel

from clips import clips, errors, interval, run, words

HEADROOM, ENGINE, WEIGHTS = (os.environ[k] for k in ("HEADROOM", "ENGINE", "WEIGHTS"))
CLIPS = clips(ENGINE)
TOTAL = sum(len(words(c.text)) for c in CLIPS)


def ours(model):
    def transcribe(clip):
        return run([HEADROOM, "transcribe", "-m", model, "-l", "en", str(clip.path)])

    return transcribe


def peer(model, compute, beam):
    loaded = WhisperModel(f"{WEIGHTS}/{model}", device="cpu", compute_type=compute, cpu_threads=2)

    def transcribe(clip):
        segments, _ = loaded.transcribe(str(clip.path), language="en", beam_size=beam)
        return " ".join(s.text for s in segments)

    return transcribe


def score(name, transcribe):
    wrong, missed = [], []
    for clip in CLIPS:
        said, heard = words(clip.text), words(transcribe(clip))
        n = errors(said, heard)
        wrong.append(n)
        if n:
            missed.append(f"{clip.name}: {' '.join(heard)}")
    print(f"| {name} | {sum(wrong)} | {100 * sum(wrong) / TOTAL:.1f} % |", flush=True)
    return wrong, missed


print(f"{len(CLIPS)} clips, {TOTAL} words, {sum(c.seconds for c in CLIPS):.0f} s, English\n")
print("| model and engine | errors | WER |\n|---|---|---|")
failed, details = False, []
for model in ("whisper-tiny.en", "whisper-base"):
    theirs = []
    for compute, beam in (("float32", 1), ("int8", 1), ("float32", 5)):
        name = f"faster-whisper 1.2.1 {model} {compute}, beam {beam}"
        wrong, missed = score(name, peer(model, compute, beam))
        theirs.append(wrong)
        details += [f"{name}: {m}" for m in missed]
    for quant in ("F16", "Q8_0", "Q5_K_M"):
        wrong, missed = score(f"headroom {model}:{quant}", ours(f"{model}:{quant}"))
        details += [f"{model}:{quant}: {m}" for m in missed]
        if quant == "F16" and interval([a - b for a, b in zip(wrong, theirs[0])])[0] > 0:
            failed = True
if "--texts" in sys.argv:
    print("\nWhere a word was wrong:\n")
    print("\n".join(f"- {d}" for d in details))
if failed:
    sys.exit("accuracy: an imported model makes more errors than faster-whisper on the same weights")
