"""headroom models, as a person uses it, against a local hub that misbehaves (hub_server.py)."""

import json
import os
import pty
import random
import re
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from waiting import wait_for


def tiny_gguf(variant, weights=512, seed=1):
    """A model file that is whole and useless: one F16 tensor."""

    def text(value):
        return struct.pack("<Q", len(value)) + value.encode()

    keys = text("general.architecture") + struct.pack("<I", 8) + text("whisper")
    keys += text("stt.variant") + struct.pack("<I", 8) + text(variant)
    keys += text("general.file_type") + struct.pack("<II", 4, 1)
    tensor = text("weight") + struct.pack("<IQIQ", 1, weights, 1, 0)
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 3) + keys + tensor
    head += bytes(-len(head) % 32)
    data = bytearray(random.Random(seed).randbytes(2 * weights))
    data[1::2] = bytes(b & 0x3F for b in data[1::2])  # finite numbers only
    return head + bytes(data)


CATALOGUE = """
defaults = ["toy"]
vad = "toy-vad"
[[model]]
name = "toy"
family = "whisper"
repository = "me/toy"
licence = "MIT"
languages = ["en", "de"]
features = ["vocabulary"]
default = "Q8_0"
files = [{ quantisation = "F16", size = "2 MB" }, { quantisation = "Q8_0", size = "1 MB", wer = 5.5 }]
[[model]]
name = "toy-vad"
family = "silero-vad"
role = "vad"
repository = "me/toy"
default = "F32"
files = [{ quantisation = "F32", size = "1 MB" }]
"""


class Hub:
    def __init__(self, root):
        self.root = root
        root.mkdir()
        script = Path(__file__).with_name("hub_server.py")
        self.process = subprocess.Popen(
            [sys.executable, script, root], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.endpoint = f"http://127.0.0.1:{self.process.stdout.readline().split()[0].decode()}"

    def put(self, name, content, answer=None):
        (self.root / name).write_bytes(content)
        (self.root / f"{name}.hub.json").write_text(json.dumps(answer or {"linked": True}))

    def requests(self):
        log = self.root / "log.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


@pytest.fixture
def hub(tmp_path):
    hub = Hub(tmp_path / "hub")
    yield hub
    hub.process.kill()
    hub.process.wait()


@pytest.fixture
def models(headroom, hub, tmp_path):
    """Calls headroom models with an empty store, a small catalogue of its own and the hub."""
    store = tmp_path / "store"
    config = headroom.home / ".config/headroom"
    config.mkdir(parents=True)
    (config / "models.toml").write_text(CATALOGUE)
    headroom.env.update(HEADROOM_MODELS=str(store), HF_ENDPOINT=hub.endpoint, HEADROOM_HUB="")

    def call(*args, **kwargs):
        return headroom("models", *args, **kwargs)

    call.headroom, call.hub, call.store, call.config = headroom, hub, store, config / "models.toml"
    return call


def one_line(outcome, code, *words):
    lines = outcome.err.splitlines()
    assert outcome.code == code, outcome
    assert len(lines) == 1 and lines[0].startswith("headroom: "), outcome.err
    for word in words:
        assert word in lines[0], f"{word!r} is not in {lines[0]!r}"


def visible(folder):
    return sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))


# Names and lists


def test_the_list_shows_what_is_here_and_where_its_numbers_come_from(models):
    models.hub.put("toy-Q8_0.gguf", tiny_gguf("toy"))
    assert "toy-vad" in models("list").out
    assert "whisper-base" in models("list").out
    assert "canary-500m" not in models("list").out
    assert models("list", "--here").out == ""
    assert models("pull", "toy").code == 0
    here = models("list", "--here").out
    assert re.search(r"^toy +Q8_0 +1\.\d+ kB +2 +5\.50 % +Q8_0$", here, re.M), here
    assert "LibriSpeech test-clean" in here


def test_lists_and_information_for_programs(models):
    known = {m["name"]: m for m in json.loads(models("list", "--json").out)["models"]}
    assert known["toy"]["languages"] == ["en", "de"]
    assert known["toy"]["files"][1]["wer_percent"] == 5.5
    assert not known["toy"]["files"][1]["here"]
    assert known["canary-256m"]["published"] is False
    assert known["canary-256m"]["nearest"] == "canary-180m-flash"
    assert json.loads(models("info", "toy", "--json").out)["licence"] == "MIT"
    assert "Apache-2.0" in models("info", "whisper-base").out


def test_wrong_names_get_an_answer(models):
    one_line(models("pull", "whisper-bsae"), 3, "near to it: whisper-base")
    one_line(models("pull", "canary-500m"), 4, "never published", "pull canary-180m-flash")
    one_line(models("pull", "toy:Q7"), 2, "there are F16, Q8_0")
    one_line(models("path", "toy"), 3, "headroom models pull toy")
    one_line(models("path"), 3, "headroom models pull toy")
    one_line(models("rm", "toy"), 3, "toy is not installed")
    assert models("bundle").code == 2
    assert models("bundle", "toy").code == 2


def test_a_mistake_in_the_users_catalogue_is_said_with_its_line(models):
    models.config.write_text('[[model]]\nname = "mine"\nfamly = "whisper"\n')
    one_line(models("list"), 2, "models.toml:3", 'unknown key "famly"')


# Pulling


def test_pull_then_path_verify_and_rm(models):
    models.hub.put("toy-Q8_0.gguf", tiny_gguf("toy"))
    got = models("pull", "toy")
    assert got.code == 0 and got.err == ""
    path = models.store / "toy-Q8_0.gguf"
    assert got.out.split() == ["toy:Q8_0", *got.out.split()[1:3], str(path)]
    assert models("path", "toy").out == f"{path}\n"
    assert models("path").out == f"{path}\n"
    assert re.match(r"toy:Q8_0  ok  [0-9a-f]{64}\n$", models("verify").out)
    again = models("pull", "toy")
    assert again.code == 0 and "already installed" in again.err
    assert len(models.hub.requests()) == 1

    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    one_line(models("verify"), 4, "have changed", "headroom models rm toy:Q8_0")
    assert models("rm", "toy").out == "removed toy:Q8_0\n"
    assert visible(models.store) == ["models.lock"]


def test_several_at_once_and_the_first_failure_counts(models):
    models.hub.put("toy-vad-F32.gguf", tiny_gguf("toy-vad"))
    got = models("pull", "toy", "toy-vad")
    assert got.code == 3 and "404" in got.err
    assert visible(models.store) == ["models.lock", "toy-vad-F32.gguf"]


def test_the_token_is_sent(models):
    models.hub.put("toy-Q8_0.gguf", tiny_gguf("toy"), {"linked": True, "redirect": "cdn"})
    assert models("pull", "toy", env={"HF_TOKEN": "hf_secret"}).code == 0
    assert [r["authorization"] for r in models.hub.requests()] == ["Bearer hf_secret", ""]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_a_part_that_the_next_pull_continues(models, number):
    content = tiny_gguf("toy", 300_000)
    models.hub.put("toy-Q8_0.gguf", content, {"linked": True, "hang": 200_000})
    process = models.headroom.popen("models", "pull", "toy", stderr=subprocess.PIPE)
    part = models.store / "toy-Q8_0.gguf.part"
    wait_for(lambda: part.exists() and part.stat().st_size == 200_000, "the first part", 20, every=0.02)
    process.send_signal(number)
    _, err = process.communicate(timeout=5)
    assert process.returncode == 130
    assert err.decode() == "headroom: stopped; 200 kB kept, the same command goes on from there\n"

    models.hub.put("toy-Q8_0.gguf", content)
    assert models("pull", "toy").code == 0
    assert models.hub.requests()[-1]["range"] == "bytes=200000-"
    assert visible(models.store) == ["models.lock", "toy-Q8_0.gguf"]


def test_killed_outright_the_next_pull_continues_too(models):
    content = tiny_gguf("toy", 300_000)
    models.hub.put("toy-Q8_0.gguf", content, {"linked": True, "hang": 200_000})
    process = models.headroom.popen("models", "pull", "toy")
    part = models.store / "toy-Q8_0.gguf.part"
    wait_for(lambda: part.exists() and part.stat().st_size == 200_000, "the first part", 20, every=0.02)
    process.kill()
    process.wait()
    models.hub.put("toy-Q8_0.gguf", content)
    assert models("pull", "toy").code == 0
    assert models.hub.requests()[-1]["range"] == "bytes=200000-"


def test_two_pulls_of_one_model(models):
    models.hub.put("toy-Q8_0.gguf", tiny_gguf("toy"), {"linked": True, "slow": 200})
    pulls = [models.headroom.popen("models", "pull", "toy", stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE) for _ in range(3)]
    said = [pull.communicate(timeout=30)[1].decode() for pull in pulls]
    assert [pull.returncode for pull in pulls] == [0, 0, 0]
    assert sum("already installed" in text for text in said) == 2
    assert len(models.hub.requests()) == 1


def test_without_a_network_it_is_one_line(models):
    one_line(models("pull", "toy", "--offline"), 5, "--offline")
    one_line(models("pull", "toy", env={"HF_ENDPOINT": "http://127.0.0.1:1"}), 5, "127.0.0.1:1")
    one_line(models("pull", "toy", env={"HEADROOM_HUB": "off"}), 5, "HEADROOM_HUB=off")
    assert visible(models.store) == []


def test_a_wrong_sum_is_refused(models):
    models.hub.put("toy-Q8_0.gguf", tiny_gguf("toy"), {"linked": "0" * 64})
    one_line(models("pull", "toy"), 4, "sha256")
    assert visible(models.store) == []


def test_a_terminal_shows_how_far_it_is(models):
    models.hub.put("toy-Q8_0.gguf", tiny_gguf("toy", 200_000), {"linked": True, "slow": 20_000})
    reader, terminal = pty.openpty()
    process = models.headroom.popen("models", "pull", "toy", stderr=terminal)
    os.close(terminal)
    shown = b""
    try:
        while chunk := os.read(reader, 65536):
            shown += chunk
    except OSError:
        pass  # the terminal is closed
    os.close(reader)
    assert process.wait() == 0
    text = shown.decode()
    assert "get toy:Q8_0" in text and "of 400 kB" in text
    assert re.search(r"\d+ kB/s", text), text
    assert re.search(r"0:0\d left", text), text


# Files


def test_a_bundle_goes_to_another_machine(models, tmp_path):
    models.hub.put("toy-Q8_0.gguf", tiny_gguf("toy"))
    models.hub.put("toy-vad-F32.gguf", tiny_gguf("toy-vad"))
    assert models("pull", "toy").code == 0
    bundle = tmp_path / "models.tar"
    one_line(models("bundle", "toy", "-o", bundle), 3, "headroom models pull toy-vad")
    assert models("pull", "toy-vad").code == 0
    assert models("bundle", "toy", "-o", bundle).code == 0
    other = {"HEADROOM_MODELS": str(tmp_path / "other"), "HEADROOM_HUB": "off"}
    assert models("bundle", "--from", bundle, env=other).code == 0
    assert models("verify", env=other).code == 0
    assert visible(tmp_path / "other") == ["models.lock", "toy-Q8_0.gguf", "toy-vad-F32.gguf"]


def test_import_by_name_and_by_what_the_file_says(models, tmp_path):
    source = tmp_path / "some file.gguf"
    source.write_bytes(tiny_gguf("whisper-mine"))
    assert models("import", source).out.startswith("whisper-mine:F16  ")
    assert models("import", source, "--name", "other").out.startswith("other:F16  ")
    one_line(models("import", source), 4, "already", "--name")
    assert "whisper-mine" in models("list", "--here").out
    assert "F16" in models("info", "whisper-mine").out
    one_line(models("import", tmp_path / "absent"), 3, "absent")


def test_a_folder_that_cannot_be_written(models):
    one_line(models("pull", "toy", env={"HEADROOM_MODELS": "/sys/headroom"}), 6, "/sys/headroom")
