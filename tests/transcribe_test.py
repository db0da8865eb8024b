"""headroom transcribe, as a person uses it: real weights, real media files, and everything bad."""

import json
import os
import re
import signal
import struct
import subprocess
from pathlib import Path

import pytest

import wav

from waiting import wait_for

MODEL = "whisper-tiny.en"
SENTENCE = "what your country can do for you"
LIBRIVOX = Path("/usr/share/pocketsphinx/test/data/librivox")


def plain(text):
    return re.sub(r"[^a-z ]", "", text.lower().replace("\n", " "))


def one_line(outcome, *words):
    """A single clear line on stderr that has those words, and nothing on stdout."""
    lines = outcome.err.strip().splitlines()
    assert len(lines) == 1, outcome.err
    assert lines[0].startswith("headroom: ")
    for word in words:
        assert word in lines[0], f"{word!r} is not in {lines[0]!r}"
    assert outcome.out == ""


@pytest.fixture
def transcribe(headroom):
    def call(*args, **kwargs):
        return headroom("transcribe", "-m", MODEL, *args, **kwargs)

    call.headroom = headroom
    return call


# What it is for


def test_text_goes_to_stdout_and_nothing_else_does(transcribe):
    got = transcribe(transcribe.headroom.jfk)
    assert got.code == 0
    assert SENTENCE in plain(got.out)
    assert got.err == ""


def test_every_format_has_the_same_words(transcribe):
    jfk = transcribe.headroom.jfk
    text = plain(transcribe(jfk).out).split()
    document = json.loads(transcribe("-f", "json", jfk).out)
    assert document["complete"] and document["duration_ms"] == 11000
    assert plain(" ".join(s["text"] for s in document["segments"])).split() == text
    srt = transcribe("-f", "srt", jfk).out
    assert re.match(r"1\n00:00:0\d,\d{3} --> 00:00:\d\d,\d{3}\n", srt)
    vtt = transcribe("-f", "vtt", jfk).out
    assert vtt.startswith("WEBVTT\n")
    for captions in (srt, vtt.removeprefix("WEBVTT")):
        spoken = [l for l in captions.splitlines() if "-->" not in l and not l.strip().isdigit()]
        assert plain(" ".join(spoken)).split() == text
    tsv = transcribe("-f", "tsv", jfk).out.splitlines()
    assert plain(" ".join(row.split("\t")[2] for row in tsv[1:])).split() == text


@pytest.mark.parametrize("ending", ["mp3", "flac", "ogg", "m4a", "webm", "opus"])
def test_any_format_ffmpeg_reads(transcribe, tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    subprocess.run(["ffmpeg", "-loglevel", "error", "-i", transcribe.headroom.jfk, path], check=True)
    got = transcribe(path)
    assert got.code == 0, got.err
    assert "country" in plain(got.out)


def test_standard_input(transcribe):
    with open(transcribe.headroom.jfk, "rb") as f:
        got = transcribe("-", stdin=f)
    assert SENTENCE in plain(got.out)
    cat = subprocess.Popen(["cat", transcribe.headroom.jfk], stdout=subprocess.PIPE)
    got = transcribe("-", stdin=cat.stdout)
    assert SENTENCE in plain(got.out)


def test_several_files_and_one_that_is_missing(transcribe, tmp_path):
    first = sorted(LIBRIVOX.glob("*.wav"))[1]
    got = transcribe(first, tmp_path / "none.wav", transcribe.headroom.jfk)
    assert got.code == 3
    assert "young man" in plain(got.out) and SENTENCE in plain(got.out)
    assert f"==> {first} <==" in got.out
    assert "none.wav" in got.err


def test_output_file_and_folder(transcribe, tmp_path):
    jfk = transcribe.headroom.jfk
    assert transcribe(jfk, "-o", tmp_path / "a.txt").out == ""
    assert SENTENCE in plain((tmp_path / "a.txt").read_text())
    transcribe(jfk, jfk, "-f", "srt", "-o", f"{tmp_path}/new/")
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["jfk.wav.srt"]
    one_line(transcribe(jfk, jfk, "-o", tmp_path / "a.txt"), "several files need a folder")


def test_an_output_is_not_touched_when_the_input_is_bad(transcribe, tmp_path):
    out = tmp_path / "precious.txt"
    out.write_text("precious")
    assert transcribe(tmp_path / "none.wav", "-o", out).code == 3
    assert out.read_text() == "precious"


def test_vocabulary_changes_what_is_heard_and_is_refused_in_words_elsewhere(transcribe, tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("Americans\nKennedy\n")
    for given in (words, "Americans,Kennedy"):
        got = transcribe(transcribe.headroom.jfk, "--vocabulary", given, "--prompt", "A speech.")
        assert got.code == 0 and got.err == "" and "country" in plain(got.out)


def test_words_are_said_to_be_missing_where_the_model_has_none(transcribe):
    got = transcribe(transcribe.headroom.jfk, "--words")
    assert got.code == 0
    assert "no word times" in got.err


def test_a_recording_longer_than_a_window_loses_and_doubles_nothing(transcribe, tmp_path):
    said, values = [], []
    lines = (LIBRIVOX / "transcription").read_text().splitlines()
    for _ in range(3):
        for line in lines:
            text, name = re.match(r"<s> (.*?) </s> \((.*)\)", line).groups()
            said += text.split()
            values += wav.samples(LIBRIVOX / f"{name}.wav") + [0.0] * 8000
    wav.write_pcm16(tmp_path / "long.wav", values)
    got = transcribe("-f", "json", tmp_path / "long.wav")
    document = json.loads(got.out)
    heard = plain(" ".join(s["text"] for s in document["segments"])).split()
    assert abs(len(heard) - len(said)) <= 0.15 * len(said)
    times = [(s["start_ms"], s["end_ms"]) for s in document["segments"]]
    assert times == sorted(times) and times[-1][1] <= document["duration_ms"]
    # the last sentence's words stand three times, in the last place too
    assert " ".join(heard).count("amiable himself") == 3


def test_silence_and_noise_give_no_text(transcribe, tmp_path):
    wav.write_pcm16(tmp_path / "silence.wav", [0.0] * 16000 * 20)
    state, noise = 1, []
    for _ in range(16000 * 20):
        state = (1103515245 * state + 12345) % 2**31
        noise.append((state / 2**31 - 0.5) * 0.01)
    wav.write_pcm16(tmp_path / "noise.wav", noise)
    for name in ("silence.wav", "noise.wav"):
        got = transcribe(tmp_path / name)
        assert (got.code, got.out.strip(), got.err) == (0, "", "")
    document = json.loads(transcribe("-f", "json", tmp_path / "silence.wav").out)
    assert document["segments"] == [] and document["complete"]


# What can go wrong


def test_missing_folder_empty_and_not_audio(transcribe, tmp_path):
    got = transcribe(tmp_path / "none.wav")
    assert got.code == 3
    one_line(got, "none.wav", "No such file")
    got = transcribe(tmp_path)
    assert got.code == 2
    one_line(got, "folder")
    (tmp_path / "empty.wav").touch()
    got = transcribe(tmp_path / "empty.wav")
    assert got.code == 4
    one_line(got, "empty.wav", "0 bytes")
    for name, content in (("text.txt", b"hello\n" * 999), ("noise.bin", os.urandom(99999)),
                          ("a.jpg", b"\xff\xd8\xff\xe0" + os.urandom(5000))):
        (tmp_path / name).write_bytes(content)
        got = transcribe(tmp_path / name)
        assert got.code == 4, got
        one_line(got, name)


@pytest.mark.parametrize("part", [0.001, 0.3, 0.8])
def test_a_cut_wav_gives_what_is_there_and_says_so(transcribe, tmp_path, part):
    whole = transcribe.headroom.jfk.read_bytes()
    (tmp_path / "cut.wav").write_bytes(whole[: int(len(whole) * part)])
    got = transcribe(tmp_path / "cut.wav")
    assert got.code == 8, got
    assert "cut.wav" in got.err and "cut off" in got.err and len(got.err.splitlines()) == 1
    assert ("fellow" in plain(got.out)) == (part > 0.2)


def test_a_cut_mp3_gives_what_is_there_and_says_so(transcribe, tmp_path):
    subprocess.run(["ffmpeg", "-loglevel", "error", "-i", transcribe.headroom.jfk,
                    tmp_path / "a.mp3"], check=True)
    whole = (tmp_path / "a.mp3").read_bytes()
    (tmp_path / "cut.mp3").write_bytes(whole[: len(whole) // 2])
    got = transcribe(tmp_path / "cut.mp3")
    assert got.code == 8
    assert "cut off" in got.err
    assert "fellow" in plain(got.out)


def test_samples_that_are_not_numbers_become_silence(transcribe, tmp_path):
    values = wav.samples(transcribe.headroom.jfk)
    for i in range(0, len(values), 5000):
        values[i] = float("nan") if i % 10000 else float("inf")
    wav.write_float32(tmp_path / "nan.wav", values)
    got = transcribe(tmp_path / "nan.wav")
    assert got.code == 0
    assert SENTENCE in plain(got.out)
    assert "36 samples were not numbers" in got.err


def test_192_khz_8_channels(transcribe, tmp_path):
    subprocess.run(["ffmpeg", "-loglevel", "error", "-i", transcribe.headroom.jfk, "-ar", "192000",
                    "-ac", "8", tmp_path / "big.wav"], check=True)
    got = transcribe(tmp_path / "big.wav")
    assert got.code == 0, got
    assert SENTENCE in plain(got.out)


def test_an_hour_of_silence_and_one_sentence_at_its_end(transcribe, tmp_path):
    # The file is a hole; bench/silence does ten hours.
    values = wav.samples(transcribe.headroom.jfk)
    speech = b"".join(struct.pack("<h", int(v * 32767)) for v in values)
    path = tmp_path / "hour.wav"
    silence = 3600 * 32000
    with open(path, "wb") as f:
        f.write(wav.header(silence + len(speech)))
        f.seek(silence, 1)
        f.write(speech)
    document = json.loads(transcribe("-f", "json", path, timeout=300).out)
    assert SENTENCE in plain(" ".join(s["text"] for s in document["segments"]))
    assert abs(document["segments"][0]["start_ms"] - 3600_000) < 1500


def test_unknown_models_and_languages(transcribe):
    headroom = transcribe.headroom
    got = headroom("transcribe", "-m", "wisper-base", headroom.jfk)
    assert got.code == 3
    one_line(got, "wisper-base", "whisper-base")
    got = headroom("transcribe", "-m", "canary-1b-flash", headroom.jfk)
    assert got.code == 3
    one_line(got, "headroom models pull canary-1b-flash")
    got = transcribe("-l", "de", headroom.jfk)
    assert got.code == 4
    one_line(got, '"de"', "it knows en")


def test_models_that_are_cut_or_absurd(headroom, tmp_path):
    whole = next(headroom.models.glob("whisper-tiny.en-F16.gguf")).read_bytes()
    bad = tmp_path / "bad.gguf"
    cases = [whole[:n] for n in (0, 3, 4, 20, 1000, 500_000, 3_000_000, len(whole) - 1)]
    cases.append(b"GGML" + whole[4:])
    cases.append(whole[:8] + struct.pack("<QQ", 2**62, 2**62) + whole[24:])
    cases.append(whole[:16] + struct.pack("<Q", 2**40) + whole[24:])
    for number, content in enumerate(cases):
        bad.write_bytes(content)
        got = headroom("transcribe", "-m", bad, headroom.jfk)
        assert got.code in (3, 4), (number, got)
        one_line(got, "bad.gguf")


def test_an_unknown_format_and_no_file_are_usage_errors(transcribe):
    got = transcribe("-f", "docx", transcribe.headroom.jfk)
    assert got.code == 2
    one_line(got, "docx", "srt")
    assert transcribe().code == 2


def test_a_full_disk_and_a_closed_pipe(transcribe):
    with open("/dev/full", "w") as full:
        p = transcribe.headroom.popen("transcribe", "-m", MODEL, transcribe.headroom.jfk,
                                      stdout=full, stderr=subprocess.PIPE)
        err = p.communicate(timeout=60)[1].decode()
    assert p.returncode == 6
    assert "No space left" in err and len(err.splitlines()) == 1
    read, write = os.pipe()
    os.close(read)
    p = transcribe.headroom.popen("transcribe", "-m", MODEL, transcribe.headroom.jfk, stdout=write,
                                  stderr=subprocess.PIPE)
    os.close(write)
    assert "pipe" in p.communicate(timeout=60)[1].decode()
    assert p.returncode == 1


def test_a_home_that_cannot_be_written(headroom):
    os.chmod(headroom.home, 0o500)
    got = headroom("transcribe", "-m", MODEL, headroom.jfk)
    os.chmod(headroom.home, 0o700)
    assert got.code == 0 and SENTENCE in plain(got.out)
    assert list(headroom.home.iterdir()) == []


def children_of(pid):
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_for_worker(process):
    def worker():
        return next((pid for pid in children_of(process.pid)
                     if "headroom-worker" in Path(f"/proc/{pid}/cmdline").read_text()), None)
    return wait_for(worker, "a worker", 10, every=0.01)


def first_sentence(process):
    """What came until it was out: of several, the rest is still to come."""
    first = b""
    while b"country" not in first:
        first += os.read(process.stdout.fileno(), 4096)
    return first


def test_ctrl_c_prints_what_there_is(headroom, tmp_path):
    values = wav.samples(headroom.jfk)
    wav.write_pcm16(tmp_path / "long.wav", (values + [0.0] * 40000) * 20)
    p = headroom.popen("transcribe", "-m", MODEL, "-f", "json", tmp_path / "long.wav",
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    first = first_sentence(p)
    worker = wait_for_worker(p)
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=10)
    assert p.returncode == 130
    document = json.loads(first + out)
    assert document["complete"] is False and 1 <= len(document["segments"]) < 40
    assert "interrupted" in err.decode()
    wait_for(lambda: not Path(f"/proc/{worker}").exists(), "the worker's end", 1)


def test_a_killed_worker_costs_nothing(headroom, tmp_path):
    said = 6
    wav.write_pcm16(tmp_path / "long.wav", (wav.samples(headroom.jfk) + [0.0] * 40000) * said)
    p = headroom.popen("transcribe", "-m", MODEL, "-f", "json", tmp_path / "long.wav",
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    first = first_sentence(p)
    os.kill(wait_for_worker(p), signal.SIGKILL)
    out, err = p.communicate(timeout=60)
    assert p.returncode == 0, err
    text = " ".join(segment["text"] for segment in json.loads(first + out)["segments"])
    assert plain(text).count(SENTENCE) == said


def test_help_and_version(headroom):
    got = headroom("transcribe", "--help")
    assert got.code == 0
    for flag in ("--model", "--format", "--language", "--words", "--vocabulary", "--prompt",
                 "--output", "--threads"):
        assert flag in got.out
    assert re.fullmatch(r"headroom \d+\.\d+\.\d+\n", headroom("--version").out)
    assert headroom("--nonsense").code == 2
