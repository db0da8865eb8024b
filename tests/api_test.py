"""The HTTP server as its clients see it: OpenAI's own Python client, and curl."""

import json
import re
import socket
import ssl
import subprocess
from pathlib import Path

import openai
import pytest
from websockets.sync.client import connect

from waiting import wait_for

PATIENCE = 60  # s; only reached when something is broken
TEXT = "Guten Tag. How are you?"


class Server:
    def __init__(self, headroom, folder, *tls):
        self.process = subprocess.Popen(
            [headroom.bin.parent / "tests/api_live", folder, *tls],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def send(self, **order):
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def client(self, token="none"):
        return openai.OpenAI(base_url=self.url + "/v1", api_key=token, max_retries=0, timeout=PATIENCE)

    def curl(self, path, *args):
        done = subprocess.run(["curl", "-sS", "-m", str(PATIENCE), "-w", "\n%{http_code}", *args, self.url + path],
                              capture_output=True, text=True, check=True)
        body, code = done.stdout.rsplit("\n", 1)
        return int(code), body


@pytest.fixture
def server(headroom, tmp_path):
    # Where headroom token keeps its file.
    folder = headroom.home / ".config/headroom"
    folder.mkdir(parents=True)
    server = Server(headroom, folder)
    yield server
    server.process.communicate(timeout=PATIENCE)
    assert server.process.returncode == 0


@pytest.fixture
def sound(tmp_path):
    path = tmp_path / "sound.wav"
    path.write_bytes(b"RIFF" + bytes(50_000))
    return path


def test_a_transcription_and_a_translation(server, sound):
    client = server.client()
    made = client.audio.transcriptions.create(
        model="whisper-1", file=sound, language="de", prompt="Headroom", temperature=0.2)
    assert made.text == TEXT
    assert (made.usage.type, made.usage.seconds) == ("duration", 4)
    assert client.audio.translations.create(model="whisper-1", file=sound).text == TEXT
    first, second = server.send()["asked"]
    assert first == {"model": "whisper-1", "language": "de", "prompt": "Headroom", "translate_to": "",
                     "unpunctuated": False, "word_times": False, "size": 50_004}
    assert second["translate_to"] == "en"
    client.audio.transcriptions.create(model="whisper-1", file=sound, language="en",
                                       extra_body={"translate_to": "fr", "punctuation": "false"})
    third = server.send()["asked"][-1]
    assert (third["translate_to"], third["unpunctuated"]) == ("fr", True)


def test_every_format(server, sound):
    create = server.client().audio.transcriptions.create
    assert create(model="whisper-1", file=sound, response_format="text") == TEXT + "\n"
    for chunking in ("auto", {"type": "server_vad", "threshold": 0.5}):
        assert create(model="gpt-4o-transcribe", file=sound, chunking_strategy=chunking).text == TEXT
    assert create(model="whisper-1", file=sound, response_format="srt").startswith("1\n00:00:00,000 --> ")
    assert create(model="whisper-1", file=sound, response_format="vtt").startswith("WEBVTT\n")
    verbose = create(model="whisper-1", file=sound, response_format="verbose_json",
                     timestamp_granularities=["word", "segment"])
    assert (verbose.text, verbose.language, verbose.duration) == (TEXT, "de", 4.0)
    assert [(s.id, s.start, s.end, s.text) for s in verbose.segments] == [
        (0, 0.0, 1.5, "Guten Tag."), (1, 1.5, 4.0, "How are you?")]
    assert [(w.word, w.start, w.end) for w in verbose.words][:2] == [("Guten", 0.0, 0.7), ("Tag.", 0.7, 1.5)]
    assert server.send()["asked"][-1]["word_times"]


def test_a_stream(server, sound):
    events = list(server.client().audio.transcriptions.create(model="whisper-1", file=sound, stream=True))
    assert [event.type for event in events] == ["transcript.text.delta"] * 2 + ["transcript.text.done"]
    assert "".join(event.delta for event in events[:-1]) == events[-1].text == TEXT


def test_a_stream_that_fails_raises(server, sound):
    server.send(error="worker_lost")
    stream = server.client().audio.transcriptions.create(model="whisper-1", file=sound, stream=True)
    with pytest.raises(openai.APIError, match="as it was told"):
        list(stream)


@pytest.mark.parametrize("error, raised", [
    ("corrupt", openai.BadRequestError), ("busy", openai.RateLimitError),
    ("no_memory", openai.InternalServerError), ("not_found", openai.NotFoundError)])
def test_errors_are_those_of_the_client(server, sound, error, raised):
    server.send(error=error)
    with pytest.raises(raised, match="as it was told") as why:
        server.client().audio.transcriptions.create(model="whisper-1", file=sound)
    if error in ("busy", "no_memory"):
        assert int(why.value.response.headers["retry-after"]) >= 1


def test_what_is_wrong_names_its_field(server, sound):
    with pytest.raises(openai.NotFoundError) as why:
        server.client().audio.transcriptions.create(model="other", file=sound)
    assert (why.value.param, why.value.code) == ("model", "model_not_found")
    with pytest.raises(openai.BadRequestError) as why:
        server.client().audio.transcriptions.create(model="whisper-1", file=sound, language="german")
    assert (why.value.param, why.value.code) == ("language", "invalid_language_format")
    with pytest.raises(openai.BadRequestError) as why:
        server.client().audio.transcriptions.create(model="whisper-1", file=sound, temperature=2)
    assert why.value.param == "temperature"
    assert server.send()["asked"] == []


def test_models(server):
    client = server.client()
    assert [model.id for model in client.models.list()] == ["whisper-base", "parakeet", "whisper-1"]
    assert client.models.retrieve("whisper-base").loaded
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-9")


def test_not_ready_is_said_with_its_reason_and_time(server, sound):
    server.send(not_ready="memory is critical")
    with pytest.raises(openai.InternalServerError, match="memory is critical") as why:
        server.client().audio.transcriptions.create(model="whisper-1", file=sound)
    assert (why.value.status_code, why.value.response.headers["retry-after"]) == (503, "7")
    code, body = server.curl("/readyz")
    assert (code, json.loads(body)["reason"]) == (503, "memory is critical")
    assert server.curl("/livez") == (200, "alive\n")


def test_a_client_that_leaves_takes_its_job_along(server, sound):
    server.send(delay_ms=PATIENCE * 1000)
    curl = subprocess.Popen(["curl", "-sS", "-F", f"file=@{sound}", server.url + "/v1/audio/transcriptions"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: server.send()["jobs"], "a job", PATIENCE)
    curl.kill()
    curl.wait()
    wait_for(lambda: not server.send()["jobs"], "the end of the job", PATIENCE)
    assert server.send() | {"asked": None} == {"asked": None, "jobs": 0, "cancelled": 1}


def test_a_large_file_goes_through_to_a_file_without_a_name(server, tmp_path):
    large = tmp_path / "large.wav"
    with large.open("wb") as file:
        file.truncate(100_000_000)
    # curl asks first whether it may send as much.
    code, body = server.curl("/v1/audio/transcriptions", "-F", f"file=@{large}", "-F", "response_format=text")
    assert (code, body) == (200, TEXT + "\n")
    assert server.send()["asked"][0]["size"] == 100_000_000
    assert not any((tmp_path / "home/.config/headroom/uploads").iterdir())


def test_a_token_of_the_command_line_gives_access_until_it_is_revoked(headroom, server, sound):
    create = lambda token: server.client(token).audio.transcriptions.create(model="whisper-1", file=sound)  # noqa: E731
    assert create("anything").text == TEXT
    made = headroom("token", "add", "phone")
    assert made.code == 0 and "not shown again" in made.err
    token = made.out.strip()
    with pytest.raises(openai.AuthenticationError) as why:
        create("anything")
    assert why.value.code == "invalid_api_key"
    assert create(token).text == TEXT
    listed = headroom("token", "list")
    assert "phone" in listed.out and token not in listed.out
    assert json.loads(headroom("token", "list", "--json").out)["tokens"][0]["name"] == "phone"
    assert headroom("token", "add", "phone").code != 0
    assert headroom("token", "revoke", "phone").code == 0
    with pytest.raises(openai.AuthenticationError):
        create(token)
    assert headroom("token", "revoke", "phone").code == 3
    assert "no client has access" in headroom("token", "list").err


def test_a_browser_of_another_site_gets_nothing(server):
    for path in ("/api/status", "/api/models", "/api/history"):
        assert server.curl(path, "-H", "Origin: https://evil.example")[0] == 403
        assert server.curl(path, "-H", "Host: evil.example")[0] == 403
    assert server.curl("/api/status")[0] == 200
    assert server.curl("/api/history")[0] == 404  # unless the configuration says so


def test_the_page_is_whole(server):
    code, html = server.curl("/")
    assert code == 200 and "http" not in html.replace("<!doctype html>", ""), "nothing comes from elsewhere"
    for path in ("/page.js", "/page.css"):
        assert path in html and server.curl(path)[0] == 200


def test_metrics_count(server):
    server.curl("/livez")
    _, text = server.curl("/metrics")
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert values["headroom_http_requests_total"] == "2"
    assert values["headroom_http_open_connections"] == "1"


@pytest.fixture
def secure(headroom, tmp_path):
    """A server with a certificate, and what curl needs to believe it."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", key, "-out", certificate], check=True, capture_output=True)
    key.chmod(0o600)
    server = Server(headroom, tmp_path, certificate, key)
    server.certificate = certificate
    yield server
    server.process.communicate(timeout=PATIENCE)
    assert server.process.returncode == 0


def test_tls_carries_everything(secure, tmp_path):
    trust = ("--cacert", secure.certificate)
    large = tmp_path / "large.wav"
    with large.open("wb") as file:
        file.truncate(20_000_000)
    upload = ("-F", f"file=@{large}", "-F", "response_format=text")
    assert secure.curl("/v1/audio/transcriptions", *trust, *upload) == (200, TEXT + "\n")
    assert secure.send()["asked"][0]["size"] == 20_000_000
    code, events = secure.curl("/v1/audio/transcriptions", *trust, "-N", "-F", f"file=@{large}", "-F", "stream=true")
    assert code == 200 and events.count("event: transcript.text.delta") == 2 and "transcript.text.done" in events
    # One connection, several requests.
    done = subprocess.run(["curl", "-sS", "-w", "%{num_connects}\n", *trust, *[secure.url + "/livez"] * 3],
                          capture_output=True, text=True, check=True)
    assert done.stdout == "alive\n1\nalive\n0\nalive\n0\n"
    assert secure.curl("/livez", *trust, "-H", f"Origin: {secure.url}")[0] == 200
    assert secure.curl("/livez", *trust, "-H", f"Origin: http://127.0.0.1:{secure.port}")[0] == 403
    # Refused before its body was read: the answer still arrives.
    code, body = secure.curl("/v1/audio/transcriptions", *trust, "-H", "Expect:", "-H", "Content-Type: text/plain",
                             "--data-binary", f"@{large}")
    assert (code, json.loads(body)["error"]["code"]) == (415, "not_a_form")


def test_a_realtime_socket_over_tls(secure):
    context = ssl.create_default_context(cafile=secure.certificate)
    with connect(f"wss://127.0.0.1:{secure.port}/v1/realtime", ssl=context, open_timeout=PATIENCE) as realtime:
        assert json.loads(realtime.recv(timeout=PATIENCE))["type"] == "session.created"
        realtime.send(json.dumps({"type": "input_audio_buffer.append", "audio": "AAAA" * 200_000}))
        realtime.send(json.dumps({"type": "input_audio_buffer.clear"}))
        assert json.loads(realtime.recv(timeout=PATIENCE))["type"] == "input_audio_buffer.cleared"


def test_tls_is_not_spoken_in_plain_nor_in_old_versions(secure):
    plain = subprocess.run(["curl", "-sS", "-m", "20", f"http://127.0.0.1:{secure.port}/livez"], capture_output=True)
    assert plain.returncode != 0 and b"alive" not in plain.stdout
    old = subprocess.run(["curl", "-sS", "-m", "20", "--cacert", secure.certificate, "--tls-max", "1.1",
                          "--ciphers", "DEFAULT@SECLEVEL=0", secure.url + "/livez"], capture_output=True)
    assert old.returncode != 0
    assert secure.curl("/livez", "--cacert", secure.certificate) == (200, "alive\n")


def test_clients_that_leave_in_the_middle_of_tls_leave_nothing(secure):
    trust = ("--cacert", secure.certificate)
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", secure.port)) as raw:
            raw.sendall(b"\x16\x03\x01")
    context = ssl.create_default_context(cafile=secure.certificate)
    with socket.create_connection(("127.0.0.1", secure.port)) as raw:
        with context.wrap_socket(raw, server_hostname="127.0.0.1") as stream:
            stream.sendall(b"GET /livez HT")
    wait_for(lambda: "headroom_http_open_connections 1\n" in secure.curl("/metrics", *trust)[1],
             "the end of all other connections", PATIENCE)


def test_every_row_of_the_conformance_table_names_a_test():
    root = Path(__file__).parent.parent
    table = (root / "docs/api.md").read_text().split("## Conformance\n")[1]
    sources = "".join(path.read_text() for path in (root / "src/net").rglob("*_test.cc"))
    rows = [line for line in table.splitlines() if line.startswith("| ") and "`" in line]
    assert len(rows) > 10
    for row in rows:
        tests = re.findall(r"`(\w+_test\.py)::(\w+)`|`(\w+)\.(\w+)`", row.rsplit("|", 2)[1])
        assert tests, row
        for file, name, suite, case in tests:
            if file:
                assert f"def {name}(" in (root / "tests" / file).read_text(), row
            else:
                assert re.search(rf"TEST(_F)?\({suite}, {case}\)", sources), row
