"""The parts of bench/gpu.sh that can be tested without a GPU: the neighbour on it and the ledger of
the driver's allocations, on a driver of our own (fake_cuda.cc)."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

BUILD = Path(os.environ["HEADROOM_TEST_BIN"]).parent
DRIVER = BUILD / "tests/fake_cuda"
MIB = 1 << 20
# As in bench/card/ledger.h.
FIELDS = ("hooked", "runtime", "driver", "host", "bytes", "refuse", "fault")


class Ledger:
    def __init__(self, path):
        self.path = path
        path.write_bytes(bytes(8 * len(FIELDS)))

    def __getitem__(self, name):
        return dict(zip(FIELDS, struct.unpack("<7q", self.path.read_bytes())))[name]

    def __setitem__(self, name, value):
        with open(self.path, "r+b") as f:
            f.seek(8 * FIELDS.index(name))
            f.write(struct.pack("<q", value))

    @property
    def environment(self):
        return {"LD_PRELOAD": str(BUILD / "bench/driver_ledger.so"), "HEADROOM_DRIVER_LEDGER": str(self.path)}


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "ledger")


def environment(more, mebi=8192):
    return os.environ | {"LD_LIBRARY_PATH": str(DRIVER), "HEADROOM_FAKE_CUDA_MIB": str(mebi)} | more


class Ballast:
    def __init__(self, *arguments, more=None):
        self.child = subprocess.Popen([BUILD / "bench/bench_ballast", *arguments], text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(more or {}))
        self.held, self.free, self.total = self.answer()

    def answer(self):
        words = self.child.stdout.readline().split()
        assert words[::2] == ["held", "free", "total"]
        return [int(n) for n in words[1::2]]

    def send(self, line):
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()
        self.held, self.free, self.total = self.answer()

    def end(self):
        self.child.stdin.close()
        assert self.child.wait(timeout=30) == 0


def test_a_neighbour_leaves_the_requested_memory_and_gives_it_back():
    ballast = Ballast("cuda", "0000:01:00.0")
    assert (ballast.held, ballast.free, ballast.total) == (0, 8192 * MIB, 8192 * MIB)
    for left in (4096, 204, 4096, 1010):
        ballast.send(f"leave {left}")
        assert ballast.free == left * MIB and ballast.held + ballast.free == ballast.total
    ballast.send("hold 300")
    assert ballast.held == 300 * MIB
    ballast.send("leave 99999")
    assert ballast.held == 0
    ballast.end()


def test_errors_are_reported():
    def run(*arguments, text="", **more):
        return subprocess.run([BUILD / "bench/bench_ballast", *arguments], input=text, text=True,
                              capture_output=True, env=environment(more))

    assert "cuDeviceGet gives 1" in run("cuda", "1").stderr
    assert "libcuda.so.1" in run("cuda", LD_LIBRARY_PATH="").stderr
    assert "hold MIB" in run("cuda", text="leave some\n").stderr
    assert "knows no metal" in run("metal").stderr


def test_the_ledger_counts_what_reaches_the_driver(ledger):
    ballast = Ballast("cuda", more=ledger.environment)
    assert ledger["hooked"] >= 1 and ledger["driver"] == 0
    ballast.send("hold 256")
    assert (ledger["driver"], ledger["bytes"]) == (4, 256 * MIB)
    ballast.send("hold 64")
    assert ledger["driver"] == 4, "to give is not to take"
    ledger["refuse"] = 1
    ballast.send("hold 256")
    assert ballast.held == 64 * MIB, "the driver had no memory"
    ballast.send("hold 256")
    assert (ballast.held, ledger["refuse"]) == (256 * MIB, 0)
    ballast.end()


def test_the_ledger_sees_what_is_looked_up_as_cuda_itself_does(ledger):
    """CUDA's own libraries ask cuGetProcAddress for every function, without a version."""
    program = """if True:
        import ctypes
        cuda = ctypes.CDLL("libcuda.so.1")
        found, at = ctypes.c_void_p(), ctypes.c_ulonglong()
        assert cuda.cuGetProcAddress_v2(b"cuMemAlloc", ctypes.byref(found), 13000, 0, None) == 0
        take = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t)(found.value)
        for size in (100, 200):
            assert take(ctypes.byref(at), size) == 0 and at.value
        assert cuda.cuGetProcAddress_v2(b"cuNothing", ctypes.byref(found), 13000, 0, None) == 500
    """
    subprocess.run([sys.executable, "-c", program], check=True, env=environment(ledger.environment))
    assert (ledger["driver"], ledger["bytes"], ledger["hooked"]) == (2, 300, 2)
