"""Real sound servers of their own: PulseAudio, and PipeWire with its PulseAudio server."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from waiting import wait_for


class SoundServer:
    """Started by start(), gone with stop(); what was loaded is loaded again by the next start()."""

    def __init__(self, kind):
        self.kind = kind
        # A socket's path must be short.
        self.folder = Path(tempfile.mkdtemp(prefix="hr-sound-", dir="/tmp"))
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("PULSE_", "PIPEWIRE_"))}
        self.env.update(XDG_RUNTIME_DIR=str(self.folder), HOME=str(self.folder), LC_ALL="C.UTF-8")
        self.env.pop("DISPLAY", None)
        self.processes = []
        self.log = open(self.folder / "log", "wb")

    def _run(self, *command):
        process = subprocess.Popen(command, env=self.env, stdin=subprocess.DEVNULL,
                                   stdout=self.log, stderr=self.log, start_new_session=True)
        self.processes.append(process)

    def start(self):
        if self.kind == "pulse":
            self._run("pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no",
                      "-L", "module-native-protocol-unix", "-L", "module-always-sink")
        else:
            bus = self.folder / "bus"
            self._run("dbus-daemon", "--session", "--nofork", f"--address=unix:path={bus}")
            self.env["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={bus}"
            wait_for(bus.exists, "the bus")
            self._run("pipewire")
            wait_for((self.folder / "pipewire-0").exists, "pipewire")
            self._run("wireplumber")
            self._run("pipewire-pulse")
        wait_for(lambda: self.pactl("info", check=False), f"the {self.kind} server")
        return self

    def stop(self):
        for process in reversed(self.processes):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.processes = []
        for left in ("pulse/native", "pipewire-0", "bus"):
            (self.folder / left).unlink(missing_ok=True)

    def remove(self):
        self.stop()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def pactl(self, *args, check=True):
        p = subprocess.run(["pactl", *map(str, args)], env=self.env, capture_output=True, text=True,
                           timeout=30)
        assert not check or p.returncode == 0, p.stderr
        return p.stdout.strip() if p.returncode == 0 else None

    def sink(self, name):
        """A silent speaker; what it plays is in NAME.monitor."""
        return self.pactl("load-module", "module-null-sink", f"sink_name={name}", "rate=16000",
                          f"sink_properties=device.description={name}-speaker")

    def microphone(self, name, sink, description=None):
        """A microphone that hears what `sink` plays; its module's number."""
        description = description or name
        module = self.pactl("load-module", "module-remap-source", f"source_name={name}",
                            f"master={sink}.monitor",
                            f"source_properties=device.description={description}")
        wait_for(lambda: f"\t{name}\t" in self.pactl("list", "short", "sources"), name)
        return module

    def play(self, wav, sink):
        subprocess.run(["paplay", f"--device={sink}", str(wav)], env=self.env, check=True, timeout=120)

    def recorders(self):
        return json.loads(self.pactl("-f", "json", "list", "source-outputs") or "[]")
