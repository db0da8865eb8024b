#!/usr/bin/env python3
"""Writes a Canary model with random weights, for tests of memory, speed and plumbing.

    make_canary.py {tiny,silent,small,180m,1b,180m-silent,1b-silent} {f32,f16,q8_0} OUT.gguf [PROMPT]

Needs numpy and gguf. PROMPT is canary2 (of both flash models), canary2-one (of 1b-v2: one vocabulary for all
languages) or canary (of the first 1b).

180m and 1b have the shapes of canary-180m-flash and canary-1b-flash, the others have made-up ones. What is
silent ends at once, whatever was said. The engine loads and runs them; what they "recognise" is noise.
Every weight is drawn with the deviation 0.7 / sqrt(fan-in), so that activations neither vanish nor explode through the layers. In
small no bias is near 0, no scale near 1, attention chooses, and every row is long enough for every
quantisation, so that no part can be left out or confused without changing what comes out.
"""

import argparse
from dataclasses import dataclass, replace

import gguf
import numpy as np

VOCABULARY = 5248
POSITIONS = 1024
MEL_BANDS = 128
KERNEL = 9
LANGUAGES = ["en", "de", "es", "fr"]
SPECIAL = (
    "<unk> <|nospeech|> <pad> <|endoftext|> <|startoftranscript|> <|pnc|> <|nopnc|> "
    "<|startofcontext|> <|itn|> <|noitn|> <|timestamp|> <|notimestamp|> <|diarize|> "
    "<|nodiarize|> <|spkchange|> <|audioseparator|> <|emo:undefined|>"
).split() + [f"<|{code}|>" for code in LANGUAGES] + ["<|transcribe|>", "<|translate|>", "\u2581"]
PROMPTS = ("canary2", "canary2-one", "canary")
NAMED_SPECIALS = (
    "startoftranscript startofcontext endoftext nospeech pnc nopnc itn noitn timestamp "
    "notimestamp diarize nodiarize"
).split()


@dataclass
class Shape:
    layers: int
    width: int
    heads: int
    inner: int
    channels: int
    decoder_layers: int
    decoder_width: int
    decoder_heads: int
    decoder_inner: int
    biases: float = 0.01  # their deviation
    scales: float = 0.0  # that of their logarithms
    gain: float = 1.0  # of queries, keys and the first convolutions: with 1 frames and attention
    # are nearly the same everywhere
    pad_mode: str = "constant"
    silent: bool = False  # ends at once, whatever was said

    @property
    def projected(self):
        return self.width != self.decoder_width


SHAPES = {
    "tiny": Shape(2, 64, 4, 128, 16, 2, 64, 4, 128),
    "silent": Shape(1, 64, 4, 128, 16, 1, 64, 4, 128, silent=True),
    "small": Shape(3, 256, 4, 512, 32, 3, 512, 8, 512, 0.3, 0.3, 3.0, "reflect"),
    "180m": Shape(17, 512, 8, 2048, 256, 4, 1024, 8, 4096),
    "1b": Shape(32, 1024, 8, 4096, 256, 4, 1024, 8, 4096),
}
SHAPES |= {f"{name}-silent": replace(SHAPES[name], silent=True) for name in ("180m", "1b")}


class Model:
    def __init__(self, path, shape, weights, prompt):
        self.shape = shape
        self.weights = weights
        self.prompt = prompt
        self.random = np.random.default_rng(0)
        self.out = gguf.GGUFWriter(path, "canary")

    # -- tensors; sizes are in ggml's order, fastest first -------------------------------------

    def noise(self, size, deviation):
        count = int(np.prod(size))
        values = self.random.standard_normal(count, dtype=np.float32) * np.float32(deviation)
        return values.reshape(tuple(reversed(size)))

    def matrix(self, name, columns, rows):
        values = self.noise((columns, rows), 0.7 / np.sqrt(columns))
        if name.endswith(("linear_q.weight", "linear_k.weight", "attn.q.weight", "attn.k.weight")):
            values *= np.float32(self.shape.gain)
        if self.weights == "f16":
            self.out.add_tensor(name, values.astype(np.float16))
        elif self.weights == "f32" or columns % 32:
            self.out.add_tensor(name, values)
        else:
            kind = gguf.GGMLQuantizationType.Q8_0
            self.out.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)

    def convolution(self, name, *size):
        values = self.noise(size, 0.7 / np.sqrt(np.prod(size[:-1])))
        if ".pre_encode." in name:
            values *= np.float32(self.shape.gain)
        self.out.add_tensor(name, values.astype(np.float32 if self.weights == "f32" else np.float16))

    def ones(self, name, n):
        ones = np.ones(n, np.float32)
        scales = self.shape.scales
        self.out.add_tensor(name, np.exp(self.noise((n,), scales)) if scales else ones)

    def small(self, name, *size):
        self.out.add_tensor(name, self.noise(size, self.shape.biases))

    def linear(self, name, columns, rows):
        self.matrix(f"{name}.weight", columns, rows)
        self.small(f"{name}.bias", rows)

    def norm(self, name, n):
        self.ones(f"{name}.weight", n)
        self.small(f"{name}.bias", n)

    # -- metadata ------------------------------------------------------------------------------

    def put(self, prefix, **values):
        for key, value in values.items():
            key = prefix + key
            if isinstance(value, bool):
                self.out.add_bool(key, value)
            elif isinstance(value, int):
                self.out.add_uint32(key, value)
            elif isinstance(value, float):
                self.out.add_float32(key, value)
            elif isinstance(value, str):
                self.out.add_string(key, value)
            else:
                self.out.add_array(key, value)

    def describe(self, name):
        s = self.shape
        self.put("stt.", variant=f"canary-{name}-random")
        self.put("stt.capability.", translate=True, lang_detect=False, timestamps=False)
        self.put("general.", languages=LANGUAGES)
        pairs = [p for code in LANGUAGES[1:] for p in (f"en>{code}", f"{code}>en")]
        self.put("stt.translation.", target_languages=LANGUAGES, pairs=pairs)
        self.put(
            "stt.canary.encoder.",
            n_layers=s.layers, d_model=s.width, n_heads=s.heads, d_ff=s.inner,
            conv_kernel=KERNEL, subsampling_factor=8, subsampling_channels=s.channels,
            pos_emb_max_len=5000, use_bias=True,
        )  # fmt: skip
        self.put(
            "stt.canary.decoder.",
            n_layers=s.decoder_layers, d_model=s.decoder_width, n_heads=s.decoder_heads,
            d_ff=s.decoder_inner, max_position=POSITIONS, vocab_size=VOCABULARY,
            activation="relu", pre_ln=True, learn_positional_encodings=False,
            encoder_decoder_proj=s.projected,
        )  # fmt: skip
        self.put(
            "stt.frontend.",
            type="mel", num_mels=MEL_BANDS, sample_rate=16000, n_fft=512, win_length=400,
            hop_length=160, window="hann", normalize="per_feature", dither=0.0,
            pre_emphasis=0.97, f_min=0.0, f_max=8000.0, log=True, pad_mode=s.pad_mode,
        )  # fmt: skip

    def describe_tokens(self):
        tokens = SPECIAL + [f"▁w{i}" for i in range(VOCABULARY - len(SPECIAL))]
        kinds = [3] * len(SPECIAL) + [1] * (VOCABULARY - len(SPECIAL))
        self.put(
            "tokenizer.ggml.",
            model="unigram", tokens=tokens, scores=[0.0] * VOCABULARY, token_type=kinds,
            unknown_token_id=0, bos_token_id=4, eos_token_id=3, padding_token_id=2,
        )  # fmt: skip
        sizes = [1152] + [1024] * len(LANGUAGES)
        self.put(
            "stt.canary.tokenizer.",
            lang_codes=["spl_tokens"] + LANGUAGES,
            lang_offsets=[sum(sizes[:i]) for i in range(len(sizes))],
            lang_sizes=sizes, single_sp=self.prompt == "canary2-one",
            prompt_format=self.prompt.removesuffix("-one"),
        )  # fmt: skip
        special = "stt.canary.special."
        self.put(special, pad_id=SPECIAL.index("<pad>"))
        for name in NAMED_SPECIALS + ["transcribe", "translate"] * (self.prompt == "canary"):
            self.put(special, **{f"{name}_id": SPECIAL.index(f"<|{name}|>")})
        for code in LANGUAGES:
            self.put(special, **{f"lang.{code}_id": SPECIAL.index(f"<|{code}|>")})

    # -- layers --------------------------------------------------------------------------------

    def subsampling(self):
        s = self.shape
        for index in (0, 2, 3, 5, 6):
            pointwise = index in (3, 6)
            size = (1, 1, s.channels, s.channels) if pointwise else (3, 3, 1, s.channels)
            self.convolution(f"enc.pre_encode.conv.{index}.weight", *size)
            self.small(f"enc.pre_encode.conv.{index}.bias", s.channels)
        self.linear("enc.pre_encode.out", s.channels * MEL_BANDS // 8, s.width)

    def encoder_block(self, at):
        s = self.shape
        d = s.width
        for part in ("ff1", "attn", "conv", "ff2", "out"):
            self.norm(f"{at}norm_{part}", d)
        for part in ("ff1", "ff2"):
            self.linear(f"{at}{part}.linear1", d, s.inner)
            self.linear(f"{at}{part}.linear2", s.inner, d)
        for part in ("q", "k", "v", "out"):
            self.linear(f"{at}attn.linear_{part}", d, d)
        self.matrix(f"{at}attn.linear_pos.weight", d, d)
        for part in ("u", "v"):
            self.small(f"{at}attn.pos_bias_{part}", d // s.heads, s.heads)
        for part, size in (
            ("pointwise1", (1, d, 2 * d)),
            ("depthwise", (KERNEL, 1, d)),
            ("pointwise2", (1, d, d)),
        ):
            self.convolution(f"{at}conv.{part}.weight", *size)
            self.small(f"{at}conv.{part}.bias", size[-1])
        self.norm(f"{at}conv.bn", d)
        self.small(f"{at}conv.bn.running_mean", d)
        self.ones(f"{at}conv.bn.running_var", d)

    def decoder(self):
        s = self.shape
        d = s.decoder_width
        self.matrix("dec.embed.token.weight", d, VOCABULARY)
        self.small("dec.embed.pos_enc", d, POSITIONS)
        self.norm("dec.embed.norm", d)
        for layer in range(s.decoder_layers):
            at = f"dec.layer.{layer}."
            for n in (1, 2, 3):
                self.norm(f"{at}norm{n}", d)
            for attention in ("self_attn", "cross_attn"):
                for part in "qkvo":
                    self.linear(f"{at}{attention}.{part}", d, d)
            self.linear(f"{at}ffn.up", d, s.decoder_inner)
            self.linear(f"{at}ffn.down", s.decoder_inner, d)
        self.norm("dec.norm", d)
        self.matrix("dec.head.weight", d, VOCABULARY)
        bias = self.noise((VOCABULARY,), s.biases)
        bias[SPECIAL.index("<|endoftext|>")] += 1000 * s.silent
        self.out.add_tensor("dec.head.bias", bias)

    def write(self):
        self.subsampling()
        for layer in range(self.shape.layers):
            self.encoder_block(f"enc.blocks.{layer}.")
        if self.shape.projected:
            self.linear("enc.proj", self.shape.width, self.shape.decoder_width)
        self.decoder()
        self.out.write_header_to_file()
        self.out.write_kv_data_to_file()
        self.out.write_tensors_to_file()
        self.out.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("weights", choices=("f32", "f16", "q8_0"))
    parser.add_argument("out")
    parser.add_argument("prompt", choices=PROMPTS, nargs="?", default="canary2")
    arguments = parser.parse_args()
    model = Model(arguments.out, SHAPES[arguments.shape], arguments.weights, arguments.prompt)
    model.describe(arguments.shape)
    model.describe_tokens()
    model.write()


if __name__ == "__main__":
    main()
