"""Writes a Whisper model of ours (GGUF, F16) as the file whisper.cpp reads, weights unchanged.

    whisper_bin.py MODEL.gguf OUT.bin

The format: 32-bit integers magic "ggml", the eleven shapes, 1 for F16; the mel filters; the tokens as
bytes; then each tensor with its number of dimensions, the length of its name, its type (0: F32, 1: F16),
its dimensions, its name and its numbers. Names are those of OpenAI's PyTorch checkpoints.
"""

import re
import struct
import sys

import gguf
import numpy as np

NAMES = [  # ours (transcribe.cpp's), whisper.cpp's
    (r"enc\.conv\.(\d)\.(\w+)", lambda m: f"encoder.conv{int(m[1]) + 1}.{m[2]}"),
    (r"enc\.pos_emb\.weight", lambda m: "encoder.positional_embedding"),
    (r"dec\.pos_emb\.weight", lambda m: "decoder.positional_embedding"),
    (r"dec\.token_embd\.weight", lambda m: "decoder.token_embedding.weight"),
    (r"enc\.final_norm\.(\w+)", lambda m: f"encoder.ln_post.{m[1]}"),
    (r"dec\.final_norm\.(\w+)", lambda m: f"decoder.ln.{m[1]}"),
    (r"(enc|dec)\.blocks\.(\d+)\.(.+)\.(weight|bias)",
     lambda m: f"{m[1]}oder.blocks.{m[2]}.{PARTS[m[3]]}.{m[4]}"),
]
PARTS = {"norm_attn": "attn_ln", "norm_self": "attn_ln", "norm_cross": "cross_attn_ln",
         "norm_ffn": "mlp_ln", "ffn.fc1": "mlp.0", "ffn.fc2": "mlp.2"}
for ours, theirs in (("attn", "attn"), ("self_attn", "attn"), ("cross_attn", "cross_attn")):
    PARTS |= {f"{ours}.{p}": f"{theirs}.{q}" for p, q in
              (("q", "query"), ("k", "key"), ("v", "value"), ("out", "out"))}


def name_of(ours):
    for pattern, theirs in NAMES:
        if match := re.fullmatch(pattern, ours):
            return theirs({i: match[i] for i in range(1, (match.lastindex or 0) + 1)})
    return None


def byte_of():
    """GPT-2's printable stand-ins, back to the bytes they stand for."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    stands = {chr(b): b for b in plain}
    rest = [b for b in range(256) if b not in plain]
    return stands | {chr(256 + i): b for i, b in enumerate(rest)}


def main(source, out):
    model = gguf.GGUFReader(source)

    def number(key):
        return int(model.fields[f"stt.whisper.{key}"].parts[-1][0])

    tensors = {t.name: t for t in model.tensors}
    shape = [number("decoder.vocab_size"), number("encoder.max_source_positions"),
             number("encoder.d_model"), number("encoder.n_heads"), number("encoder.n_layers"),
             number("decoder.max_target_positions"), number("decoder.d_model"),
             number("decoder.n_heads"), number("decoder.n_layers"), number("encoder.num_mel_bins"), 1]
    field = model.fields["tokenizer.ggml.tokens"]
    tokens = [bytes(field.parts[i]).decode() for i in field.data]
    ends = int(model.fields["tokenizer.ggml.eos_token_id"].parts[-1][0])
    stands = byte_of()
    with open(out, "wb") as file:
        file.write(struct.pack("<i11i", 0x67676D6C, *shape))
        mel = tensors["frontend.mel_filterbank"].data
        file.write(struct.pack("<2i", *mel.shape) + mel.astype("<f4").tobytes())
        file.write(struct.pack("<i", ends))
        for token in tokens[:ends]:
            raw = bytes(stands[c] for c in token)
            file.write(struct.pack("<i", len(raw)) + raw)
        for ours, tensor in tensors.items():
            theirs = name_of(ours)
            if theirs is None:
                continue
            data = np.array(tensor.data)
            if re.fullmatch(r"encoder\.conv\d\.bias", theirs):
                data = data.reshape(-1, 1)
            half = data.ndim >= 2 and "positional" not in theirs and not theirs.endswith("bias")
            file.write(struct.pack("<3i", data.ndim, len(theirs), int(half)))
            file.write(struct.pack(f"<{data.ndim}i", *reversed(data.shape)))
            file.write(theirs.encode() + data.astype("<f2" if half else "<f4").tobytes())


if __name__ == "__main__":
    main(*sys.argv[1:])
