"""Notifications and locked sessions, with desktops that python3-dbusmock plays on private buses."""

import os
import subprocess
import time
from pathlib import Path

from live_daemon import start  # noqa: F401 (a fixture)
from waiting import wait_for
from system_test import LOGIND, system  # noqa: F401 (a fixture)

DRIVER = Path(os.environ["HEADROOM_TEST_BIN"]).parent / "tests/desktop_live"
NOTIFICATIONS = ("org.freedesktop.Notifications", "/org/freedesktop/Notifications")


def drive(system, *args):
    start = time.monotonic()
    done = subprocess.run([DRIVER, *args], env=system.env, capture_output=True, text=True, timeout=30)
    assert time.monotonic() - start < 10
    return done


def locked(system):
    return drive(system, "locked").stdout.strip()


def test_a_notification_is_shown_and_replaced(system, tmp_path):
    log = tmp_path / "notifications"
    system.mock(NOTIFICATIONS, "notification_daemon", "--logfile", log)
    done = drive(system, "notice", "Not typed", "a <b> & c", "second")
    assert done.returncode == 0, done.stderr
    first, second = [line for line in log.read_text().splitlines() if " Notify " in line]
    assert '"Headroom" 0 "audio-input-microphone" "Not typed" "a &lt;b&gt; &amp; c"' in first
    assert '"Headroom" 1 ' in second and '"second"' in second, "in place of the first"


def test_without_a_desktop_a_notification_is_an_error(system):
    done = drive(system, "notice", "Not typed", "body")
    assert done.returncode == 1 and "cannot show a notification" in done.stderr
    system.env["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=/no/such/bus"
    done = drive(system, "notice", "Not typed", "body")
    assert done.returncode == 1 and "no session bus" in done.stderr


def test_logind_says_when_the_session_is_locked(system):
    assert locked(system) == "open", "no service answers"
    system.mock(LOGIND, "logind")
    assert locked(system) == "open", "there is no session"
    system.call(LOGIND, "AddSession", "ssusb", "c1", "seat0", str(os.getuid()), "me", "true")
    user = f"/org/freedesktop/login1/user/{os.getuid()}"
    session = "/org/freedesktop/login1/session/c1"

    def call(path, *args):
        done = system.busctl("--system", "call", "org.freedesktop.login1", path, *args)
        assert done.returncode == 0, done.stderr

    # dbusmock's own fails for every user.
    system.call(LOGIND, "AddMethod", "sssss", "org.freedesktop.login1.Manager", "GetUser", "u", "o",
                f"ret = '{user}'")
    call(user, "org.freedesktop.DBus.Properties", "Set", "ssv", "org.freedesktop.login1.User",
         "Display", "(so)", "c1", session)
    assert locked(system) == "open"
    for hint, state in (("true", "locked"), ("false", "open")):
        call(session, "org.freedesktop.login1.Session", "SetLockedHint", "b", hint)
        assert locked(system) == state


def test_the_desktop_says_when_its_screen_is_locked(system):
    saver = ("org.gnome.ScreenSaver", "/org/gnome/ScreenSaver")
    system.mock(saver, "gnome_screensaver")
    assert locked(system) == "open"
    system.call(saver, "SetActive", "b", "true", interface="org.gnome.ScreenSaver")
    assert locked(system) == "locked"


def test_a_lock_program_is_seen(system, tmp_path):
    program = tmp_path / "swaylock"
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    process = subprocess.Popen([program, "60"])
    try:
        assert locked(system) == "locked"
    finally:
        process.kill()
        process.wait()
    assert locked(system) == "open"


def test_memory_that_runs_short_is_told_in_words_everywhere(system, start, tmp_path):
    """The warning zone of the governor reaches a person: notification, status, log, subscribers."""
    log = tmp_path / "notifications"
    system.mock(NOTIFICATIONS, "notification_daemon", "--logfile", log)
    buses = {name: value for name, value in system.env.items() if name.startswith("DBUS_")}
    # Every service takes more than a megabyte: a warning that can be had for nothing.
    daemon = start("audio.source=none", "memory.ram_warning=1MB", env=buses)
    wait_for(lambda: log.exists() and "Memory runs short" in log.read_text(), "a notification", 60)
    reason = daemon.status()["memory"]["why"]
    assert daemon.status()["memory"]["zone"] in ("warning", "danger", "critical") and reason
    words = "this service takes "
    assert words in log.read_text()
    assert f"headroom: {words}" in daemon.says()
    shown = daemon.headroom("status", "--socket", daemon.socket)
    assert "warning (" in shown.out, shown.out + shown.err
    daemon.stop()
