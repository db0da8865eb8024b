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
import numpy as np
import pytest

TESTS = Path(__file__).parent
BIN = Path(os.environ["HEADROOM_TEST_BIN"])
JFK = Path(os.environ["HEADROOM_TEST_ENGINE"]) / "samples/jfk.wav"
PROMPT = "startofcontext startoftranscript emo:undefined SOURCE TARGET PNC noitn notimestamp nodiarize"
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
    paths = {}

    def model(kind, shape="small"):
        path = folder / f"{shape}-{kind}.gguf"
        if (shape, kind) in paths:
            return path
        paths[shape, kind] = path
        if kind == "q4_k_m":
            quantize = [BIN / "headroom-quantize", model("f32"), path, "--quant", "Q4_K_M"]
            subprocess.run(quantize, check=True, capture_output=True)
        else:
            make = [sys.executable, TESTS / "make_canary.py", shape, kind, path]
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
        assert len(tokens) == len(PROMPT.split()) + GRAPHS - 3
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
