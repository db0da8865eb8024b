"""headroom bench, with a real model and real speech."""

import json
import shutil

import pytest

TINY = "whisper-tiny.en"
SAID = "and so my fellow Americans ask not what your country can do for you ask what you can do for your country"


@pytest.fixture
def clips(headroom, tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    shutil.copy(headroom.jfk, folder / "jfk.wav")
    (folder / "jfk.txt").write_text(SAID + "\n")
    shutil.copy(headroom.jfk, folder / "unknown.wav")
    return folder


def test_a_model_is_measured(headroom, clips):
    done = headroom("bench", "models", TINY + ":Q8_0", "--clips", clips, "-n", "1", "-f", "json", timeout=300)
    assert done.code == 0, done.err
    assert "unknown.wav: skipped" in done.err
    value = json.loads(done.out)
    assert value["clips"] == {"count": 1, "words": 22, "seconds": 11.0}
    (row,) = value["models"]
    assert (row["model"], row["quantisation"]) == (TINY, "Q8_0")
    assert row["wer_percent"] < 20 and not row["wer_published"]
    assert 40 << 20 < row["bytes"] < row["peak_bytes"] < 512 << 20
    assert 40 << 20 < row["planned_bytes"] < 512 << 20
    assert row["peak_bytes"] <= row["planned_bytes"]  # lengths up and down leave nothing in pieces
    assert row["load_seconds"] > 0 and row["seconds_per_second"] > 0
    assert [one["audio_ms"] for one in row["latencies"]] == [3000, 7000, 15000, 30000]
    assert all(one["seconds"] > 0 for one in row["latencies"])
    assert value["best_errors_by_memory"] == value["best_time_by_memory"] == [f"{TINY} Q8_0"]


def test_without_clips_it_says_what_is_published(headroom, tmp_path):
    page = tmp_path / "page.html"
    done = headroom("bench", "models", TINY, "canary-180m-flash:Q8_0", "-f", "html", "-o", page)
    assert (done.code, done.out) == (0, ""), done.err
    text = page.read_text()
    assert "<svg" in text and "canary-180m-flash Q8_0" in text and "1.93 % (published)" in text
    assert "Rings" in text and "(published)" in text


def test_what_is_wrong_is_said(headroom, tmp_path):
    assert headroom("bench", "models", "--clips", tmp_path / "none").code == 3
    assert "no NAME.wav with a NAME.txt" in headroom("bench", "models", "--clips", tmp_path).err
    rubbish = tmp_path / "rubbish.gguf"
    rubbish.write_bytes(b"GGUF and nothing more")
    assert headroom("bench", "models", rubbish).code != 0


def test_voice_detection_is_measured(headroom):
    done = headroom("bench", "vad", headroom.jfk, "--json")
    assert done.code == 0, done.err
    value = json.loads(done.out)
    assert 10.9 < value["audio_seconds"] < 11.1 and value["frames"] == 344
    assert 0 < value["seconds_per_second"] < 1
    assert value["speech_frames"] > 150 and value["differing_frames"] == 0
    assert 0 <= value["memory_bytes"] < 64 << 20
    assert "times faster than real time" in headroom("bench", "vad", headroom.jfk).out
