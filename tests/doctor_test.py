"""headroom doctor and headroom devices, with a real sound server, a real desktop and real models."""

import ctypes
import json
import os
import pathlib
import shutil

import pytest

from control_test import Daemon
from desktop import XDesktop
from sound_server import SoundServer
from system_test import HERE, PORTAL, System


@pytest.fixture(scope="module")
def sound():
    server = SoundServer("pulse").start()
    server.sink("room")
    server.microphone("desk_mic", "room", "Desk-microphone")
    server.pactl("set-default-source", "desk_mic")
    yield server
    server.remove()


def findings(headroom, code, *args, **env):
    outcome = headroom("doctor", "--json", *args, env=env)
    assert outcome.code == code, (outcome.out, outcome.err)
    report = json.loads(outcome.out)
    assert report["ok"] == (code == 0)
    by_topic = {}
    for one in report["findings"]:
        by_topic.setdefault(one["topic"], []).append(one)
    return by_topic


def only(by_topic, topic):
    assert len(by_topic[topic]) == 1, by_topic[topic]
    return by_topic[topic][0]


def health(by_topic, topic):
    return only(by_topic, topic)["health"]


def fake_systemctl(headroom, says):
    unit = headroom.home / ".config/systemd/user/headroom.service"
    unit.parent.mkdir(parents=True)
    unit.touch()
    fake = headroom.home / "fake"
    fake.mkdir()
    (fake / "systemctl").write_text(f"#!/bin/sh\necho {says}\n")
    (fake / "systemctl").chmod(0o755)
    headroom.env["PATH"] = f"{fake}:{headroom.env['PATH']}"


def test_all_is_well(headroom, sound):
    headroom.configure('[models]\ntiers = ["whisper-tiny.en"]\n')
    fake_systemctl(headroom, "enabled")
    system, desktop = System(headroom), XDesktop()
    system.mock(PORTAL, HERE / "portal_mock.py")
    env = {"XDG_RUNTIME_DIR": str(sound.folder), "DISPLAY": desktop.env["DISPLAY"],
           "DBUS_SESSION_BUS_ADDRESS": system.env["DBUS_SESSION_BUS_ADDRESS"]}
    daemon = Daemon(headroom, sound.folder / "headroom/control.sock")
    try:
        found = findings(headroom, 0, **env)
    finally:
        daemon.stop()
        desktop.close()
        system.stop()
    for topic in ("configuration", "microphone", "worker", "disk", "limits", "typing", "shortcut", "service"):
        assert health(found, topic) == "ok", found[topic]
    assert only(found, "microphone")["what"] == "Desk-microphone (desk_mic), by pulse"
    assert [one["health"] for one in found["model"]] == ["ok", "ok"]
    assert any("whisper-tiny.en" in one["what"] for one in found["model"])
    assert "xdotool" in only(found, "typing")["what"]
    assert "pid 4242" in found["daemon"][0]["what"] or "version" in found["daemon"][0]["what"]
    assert any("history paste" in one["what"] for one in found["daemon"]), "what the daemon complains of"


def test_without_anything_each_line_says_what_to_do(headroom, tmp_path):
    env = {"XDG_RUNTIME_DIR": str(tmp_path), "DBUS_SESSION_BUS_ADDRESS": f"unix:path={tmp_path}/none",
           "HEADROOM_MODELS": str(tmp_path / "models"), "DISPLAY": "", "WAYLAND_DISPLAY": "",
           "PULSE_SERVER": "", "XDG_CONFIG_HOME": str(tmp_path / "config")}
    found = findings(headroom, 1, **env)
    assert health(found, "microphone") == "fail" and only(found, "microphone")["next"]
    assert [one["health"] for one in found["model"]] == ["fail", "fail"]
    assert all("models pull" in one["what"] + one["next"] for one in found["model"])
    for topic, next_step in (("typing", "history paste"), ("shortcut", "headroom toggle"),
                             ("service", "headroom install-service"), ("daemon", "headroom daemon")):
        assert health(found, topic) == "warn" and next_step in only(found, topic)["next"]
    text = headroom("doctor", env=env)
    assert text.code == 1 and "-> headroom install-service --now" in text.out
    assert text.out.count("\nfail  ") + text.out.startswith("fail  ") == 3


def test_a_damaged_model_is_found(headroom, tmp_path):
    headroom.configure('[models]\ntiers = ["whisper-tiny.en"]\n[audio]\nsource = "none"\n')
    models = tmp_path / "models"
    models.mkdir()
    for path in headroom.models.iterdir():
        if path.name == "models.lock" or path.name.startswith(("silero", "whisper-tiny.en")):
            shutil.copy(path, models)
    env = {"HEADROOM_MODELS": str(models), "XDG_RUNTIME_DIR": str(tmp_path)}
    found = findings(headroom, 0, **env)
    assert health(found, "microphone") == "ok" and {m["health"] for m in found["model"]} == {"ok"}
    silero = next(models.glob("silero*"))
    with open(silero, "r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)[0]
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last ^ 1]))
    found = findings(headroom, 1, **env)
    assert found["model"][0]["health"] == "fail"
    assert silero.name in found["model"][0]["what"] and "models pull" in found["model"][0]["next"]


def test_an_incomplete_installation_is_found(headroom, tmp_path):
    (tmp_path / "bin").mkdir()
    shutil.copy(headroom.bin / "headroom", tmp_path / "bin/headroom")
    (tmp_path / "share").symlink_to(headroom.bin.parent / "share")
    headroom.bin = tmp_path / "bin"
    headroom.env.pop("HEADROOM_LIBEXEC", None)
    found = findings(headroom, 1, XDG_RUNTIME_DIR=str(tmp_path))
    assert "headroom-worker-cpu is missing" in only(found, "worker")["what"]
    assert health(found, "worker") == "fail"
    missing = " ".join(one["what"] for one in found["program"])
    assert "headroom-decode is missing" in missing and "headroom-probe is missing" in missing
    assert health(found, "card") == "warn"


def test_a_mistake_and_a_unit_that_is_not_enabled(headroom, tmp_path):
    headroom.configure('[audio]\nsource = "none"\n[speech]\nmistake = 1\n')
    fake_systemctl(headroom, "disabled")
    found = findings(headroom, 1, XDG_RUNTIME_DIR=str(tmp_path))
    assert health(found, "configuration") == "fail"
    assert "config.toml:4:" in only(found, "configuration")["what"]
    assert health(found, "service") == "warn" and "is disabled" in only(found, "service")["what"]


def no_override():
    """Root, too, may then not write what has no write bit."""
    ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE


def test_a_folder_that_cannot_be_written(headroom, tmp_path):
    state = tmp_path / "state"
    state.mkdir(mode=0o555)
    env = {"XDG_RUNTIME_DIR": str(tmp_path), "XDG_STATE_HOME": str(state)}
    outcome = headroom("doctor", env=env, preexec_fn=no_override)
    assert outcome.code == 1
    assert f"fail  disk           {state} cannot be written to" in outcome.out


def test_a_microphone_that_is_muted_or_not_there(headroom, sound):
    env = {"XDG_RUNTIME_DIR": str(sound.folder)}
    sound.pactl("set-source-mute", "desk_mic", "1")
    try:
        mic = only(findings_of_any(headroom, **env), "microphone")
        assert mic["health"] == "warn" and "is muted" in mic["what"]
    finally:
        sound.pactl("set-source-mute", "desk_mic", "0")
    headroom.configure('[audio]\ndevice = "Jabra"\n')
    mic = only(findings_of_any(headroom, **env), "microphone")
    assert mic["health"] == "warn" and "Jabra" in mic["what"] and "headroom devices" in mic["next"]


def findings_of_any(headroom, **env):
    found = {}
    for one in json.loads(headroom("doctor", "--json", env=env).out)["findings"]:
        found.setdefault(one["topic"], []).append(one)
    return found


def test_devices(headroom, sound):
    env = {"XDG_RUNTIME_DIR": str(sound.folder)}
    lines = headroom("devices", env=env).out.splitlines()
    assert "* desk_mic  Desk-microphone" in lines
    assert any(line.startswith("  room.monitor") and "what the speakers play" in line for line in lines)
    devices = {d["name"]: d for d in json.loads(headroom("devices", "--json", env=env).out)["devices"]}
    assert devices["desk_mic"]["default"] and not devices["desk_mic"]["monitor"]
    assert devices["room.monitor"]["monitor"] and devices["desk_mic"]["kind"] == "pulse"


def test_output_tries_each_way(headroom):
    desktop = XDesktop()
    env = {"DISPLAY": desktop.env["DISPLAY"], "WAYLAND_DISPLAY": "", "XDG_RUNTIME_DIR": str(desktop.folder)}
    try:
        outcome = headroom("doctor", "output", env=env)
    finally:
        desktop.close()
    assert outcome.code == 0, outcome
    assert "ok    paste          exact" in outcome.out
    # xdotool is seldom exact on a busy machine, so either may come first.
    assert '[output]\ntyping = "' in outcome.out
    proposed = outcome.out.split("[output]")[1]
    headroom.configure("[output]" + proposed)
    assert headroom("config", "check").code == 0


def test_output_without_a_session(headroom, tmp_path):
    env = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "XDG_RUNTIME_DIR": str(tmp_path)}
    outcome = headroom("doctor", "output", env=env)
    assert outcome.code == 3 and "no graphical session" in outcome.err


LISTS = """[{"name": "Vulkan0", "description": "A card", "pci": "0000:01:00.0",
  "unified": false, "total": 4294967296, "free": 1}]"""


@pytest.mark.parametrize(
    "script, healthy, what, then",
    [
        (f"cat <<'X'\n{LISTS}\nX", True, "can use A card (0000:01:00.0, ", ""),
        ("echo '[]'", False, "finds no GPU", "mesa-vulkan-drivers"),
        (
            "echo 'error while loading shared libraries: libvulkan.so.1: not found' >&2; exit 127",
            False,
            "libvulkan.so.1",
            "apt-get install libvulkan1",
        ),
    ],
    ids=["a card", "no card", "no library"],
)
def test_workers_of_cards(headroom, script, healthy, what, then):
    libexec = headroom.home / "libexec"
    libexec.mkdir()
    for program in pathlib.Path(os.environ["HEADROOM_TEST_BIN"]).iterdir():
        (libexec / program.name).symlink_to(program)
    (libexec / "headroom-worker-vulkan").unlink(missing_ok=True)
    (libexec / "headroom-worker-vulkan").write_text(f"#!/bin/sh\n{script}\n")
    (libexec / "headroom-worker-vulkan").chmod(0o755)
    outcome = headroom("doctor", "--json", env={"HEADROOM_LIBEXEC": str(libexec)})
    found = [f for f in json.loads(outcome.out)["findings"] if f["topic"] == "card worker"]
    found = [f for f in found if "vulkan" in f["what"]]
    assert len(found) == 1, found
    assert found[0]["health"] == ("ok" if healthy else "warn")
    assert what in found[0]["what"] and then in found[0]["next"], found
