"""Real desktops without a display: Xvfb with xterm, headless sway with foot."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from waiting import wait_for


# Writes every byte that is typed into its terminal to a file, as it comes.
READER = """
import os, sys, tty
tty.setraw(0)
out = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
while data := os.read(0, 65536):
    os.write(out, data)
"""
NOBODY = 65534


class Desktop:
    """One terminal window that has the focus; read() gives what was typed since the last read()."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="hr-desktop-", dir="/tmp"))
        self.typed = self.folder / "typed"
        (self.folder / "reader.py").write_text(READER)
        self.env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C.UTF-8"}
        self.processes = []
        self.user = {}

    def run(self, *command, **kwargs):
        process = subprocess.Popen(command, env=self.env, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   **self.user, **kwargs)
        self.processes.append(process)
        return process

    def terminal(self, *command):
        self.window = self.run(*command, "python3", self.folder / "reader.py", self.typed)
        wait_for(self.typed.exists, "the terminal")
        time.sleep(0.5)  # until it has the focus

    def read(self, expected=0, patience=20):
        """Waits for so many bytes, then for whatever may come behind them."""
        try:
            wait_for(lambda: self.typed.stat().st_size >= expected, "typed text", patience)
        except AssertionError:
            pass
        time.sleep(0.3)
        text = self.typed.read_bytes().decode("utf-8", "replace")
        os.truncate(self.typed, 0)
        return text

    def close(self):
        for process in reversed(self.processes):
            process.kill()
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class XDesktop(Desktop):
    name = "xdotool"

    def __init__(self):
        super().__init__()
        read, write = os.pipe()
        self.run("Xvfb", "-displayfd", str(write), "-screen", "0", "800x600x24", "-nolisten", "tcp",
                 pass_fds=[write])
        os.close(write)
        with open(read) as number:  # its whole line: Xvfb dies when it cannot write the end of it
            self.env["DISPLAY"] = ":" + number.readline().strip()
        self.terminal("xterm", "-u8", "-e")


class SwayDesktop(Desktop):
    name = "wtype"

    def __init__(self):
        super().__init__()
        if os.getuid() == 0:  # sway refuses root
            self.user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            os.chown(self.folder, NOBODY, NOBODY)
        (self.folder / "config").write_text("output HEADLESS-1 resolution 800x600\n")
        self.env.update(XDG_RUNTIME_DIR=str(self.folder), WLR_BACKENDS="headless",
                        WLR_LIBINPUT_NO_DEVICES="1", WLR_RENDERER="pixman")
        self.run("sway", "-c", self.folder / "config")
        wait_for((self.folder / "wayland-1").exists, "sway")
        self.env["WAYLAND_DISPLAY"] = "wayland-1"
        self.terminal("foot")
