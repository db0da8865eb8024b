"""The HTTP server of the real daemon: its text is the one that `headroom transcribe` gives."""

import json
import signal
import socket
import ssl
import subprocess
import wave

import openai
import pytest

from live_daemon import CLIPS, free_port, start  # noqa: F401 (a fixture)
from waiting import wait_for

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


def test_a_model_is_loaded_and_its_memory_given_back_by_hand(headroom, daemon, create):
    status, models = ask(daemon.url + "/api/models")
    assert status == 200 and [t["loaded"] for t in models["tiers"]] == [False]
    tier = models["tiers"][0]
    assert tier["model"] == TINY and tier["languages"] == ["en"] and tier["peak_bytes"] >= tier["resident_bytes"] > 0
    tiny = [m for m in models["installed"] if m["model"] == TINY]
    assert tiny and all(m["bytes"] > 10_000_000 and m["quantisation"] for m in tiny)
    status, models = post(daemon.url + "/api/models/load", {})
    assert status == 200 and models["tiers"][0]["loaded"] and models["tiers"][0]["state"] == "ready"
    assert ask(daemon.url + "/api/models/unload", "-X", "POST")[0] == 415
    status, models = post(daemon.url + "/api/models/unload", {})
    assert status == 200 and [t["state"] for t in models["tiers"]] == ["resting"]
    wait_for(lambda: daemon.seen("tier", change="ended"), "the end of the worker", PATIENCE)
    assert [a["reason"] for a in daemon.seen("action", verb="end_worker")] == ["its memory is wanted back"]
    assert "country" in create(model=TINY, file=headroom.jfk).text  # and it comes back when it is needed


def test_the_command_line_loads_and_unloads(headroom, daemon):
    loaded = headroom("models", "load", "--socket", daemon.socket)
    assert loaded.code == 0 and loaded.out.startswith(f"{TINY} F16 on cpu is loaded, "), loaded
    status, models = ask(daemon.url + "/api/models")
    assert [t["loaded"] for t in models["tiers"]] == [True]
    unloaded = headroom("models", "unload", "--json", "--socket", daemon.socket)
    assert unloaded.code == 0 and [t["loaded"] for t in json.loads(unloaded.out)["tiers"]] == [False]
    assert headroom("models", "unload", "--socket", daemon.socket).out == "no model is loaded\n"
    assert headroom("models", "load", "--socket", daemon.folder / "none").code != 0


def test_events_report_what_happens_and_no_word_of_it(headroom, daemon, create):
    followed = subprocess.Popen(["curl", "-sN", "--max-time", str(PATIENCE), daemon.url + "/api/events"],
                                stdout=subprocess.PIPE, text=True)
    events = []
    name = None
    asked = False
    for line in followed.stdout:
        if line.startswith("event: "):
            name = line[7:].strip()
        elif line.startswith("data: "):
            events.append((name, json.loads(line[6:])))
            if not asked:  # the status comes first: whatever follows is heard
                asked = True
                text = create(model=TINY, file=headroom.jfk).text
            if name == "served":
                break
    followed.kill()
    followed.wait()
    assert events[0][0] == "status" and "partial" not in events[0][1]
    served = events[-1][1]
    assert (served["source"], served["outcome"]) == ("file", "text")
    assert 10_500 < served["audio_ms"] < 11_500 and served["latency_ms"] > 0 and served["tier"].startswith(TINY)
    assert [e["change"] for n, e in events if n == "tier"][:2] == ["loading", "ready"]
    assert "country" in text and "country" not in json.dumps(events)


def test_history_and_report_over_the_network(headroom, daemon, start):
    assert ask(daemon.url + "/api/history")[0] == 404
    status, answer = ask(daemon.url + "/api/report?since=soon")
    assert status == 400 and "12h" in answer["error"]["message"]
    port = free_port()
    start(f"server.listen=127.0.0.1:{port}", "server.history=true", "audio.source=none", folder="second")
    assert ask(f"http://127.0.0.1:{port}/api/history?limit=5") == (200, {"entries": []})


def test_the_report_has_what_happened(headroom, daemon, create):
    create(model=TINY, file=headroom.jfk)
    asked = []

    def whole():
        said = subprocess.run(["curl", "-sS", "-i", daemon.url + "/api/report?since=1h"], capture_output=True,
                              text=True, timeout=PATIENCE, check=True).stdout
        head, page = said.split("\n\n", 1)  # text has no carriage returns
        asked.append(head.split()[1])
        if asked[-1] == "404":  # a fresh daemon
            assert "nothing is recorded of the last 1h yet" in page
            return None
        assert asked[-1] == "200", said
        return (head, page) if "the model is ready" in page and "RAM of headroom" in page else None

    wait_for(lambda: bool(whole()), "numbers and the load in the report", PATIENCE)
    head, page = whole()
    policy = next(line for line in head.splitlines() if line.lower().startswith("content-security-policy:"))
    assert "sandbox" in policy and "default-src 'none'" in policy
    assert "country" not in page and page.rstrip().endswith("</html>")
    assert ask(daemon.url + "/api/report?since=0s")[0] == 400


def certify(folder, name):
    """A certificate for this machine, and its serial number."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", key, "-out", certificate], check=True, capture_output=True)
    key.chmod(0o600)
    return certificate, key


def test_a_renewed_certificate_is_used_after_a_reload(headroom, start, tmp_path):
    certificate, key = certify(tmp_path, "before")
    port = free_port()
    daemon = start(f"server.listen=127.0.0.1:{port}", "audio.source=none", f"server.tls_certificate={certificate}",
                   f"server.tls_key={key}")

    def shown():
        context = ssl._create_unverified_context()
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as raw:
            with context.wrap_socket(raw) as tls:
                return ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True)).strip()

    before = certificate.read_text().strip()
    assert shown() == before
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as raw:
        with ssl._create_unverified_context().wrap_socket(raw) as held:
            certify(tmp_path, "afterwards")
            assert shown() == before  # until it is reloaded
            daemon.process.send_signal(signal.SIGHUP)
            wait_for(lambda: shown() == certificate.read_text().strip(), "the new certificate", PATIENCE)
            held.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            answer = b""
            while piece := held.recv(4096):
                answer += piece
            assert answer.endswith(b"alive\n")
    renewed = shown()
    key.write_text("nonsense")
    assert headroom("reload", "--socket", daemon.socket).code == 0
    assert any("certificate of before" in warning for warning in daemon.status()["troubles"])
    assert shown() == renewed
    certify(tmp_path, "again")
    assert headroom("reload", "--socket", daemon.socket).code == 0
    wait_for(lambda: shown() == certificate.read_text().strip(), "the third certificate", PATIENCE)
    assert not any("certificate" in warning for warning in daemon.status()["troubles"])


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
    assert "draining" in headroom("status", "--socket", daemon.socket).out
    assert headroom("drain", "--off", "--socket", daemon.socket).out == "taking work, 0 served\n"
    assert "country" in create(model=TINY, file=headroom.jfk).text
    assert daemon.seen("drain", on=True) and daemon.seen("drain", on=False)
