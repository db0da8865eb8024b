"""Canary in numpy and double precision: an implementation to compare the engine with.

Written from what is published and from nothing of the engine but the names in its files:
- features: NeMo's AudioToMelSpectrogramPreprocessor (pre-emphasis, centred STFT, Slaney filter bank,
  log(x + 2^-24), per-feature normalisation with Bessel's correction);
- encoder: Rekesh et al. 2023, "Fast Conformer with Linearly Scalable Attention" (depthwise-separable
  convolutions with stride 2, three times); Gulati et al. 2020, "Conformer"; Dai et al. 2019,
  "Transformer-XL", 3.3 and appendix B (relative positions);
- decoder: Vaswani et al. 2017 with normalisation before each part and after the embedding, as NeMo's
  TransformerDecoder has it; the prompt is "canary2" of Puvvada et al. 2024 and Żelasko et al. 2025.

Arrays are (time, channels).
"""

import gguf
import numpy as np

SAMPLE_RATE, FFT, WINDOW, HOP, BANDS = 16000, 512, 400, 160, 128


class Weights:
    """The tensors of a file as doubles, whatever they are quantised to, and its keys."""

    def __init__(self, path):
        reader = gguf.GGUFReader(path)
        self.types = {t.name: t.tensor_type.name for t in reader.tensors}
        self.tensors = {}
        for tensor in reader.tensors:
            shape = tuple(int(n) for n in reversed(tensor.shape))
            values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
            self.tensors[tensor.name] = values.astype(np.float64).reshape(shape)
        self.keys = {name: field.contents() for name, field in reader.fields.items()}

    def __call__(self, name):
        return self.tensors[name]

    def has(self, name):
        return name in self.tensors


# -- features ----------------------------------------------------------------------------------


def mel_to_hertz(mel):
    linear = mel * 200 / 3
    return np.where(mel < 15, linear, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))


def filter_bank():
    """Slaney's: linear below 1 kHz, logarithmic above, triangles of equal area."""
    top = 15 + np.log(SAMPLE_RATE / 2 / 1000) / (np.log(6.4) / 27)
    edges = mel_to_hertz(np.linspace(0, top, BANDS + 2))
    frequencies = np.linspace(0, SAMPLE_RATE / 2, FFT // 2 + 1)
    left, centre, right = (e[:, None] for e in (edges[:-2], edges[1:-1], edges[2:]))
    rising = (frequencies - left) / (centre - left)
    falling = (right - frequencies) / (right - centre)
    return np.maximum(0, np.minimum(rising, falling)) * 2 / (right - left)


def log_mel(samples, padding):
    samples = samples.astype(np.float64)
    emphasised = np.append(samples[0], samples[1:] - 0.97 * samples[:-1])
    padded = np.pad(emphasised, FFT // 2, mode=padding)
    frames = len(samples) // HOP + 1
    window = np.zeros(FFT)
    window[(FFT - WINDOW) // 2 :][:WINDOW] = np.hanning(WINDOW)
    cut = np.stack([padded[i * HOP :][:FFT] * window for i in range(frames)])
    power = np.abs(np.fft.rfft(cut)) ** 2
    logs = np.log(power @ filter_bank().T + 2.0**-24)
    # With zeros around it NeMo takes the last, half empty frame for padding.
    valid = frames - 1 if padding == "constant" else frames
    mean = logs[:valid].mean(0)
    deviation = logs[:valid].std(0, ddof=1)
    logs = (logs - mean) / (deviation + 1e-5)
    logs[valid:] = 0
    return logs


# -- parts -------------------------------------------------------------------------------------


def linear(w, name, x):
    y = x @ w(f"{name}.weight").T
    return y + w(f"{name}.bias") if w.has(f"{name}.bias") else y


def norm(w, name, x):
    centred = x - x.mean(-1, keepdims=True)
    variance = (centred**2).mean(-1, keepdims=True)
    return centred / np.sqrt(variance + 1e-5) * w(f"{name}.weight") + w(f"{name}.bias")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def heads(x, n):
    """(time, width) to (head, time, width of one)."""
    return x.reshape(len(x), n, -1).transpose(1, 0, 2)


def joined(x):
    return x.transpose(1, 0, 2).reshape(x.shape[1], -1)


# -- encoder -----------------------------------------------------------------------------------


def convolved(x, kernel, stride, padding, groups):
    """x (channels, time, bands), kernel (out, in of a group, time, bands)."""
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    views = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[2:], (1, 2))
    views = views[:, ::stride, ::stride]
    if groups == 1:
        return np.einsum("ctfij,ocij->otf", views, kernel, optimize=True)
    return np.einsum("ctfij,cij->ctf", views, kernel[:, 0], optimize=True)


def subsampled(w, mel):
    x = mel[None]
    for index, stride in ((0, 2), (2, 2), (3, 1), (5, 2), (6, 1)):
        name = f"enc.pre_encode.conv.{index}"
        kernel = w(f"{name}.weight")
        groups = len(x) if index in (2, 5) else 1
        x = convolved(x, kernel, stride, 1 if stride == 2 else 0, groups)
        x = x + w(f"{name}.bias")[:, None, None]
        if index in (0, 3, 6):
            x = np.maximum(x, 0)
    return linear(w, "enc.pre_encode.out", x.transpose(1, 0, 2).reshape(x.shape[1], -1))


def relative_positions(length, width):
    """Row i is that of the distance length - 1 - i: from the farthest past to the farthest future."""
    distance = np.arange(length - 1, -length, -1)[:, None]
    rate = 10000 ** (-np.arange(0, width, 2) / width)
    table = np.empty((2 * length - 1, width))
    table[:, 0::2], table[:, 1::2] = np.sin(distance * rate), np.cos(distance * rate)
    return table


def relative_attention(w, at, x, n):
    length = len(x)
    q, k, v = (heads(linear(w, f"{at}linear_{part}", x), n) for part in "qkv")
    p = heads(linear(w, f"{at}linear_pos", relative_positions(length, x.shape[1])), n)
    u, bias = (w(f"{at}pos_bias_{part}")[:, None, :] for part in "uv")
    by_distance = (q + bias) @ p.transpose(0, 2, 1)
    i = np.arange(length)
    # Query i and key j are i - j apart, which is in row length - 1 - (i - j).
    position = by_distance[:, i[:, None], length - 1 - i[:, None] + i[None, :]]
    scores = ((q + u) @ k.transpose(0, 2, 1) + position) / np.sqrt(q.shape[-1])
    return linear(w, f"{at}linear_out", joined(softmax(scores) @ v))


def feed_forward(w, name, x):
    y = linear(w, f"{name}.linear1", x)
    return linear(w, f"{name}.linear2", y * sigmoid(y))


def conv_module(w, at, x):
    d = x.shape[1]
    y = x @ w(f"{at}pointwise1.weight").reshape(2 * d, d).T + w(f"{at}pointwise1.bias")
    y = y[:, :d] * sigmoid(y[:, d:])
    kernel = w(f"{at}depthwise.weight").reshape(d, -1)
    half = kernel.shape[1] // 2
    views = np.lib.stride_tricks.sliding_window_view(np.pad(y, ((half, half), (0, 0))), 2 * half + 1, 0)
    y = np.einsum("tdk,dk->td", views, kernel) + w(f"{at}depthwise.bias")
    y = (y - w(f"{at}bn.running_mean")) / np.sqrt(w(f"{at}bn.running_var") + 1e-5)
    y = y * w(f"{at}bn.weight") + w(f"{at}bn.bias")
    y = y * sigmoid(y)
    return y @ w(f"{at}pointwise2.weight").reshape(d, d).T + w(f"{at}pointwise2.bias")


def encoded(w, mel):
    x = subsampled(w, mel)
    for layer in range(w.keys["stt.canary.encoder.n_layers"]):
        at = f"enc.blocks.{layer}."
        n = w.keys["stt.canary.encoder.n_heads"]
        x = x + feed_forward(w, f"{at}ff1", norm(w, f"{at}norm_ff1", x)) / 2
        x = x + relative_attention(w, f"{at}attn.", norm(w, f"{at}norm_attn", x), n)
        x = x + conv_module(w, f"{at}conv.", norm(w, f"{at}norm_conv", x))
        x = x + feed_forward(w, f"{at}ff2", norm(w, f"{at}norm_ff2", x)) / 2
        x = norm(w, f"{at}norm_out", x)
    return linear(w, "enc.proj", x) if w.has("enc.proj.weight") else x


# -- decoder -----------------------------------------------------------------------------------


def attention(w, at, x, memory, n, causal):
    q = heads(linear(w, f"{at}.q", x), n)
    k, v = (heads(linear(w, f"{at}.{part}", memory), n) for part in "kv")
    scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
    if causal:
        scores = np.where(np.tri(len(x), dtype=bool), scores, -np.inf)
    return linear(w, f"{at}.o", joined(softmax(scores) @ v))


def decoded(w, tokens, memory):
    """The logits of every token's successor, and what the parts of the layers add."""
    n = w.keys["stt.canary.decoder.n_heads"]
    x = w("dec.embed.token.weight")[tokens] + w("dec.embed.pos_enc")[: len(tokens)]
    x = norm(w, "dec.embed.norm", x)
    parts = {}
    for layer in range(w.keys["stt.canary.decoder.n_layers"]):
        at = f"dec.layer.{layer}."
        normed = norm(w, f"{at}norm1", x)
        added = attention(w, f"{at}self_attn", normed, normed, n, causal=True)
        parts[f"{at}self_attn.out"], x = added, x + added
        added = attention(w, f"{at}cross_attn", norm(w, f"{at}norm2", x), memory, n, causal=False)
        parts[f"{at}cross_attn.out"], x = added, x + added
        inner = linear(w, f"{at}ffn.up", norm(w, f"{at}norm3", x))
        added = linear(w, f"{at}ffn.down", np.maximum(inner, 0))
        parts[f"{at}ffn.out"], x = added, x + added
    return linear(w, "dec.head", norm(w, "dec.norm", x)), parts
