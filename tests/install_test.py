"""cmake --install into a folder of its own, and the program as it is used from there."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    build = Path(os.environ["HEADROOM_TEST_BIN"]).parent
    prefix = tmp_path_factory.mktemp("installed") / "usr"
    subprocess.run(["cmake", "--install", build, "--prefix", prefix], check=True, timeout=120,
                   stdout=subprocess.DEVNULL)
    return prefix


@pytest.fixture
def installed(headroom, prefix):
    for name in ("HEADROOM_LIBEXEC", "HEADROOM_SHARE"):
        headroom.env.pop(name, None)
    headroom.bin = prefix / "bin"
    return headroom


def without(installed, prefix, tmp_path, *names):
    """The same installation moved elsewhere, with something missing."""
    moved = tmp_path / "moved"
    shutil.copytree(prefix, moved, copy_function=os.link)
    for name in names:
        path = moved / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    installed.bin = moved / "bin"
    return installed


def test_what_is_there(prefix):
    files = {str(p.relative_to(prefix)) for p in prefix.rglob("*") if p.is_file()}
    named = {f for f in files if not f.startswith(("share/doc", "share/headroom"))}
    assert named == {
        "bin/headroom", "bin/headroom-report",
        *(f"libexec/headroom/headroom-{name}" for name in
          ("daemon", "decode", "probe", "quantize", "worker-cpu", "worker-sim")),
        "lib/systemd/user/headroom.service", "share/man/man1/headroom.1",
        "share/bash-completion/completions/headroom", "share/fish/vendor_completions.d/headroom.fish",
        "share/zsh/site-functions/_headroom", "share/applications/org.headroom.Headroom.desktop",
    }
    for name in ("catalogue.toml", "headroom.service.in", "dictation/en.toml", "errors/30-cuda.toml"):
        assert f"share/headroom/{name}" in files
    for name in ("transcribe.cpp", "uPlot"):
        assert "MIT License" in (prefix / "share/doc/headroom/licences" / name).read_text()
    unit = (prefix / "lib/systemd/user/headroom.service").read_text()
    assert f'ExecStart="{prefix}/bin/headroom" daemon\n' in unit and not re.search("@[A-Z]", unit)


def test_no_library_of_the_build_is_needed(prefix):
    for program in [*(prefix / "bin").iterdir(), *(prefix / "libexec/headroom").iterdir()]:
        out = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        assert "not found" not in out
        for path in re.findall(r"=> (\S+)", out):
            assert path.startswith(("/lib", "/usr/lib")), (program, path)


def test_it_runs_from_there(installed, prefix):
    assert re.fullmatch(r"headroom \d+\.\d+\.\d+\n", installed("--version").out)
    assert "whisper-base" in installed("models", "list").out
    outcome = installed("transcribe", "-m", "whisper-tiny.en", installed.jfk)
    assert outcome.code == 0 and "ask not what your country" in outcome.out, outcome.err
    outcome = installed("plan", "whisper-tiny.en", "--no-cache", "--json")
    assert outcome.code == 0, outcome.err
    # A report needs the error packs.
    log = installed.home / "log"
    log.write_text("2026-01-01T00:00:00Z host app[1]: ggml_cuda: CUDA error: out of memory\n" * 3)
    outcome = installed("report", "-i", log)
    assert outcome.code == 0 and "that the error packs know" not in outcome.out, outcome.err
    fake = installed.home / "fake"
    fake.mkdir()
    (fake / "systemctl").symlink_to("/bin/true")
    outcome = installed("install-service", env={"PATH": f"{fake}:{installed.env['PATH']}"})
    assert outcome.code == 0
    unit = (installed.home / ".config/systemd/user/headroom.service").read_text()
    assert f'ExecStart="{prefix}/bin/headroom" daemon\n' in unit


@pytest.mark.parametrize("missing, command", [
    ("libexec/headroom/headroom-worker-cpu", ["transcribe", "-m", "whisper-tiny.en"]),
    ("libexec/headroom/headroom-decode", ["transcribe", "-m", "whisper-tiny.en"]),
    ("share/headroom/catalogue.toml", ["models", "list"]),
    ("share/headroom/headroom.service.in", ["install-service"]),
])
def test_nothing_is_taken_from_elsewhere(installed, prefix, tmp_path, missing, command):
    installed = without(installed, prefix, tmp_path, missing)
    if command[0] == "transcribe":
        command = [*command, installed.jfk]
    outcome = installed(*command)
    assert outcome.code == 3
    assert f"{Path(missing).name} is missing from this installation; looked in {tmp_path}/moved" in outcome.err
