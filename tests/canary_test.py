"""Canary in the engine, beside an implementation of its own (canary_reference.py), on real speech.

Weights are random, so the text is nonsense; the numbers are not. What is compared is the relative
error: the root of the mean square of the difference, over what the reference varies in time.
"""

import json
import os
import re
import subprocess
import sys
import wave
from pathlib import Path

import canary_reference as reference
import make_canary
import numpy as np
import pytest

from live_daemon import files, free_port
from live_daemon import start as start_daemon  # noqa: F401 (a fixture)

TESTS = Path(__file__).parent
BIN = Path(os.environ["HEADROOM_TEST_BIN"])
JFK = Path(os.environ["HEADROOM_TEST_ENGINE"]) / "samples/jfk.wav"
PROMPT_TOKENS = 9
GRAPHS = 7  # encoder, keys of its output, prompt, four tokens: enough for what is remembered of them

# Features: the engine has doubles too and keeps floats. F32: attention goes through F16 queries, keys,
# values and positions (11 bits, 5e-4 of a number), and what the decoder's parts add varies a tenth
# as much as it is large. F16: so do all products. Q8_0, Q4_K_M: the reference has the weights as
# quantised, but the engine also quantises what they are multiplied with to 8 bits, whose step is
# some 0.02 of the deviation, in every product. Each is about three times what was measured.
MEL = 1e-5
TOLERANCES = {
    "f32": {"encoder": 4e-3, "parts": 3e-2, "logits": 4e-3},
    "f16": {"encoder": 6e-3, "parts": 3e-2, "logits": 4e-3},
    "q8_0": {"encoder": 6e-2, "parts": 0.15, "logits": 5e-2},
    "q4_k_m": {"encoder": 9e-2, "parts": 0.2, "logits": 7e-2},
}


def relative_error(got, wanted):
    return np.sqrt(np.mean((got - wanted) ** 2) / np.mean(wanted.var(0)))


def speech():
    with wave.open(str(JFK)) as f:
        samples = np.frombuffer(f.readframes(f.getnframes()), np.int16).astype(np.float32) / 32768
    return {"3 s": samples[:48123], "7 s": samples[50000:162345]}


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("canary")
    made = set()

    def model(kind, shape="small", prompt="canary2"):
        path = folder / f"{shape}-{kind}-{prompt}.gguf"
        if path in made:
            return path
        made.add(path)
        if kind == "q4_k_m":
            quantize = [BIN / "headroom-quantize", model("f32"), path, "--quant", "Q4_K_M"]
            subprocess.run(quantize, check=True, capture_output=True)
        else:
            make = [sys.executable, TESTS / "make_canary.py", shape, kind, path, prompt]
            subprocess.run(make, check=True)
        return path

    return model


class Engine:
    """Runs of one model, and the tensors that went through them."""

    def __init__(self, model, folder):
        self.folder = folder
        program = BIN.parent / "tests/canary_live"
        self.child = subprocess.Popen(
            [program, model], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.traits = json.loads(self.child.stdout.readline())
        self.runs = 0

    def run(self, samples, **asked):
        self.runs += 1
        out = self.folder / str(self.runs)
        out.mkdir()
        samples.tofile(out / "audio")
        asked = {"audio": str(out / "audio"), "out": str(out), "graphs": GRAPHS, **asked}
        print(json.dumps(asked), file=self.child.stdin, flush=True)
        answer = json.loads(self.child.stdout.readline())
        tensors = {}
        for tensor in answer["tensors"]:
            values = np.fromfile(tensor["file"], {"f32": np.float32, "i32": np.int32}[tensor["type"]])
            # ggml leaves out a dimension of 1.
            shape = [1] * (2 - len(tensor["shape"])) + tensor["shape"]
            tensors.setdefault(tensor["name"], []).append(values.reshape(shape))
        return {"error": answer.get("error"), **tensors}

    def close(self):
        self.child.stdin.close()
        assert self.child.wait(60) == 0


@pytest.fixture
def start(tmp_path):
    engines = []

    def engine(model):
        engines.append(Engine(model, tmp_path))
        return engines[-1]

    yield engine
    for one in engines:
        one.close()


@pytest.mark.parametrize("kind", TOLERANCES)
def test_numbers_are_those_of_the_published_architecture(kind, models, start):
    weights = reference.Weights(models(kind))
    engine = start(models(kind))
    limits = TOLERANCES[kind]
    for name, samples in speech().items():
        got = engine.run(samples, language="en")

        mel = reference.log_mel(samples, weights.keys["stt.frontend.pad_mode"])
        assert relative_error(got["mel.in"][0].T, mel) < MEL, name

        memory = reference.encoded(weights, mel)
        assert got["enc.final"][0].shape == memory.shape
        assert relative_error(got["enc.final"][0], memory) < limits["encoder"], name

        tokens = np.concatenate(got["dec.token_ids"], axis=1)[0]
        assert len(tokens) == PROMPT_TOKENS + GRAPHS - 3
        logits, parts = reference.decoded(weights, tokens, memory)
        assert relative_error(np.concatenate(got["dec.logits"]), logits) < limits["logits"], name
        assert len(parts) == 9
        for part, wanted in parts.items():
            error = relative_error(np.concatenate(got[part]), wanted)
            assert error < limits["parts"], (name, part)


def test_features_with_zeros_around_them(models, start):
    samples = speech()["3 s"]
    got = start(models("f16", "tiny")).run(samples, language="en")
    assert relative_error(got["mel.in"][0].T, reference.log_mel(samples, "constant")) < MEL


# NeMo's prompt formatters canary2.py and canary.py, with what is not asked for switched off.
CANARY2 = (
    "<|startofcontext|> <|startoftranscript|> <|emo:undefined|> <|{spoken}|> <|{written}|> <|{pnc}|> "
    "<|noitn|> <|notimestamp|> <|nodiarize|>"
)
PROMPTS = {
    "canary2": CANARY2,
    "canary2-one": "\u2581 " + CANARY2,  # an empty context is a space of its one vocabulary
    "canary": "<|startoftranscript|> <|{spoken}|> <|{task}|> <|{written}|> <|{pnc}|>",
}


def prompt_of(form, spoken="en", written=None, pnc="pnc"):
    written = written or spoken
    task = "transcribe" if written == spoken else "translate"
    text = PROMPTS[form].format(spoken=spoken, written=written, pnc=pnc, task=task)
    return [make_canary.SPECIAL.index(token) for token in text.split(" ")]


@pytest.mark.parametrize("form", PROMPTS)
def test_the_prompt_has_what_was_asked_for(form, models, start):
    engine = start(models("f16", "silent", form))
    assert engine.traits == {"languages": ["en", "de", "es", "fr"], "translates_to": ["en", "de", "es", "fr"]}
    samples = speech()["3 s"][:16000]

    def prompt(**asked):
        got = engine.run(samples, graphs=3, **asked)
        return got["dec.token_ids"][0][0].tolist() if "dec.token_ids" in got else got["error"]

    assert prompt() == prompt_of(form)
    assert prompt(language="de") == prompt_of(form, "de")
    assert prompt(language="fr", unpunctuated=True) == prompt_of(form, "fr", pnc="nopnc")
    assert prompt(language="de", translate_to="en") == prompt_of(form, "de", "en")
    assert prompt(language="en", translate_to="es") == prompt_of(form, "en", "es")
    # What is spoken already is not translated, said or assumed.
    assert prompt(language="en", translate_to="en") == prompt_of(form)
    assert prompt(translate_to="en") == prompt_of(form)
    for asked in ({"language": "pl"}, {"language": "en", "translate_to": "pl"},
                  {"language": "de", "translate_to": "fr"}):  # only to and from English
        assert "language" in prompt(**asked), asked


@pytest.fixture
def listening_in(headroom, tmp_path):
    """The program with a worker that prints the prompts of its runs."""
    programs, out = tmp_path / "programs", tmp_path / "out"
    programs.mkdir()
    out.mkdir()
    for program in headroom.bin.iterdir():
        (programs / program.name).symlink_to(program)
    (programs / "headroom-worker-cpu").unlink()
    (programs / "headroom-worker-cpu").symlink_to(headroom.bin.parent / "tests/canary_live")
    headroom.env |= {"HEADROOM_LIBEXEC": str(programs), "CANARY_LIVE_OUT": str(out)}

    file = out / "2-dec.token_ids"

    def prompt():
        ids = np.fromfile(file, np.int32).tolist()
        file.unlink()
        return ids

    return prompt


def test_the_command_lines_options_reach_the_prompt(headroom, listening_in, models):
    model = models("f16", "silent")

    def prompt(*options):
        outcome = headroom("transcribe", "-t", "1", "-m", model, *options, JFK)
        assert outcome.code == 0, outcome.err
        return listening_in()

    assert prompt("-l", "de") == prompt_of("canary2", "de")
    assert prompt("-l", "de", "--translate") == prompt_of("canary2", "de", "en")
    assert prompt("-l", "en", "--translate-to", "fr", "--no-punctuation") == prompt_of(
        "canary2", "en", "fr", pnc="nopnc")
    refused = headroom("transcribe", "-m", model, "--translate-to", "pl", JFK)
    assert refused.code != 0 and 'cannot translate into "pl"' in refused.err


def test_the_services_settings_and_fields_reach_the_prompt(headroom, listening_in, models, start_daemon):
    """Dictation takes what the configuration says; a request over HTTP what it says itself."""
    model = models("f16", "silent")
    port = free_port()
    daemon = start_daemon(f"models.tiers=['{model}@cpu']", "models.threads=1", "audio.source=file",
                          files(JFK), f"server.listen=127.0.0.1:{port}", "speech.language=de",
                          "speech.translate_to=en", "speech.punctuation=false")
    daemon.call("POST", "listen")
    daemon.idle()
    assert listening_in() == prompt_of("canary2", "de", "en", pnc="nopnc")

    def curl(*arguments):
        done = subprocess.run(["curl", "-sS", "-f", *arguments], capture_output=True, timeout=120)
        assert done.returncode == 0, (done.stdout, done.stderr)

    def prompt(route, *fields):
        # A worker prints the prompt of its first run.
        curl("-H", "Content-Type: application/json", "-d", "{}", f"http://127.0.0.1:{port}/api/models/unload")
        form = [part for field in ("model=whisper-1", *fields) for part in ("-F", field)]
        curl("-F", f"file=@{JFK}", *form, f"http://127.0.0.1:{port}/v1/audio/{route}")
        return listening_in()

    assert prompt("transcriptions", "language=fr") == prompt_of("canary2", "fr")
    assert prompt("translations", "language=es") == prompt_of("canary2", "es", "en")
    assert prompt("transcriptions", "language=en", "translate_to=fr", "punctuation=false") == prompt_of(
        "canary2", "en", "fr", pnc="nopnc")


# Softmax does not change when all scores of a query do.
WITHOUT_EFFECT = ("linear_k.bias", "attn.k.bias")


def test_no_tensor_can_be_wrong_without_being_noticed(models):
    """In the reference: what is compared moves by more than is tolerated without any one of them."""
    weights = reference.Weights(models("f32"))
    limits = TOLERANCES["f32"]
    mel = reference.log_mel(speech()["3 s"][:24000], "reflect")
    tokens = np.array([7, 4, 16, 17, 17, 5, 9, 11, 13, 1000, 2000])
    memory = reference.encoded(weights, mel)
    logits, parts = reference.decoded(weights, tokens, memory)

    def moved(name):
        if name.startswith("enc."):
            return relative_error(reference.encoded(weights, mel), memory) / limits["encoder"]
        others = reference.decoded(weights, tokens, memory)
        errors = [relative_error(others[1][p], parts[p]) / limits["parts"] for p in parts]
        return max([*errors, relative_error(others[0], logits) / limits["logits"]])

    tried = 0
    for name, tensor in weights.tensors.items():
        layer = re.search(r"(blocks|layer)\.(\d)", name)
        if name.endswith(WITHOUT_EFFECT) or layer and layer[2] != "1":
            continue
        scale = "norm" in name and name.endswith("weight") or name.endswith(("bn.weight", "_var"))
        weights.tensors[name] = np.full_like(tensor, scale)
        assert moved(name) > 1, name
        weights.tensors[name] = tensor
        tried += 1
    assert tried > 70
