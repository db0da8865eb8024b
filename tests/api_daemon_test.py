"""The HTTP server of the real daemon: its text is the one that `headroom transcribe` gives."""

import json
import socket
import subprocess

import openai
import pytest

from live_daemon import CLIPS, start  # noqa: F401 (a fixture)

PATIENCE = 120  # s; only reached when something is broken
TINY = "whisper-tiny.en"


@pytest.fixture
def url(start):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    start(f"server.listen=127.0.0.1:{port}", "audio.source=none")
    return f"http://127.0.0.1:{port}"


@pytest.fixture
def create(url):
    client = openai.OpenAI(base_url=url + "/v1", api_key="none", timeout=PATIENCE)
    return client.audio.transcriptions.create


def test_the_text_is_that_of_the_command_line(headroom, create):
    for path in (headroom.jfk, CLIPS[0]):
        expected = {}
        for form in ("text", "srt", "vtt"):
            outcome = headroom("transcribe", "-m", f"{TINY}:F16", "-f", form, path)
            assert outcome.code == 0 and len(outcome.out) > 20, outcome.err
            expected[form] = outcome.out
        for form, text in expected.items():
            assert create(model=TINY, file=path, response_format=form) == text
        assert create(model="whisper-1", file=path).text + "\n" == expected["text"]
        events = list(create(model="whisper-1", file=path, stream=True))
        assert "".join(e.delta for e in events[:-1]) == events[-1].text == expected["text"].rstrip("\n")


def test_times_are_those_of_the_recording(headroom, create):
    verbose = create(model=TINY, file=headroom.jfk, response_format="verbose_json",
                     timestamp_granularities=["segment"])
    assert verbose.language in ("en", "") and 10.9 < verbose.duration < 11.1
    assert 0 <= verbose.segments[0].start < verbose.segments[-1].end <= verbose.duration + 0.1


def test_what_is_no_recording_is_refused_and_the_next_one_is_not(headroom, create, url, tmp_path):
    rubbish = tmp_path / "rubbish.wav"
    rubbish.write_bytes(b"RIFF" + bytes(range(256)) * 50)
    with pytest.raises(openai.BadRequestError) as why:
        create(model=TINY, file=rubbish)
    assert why.value.param == "file" and str(tmp_path) not in str(why.value)
    with pytest.raises(openai.NotFoundError):
        create(model="whisper-huge", file=headroom.jfk)
    assert "country" in create(model=TINY, file=headroom.jfk).text
    ready = json.loads(subprocess.run(["curl", "-sS", url + "/readyz"], capture_output=True, check=True).stdout)
    assert ready["ready"] and [m["loaded"] for m in ready["models"] if m["id"] == TINY] == [True]
    metrics = subprocess.run(["curl", "-sS", url + "/metrics"], capture_output=True, check=True, text=True).stdout
    assert "headroom_http_uploads_total 2\n" in metrics
    status = json.loads(subprocess.run(["curl", "-sS", url + "/api/status"], capture_output=True, check=True).stdout)
    assert status["tier"].startswith(TINY)
