"""Writes WAV files, good and bad, and reads the engine's sample."""

import struct
import wave


def samples(path):
    """16-bit samples of a mono WAV as floats in -1…1."""
    with wave.open(str(path)) as f:
        raw = f.readframes(f.getnframes())
    return [v[0] / 32768 for v in struct.iter_unpack("<h", raw)]


def header(data_bytes, rate=16000, channels=1, bits=16, kind=1):
    """RIFF header of the size it says, whatever follows. kind 1: integers, 3: floats."""
    block = channels * bits // 8
    return (
        b"RIFF" + struct.pack("<I", (36 + data_bytes) & 0xFFFFFFFF) + b"WAVEfmt "
        + struct.pack("<IHHIIHH", 16, kind, channels, rate, rate * block, block, bits)
        + b"data" + struct.pack("<I", data_bytes)
    )


def write_pcm16(path, values, rate=16000, channels=1):
    """`values` are floats of one channel; every channel gets the same."""
    frames = b"".join(struct.pack("<h", int(max(-1, min(1, v)) * 32767)) * channels for v in values)
    path.write_bytes(header(len(frames), rate, channels) + frames)


def write_float32(path, values):
    data = struct.pack(f"<{len(values)}f", *values)
    path.write_bytes(header(len(data), bits=32, kind=3) + data)
