"""The HTTP server of the real daemon: its text is the one that `headroom transcribe` gives."""

import json
import subprocess
import wave

import openai
import pytest

from sound_server import wait_for
from live_daemon import CLIPS, free_port, start  # noqa: F401 (a fixture)

PATIENCE = 120  # s; only reached when something is broken
TINY = "whisper-tiny.en"


@pytest.fixture
def daemon(start):
    port = free_port()
    daemon = start(f"server.listen=127.0.0.1:{port}", "audio.source=none")
    daemon.url = f"http://127.0.0.1:{port}"
    return daemon


@pytest.fixture
def url(daemon):
    return daemon.url


def ask(url, *args):
    """The HTTP status and the JSON of the answer."""
    said = subprocess.run(["curl", "-sS", "-w", "\n%{http_code}", *args, url], capture_output=True, check=True,
                          text=True, timeout=PATIENCE).stdout
    body, status = said.rsplit("\n", 1)
    return int(status), json.loads(body)


def post(url, body):
    return ask(url, "-H", "Content-Type: application/json", "-d", json.dumps(body))


@pytest.fixture
def create(url):
    client = openai.OpenAI(base_url=url + "/v1", api_key="none", timeout=PATIENCE, max_retries=0)
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


def test_a_drained_daemon_finishes_what_it_has_and_takes_nothing_new(headroom, daemon, create, tmp_path):
    long = tmp_path / "long.wav"
    with wave.open(str(headroom.jfk)) as jfk, wave.open(str(long), "wb") as out:
        out.setparams(jfk.getparams())
        out.writeframes(jfk.readframes(jfk.getnframes()) * 6)
    begun = subprocess.Popen(["curl", "-sS", "-F", f"file=@{long}", daemon.url + "/v1/audio/transcriptions"],
                             stdout=subprocess.PIPE, text=True)
    wait_for(lambda: daemon.status()["clients"] == 1, "the recording to be begun", PATIENCE)
    status, answer = post(daemon.url + "/api/drain", {})
    assert status == 200 and answer["draining"]
    status, ready = ask(daemon.url + "/readyz")
    assert status == 503 and "drained" in ready["reason"] and ready["retry_after_seconds"] > 0
    with pytest.raises(openai.InternalServerError) as why:
        create(model=TINY, file=headroom.jfk)
    assert why.value.status_code == 503 and "drained" in str(why.value)
    assert int(why.value.response.headers["Retry-After"]) > 0
    drained = headroom("drain", "--wait", "--socket", daemon.socket)
    assert drained.code == 0 and drained.out == "draining, 0 served\n", drained
    assert "country" in json.loads(begun.communicate(timeout=PATIENCE)[0])["text"]
    assert "drained" in headroom("status", "--socket", daemon.socket).out
    assert headroom("drain", "--off", "--socket", daemon.socket).out == "taking work, 0 served\n"
    assert "country" in create(model=TINY, file=headroom.jfk).text
    assert daemon.told("drain", on=True) and daemon.told("drain", on=False)
