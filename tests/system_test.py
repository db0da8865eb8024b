"""Suspend and the global shortcut, with a logind and a portal that python3-dbusmock plays on private
buses."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from waiting import wait_for

HERE = Path(__file__).parent
LOGIND = ("org.freedesktop.login1", "/org/freedesktop/login1")
AVAHI = ("org.freedesktop.Avahi", "/")
PORTAL = ("org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop")


class System:
    def __init__(self, headroom):
        self.headroom = headroom
        self.processes = []
        self.env = dict(headroom.env)
        for name in ("SYSTEM", "SESSION"):
            bus = self.start(["dbus-daemon", "--session", "--nofork", "--print-address=1"])
            self.env[f"DBUS_{name}_BUS_ADDRESS"] = bus.stdout.readline().strip()

    def start(self, command, **kwargs):
        process = subprocess.Popen(command, env=self.env, stdout=subprocess.PIPE, text=True, **kwargs)
        self.processes.append(process)
        return process

    def mock(self, name, *args):
        # Debian's python3, which has dbusmock; the tests' own environment does not.
        process = self.start(["/usr/bin/python3", "-m", "dbusmock", "--template", *args])
        bus = "--system" if name in (LOGIND, AVAHI) else "--user"

        def answers():
            assert process.poll() is None
            return self.busctl(bus, "status", name[0]).returncode == 0
        wait_for(answers, f"{name[0]} on the bus")
        return process

    def busctl(self, *args):
        env = dict(self.env)
        address = env["DBUS_SYSTEM_BUS_ADDRESS" if args[0] == "--system" else "DBUS_SESSION_BUS_ADDRESS"]
        return subprocess.run(
            ["busctl", f"--address={address}", *args[1:]], env=env, capture_output=True, text=True
        )

    def call(self, name, method, *args, interface="org.freedesktop.DBus.Mock"):
        bus = "--system" if name in (LOGIND, AVAHI) else "--user"
        outcome = self.busctl(bus, "call", *name, interface, method, *args)
        assert outcome.returncode == 0, outcome.stderr
        return outcome.stdout

    def sleep(self, begins):
        self.call(LOGIND, "EmitSignal", "sssav", "org.freedesktop.login1.Manager", "PrepareForSleep",
                  "b", "1", "b", "true" if begins else "false")

    def inhibitors(self):
        return self.call(LOGIND, "ListInhibitors", interface="org.freedesktop.login1.Manager")

    def key(self, signal_name, shortcut="dictate"):
        self.call(PORTAL, "Key", "ss", signal_name, shortcut)

    def stop(self):
        for process in reversed(self.processes):
            process.kill()
            process.communicate()


@pytest.fixture
def system(headroom):
    system = System(headroom)
    yield system
    system.stop()


class Echo:
    """headroom-system-echo: its output and its input."""

    def __init__(self, system):
        path = system.headroom.bin / "headroom-system-echo"
        self.process = system.start([path], stdin=subprocess.PIPE)

    def send(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def heard(self):
        while (line := self.process.stdout.readline().strip()) == "change":
            pass
        return line

    def state(self):
        self.send("state")
        line = self.heard()
        assert line.startswith("state|"), line
        return dict(zip(("inhibiting", "sleep_trouble", "bound", "keys", "trouble", "announcement"), line.split("|")[1:]))

    def until(self, **wanted):

        def reached():
            state = self.state()
            return state if all(state[name] == value for name, value in wanted.items()) else None
        return wait_for(reached, self.state)


def test_a_suspend_waits_until_we_are_ready(system):
    system.mock(LOGIND, "logind")
    echo = Echo(system)
    echo.until(inhibiting="true", sleep_trouble="")
    assert '"sleep" "headroom"' in system.inhibitors() and '"delay"' in system.inhibitors()
    for _ in range(2):  # the second night as well
        system.sleep(True)
        assert echo.heard() == "sleep"
        assert '"headroom"' in system.inhibitors()  # not before "ready"
        echo.send("ready")
        echo.until(inhibiting="false")
        deadline = time.monotonic() + 30
        while '"headroom"' in system.inhibitors():
            assert time.monotonic() < deadline
        system.sleep(False)
        assert echo.heard() == "resume"
        echo.until(inhibiting="true")
        assert system.inhibitors().count('"headroom"') == 1


def test_logind_may_come_late_and_come_again(system):
    echo = Echo(system)
    assert "logind" in echo.until(inhibiting="false")["sleep_trouble"]
    logind = system.mock(LOGIND, "logind")
    echo.until(inhibiting="true", sleep_trouble="")
    logind.kill()
    logind.wait()
    system.mock(LOGIND, "logind")
    deadline = time.monotonic() + 30
    while '"headroom"' not in system.inhibitors():
        assert time.monotonic() < deadline
    system.sleep(True)
    assert echo.heard() == "sleep"


def test_the_bus_itself_may_come_late(headroom, tmp_path):
    system = System(headroom)
    address = f"unix:path={tmp_path}/late"
    system.env["DBUS_SYSTEM_BUS_ADDRESS"] = address
    echo = Echo(system)
    echo.until(sleep_trouble="connect to the system bus: No such file or directory")
    system.start(["dbus-daemon", "--session", "--nofork", f"--address={address}"])
    system.mock(LOGIND, "logind")
    echo.until(inhibiting="true", sleep_trouble="")
    system.stop()


def test_the_shortcut_is_bound_pressed_and_released(system):
    system.mock(PORTAL, HERE / "portal_mock.py")
    echo = Echo(system)
    echo.until(bound="true", keys="Press CTRL+ALT+d", trouble="")
    assert "dictate=CTRL+ALT+d;" in system.call(PORTAL, "Bound")
    system.key("Activated", "somebody-elses")
    system.key("Activated")
    assert echo.heard() == "press"
    system.key("Activated")  # a repeated key is one press
    system.key("Deactivated")
    assert echo.heard() == "release"
    system.key("Deactivated")
    system.key("Activated")
    assert echo.heard() == "press"


def test_a_key_does_not_stay_pressed_when_the_desktop_goes(system):
    portal = system.mock(PORTAL, HERE / "portal_mock.py")
    echo = Echo(system)
    echo.until(bound="true")
    system.key("Activated")
    assert echo.heard() == "press"
    portal.kill()
    assert echo.heard() == "release"
    portal.wait()
    assert echo.until(bound="false")["trouble"] == "the desktop's portal stopped"
    system.mock(PORTAL, HERE / "portal_mock.py")
    echo.until(bound="true", trouble="")
    system.key("Activated")
    assert echo.heard() == "press"


def test_a_user_who_says_no_and_a_desktop_without_a_portal(system):
    echo = Echo(system)
    echo.until(bound="false", trouble="this desktop has no portal for global shortcuts; bind "
                                      "'headroom toggle' to a key in its settings")
    system.mock(PORTAL, HERE / "portal_mock.py", "-p", '{"refuse": true}')
    state = echo.until(trouble="the desktop refused a global shortcut")
    assert state["bound"] == "false"


def services(system):
    return system.call(AVAHI, "Services")


def test_the_network_is_told_of_the_service(system):
    echo = Echo(system)
    assert "not announced by zeroconf" in echo.state()["announcement"]  # Avahi may come late
    avahi = system.mock(AVAHI, HERE / "avahi_mock.py")
    echo.until(announcement="")
    assert services(system).strip() == 's "Headroom on studio|_wyoming._tcp|10300"'
    avahi.kill()
    avahi.wait()
    echo.until(announcement="not announced by zeroconf: Avahi stopped")
    system.mock(AVAHI, HERE / "avahi_mock.py")
    echo.until(announcement="")
    assert "10300" in services(system)


def test_a_name_that_is_taken_is_changed(system):
    system.mock(AVAHI, HERE / "avahi_mock.py", "-p", '{"taken": "Headroom on studio"}')
    echo = Echo(system)
    echo.until(announcement="")
    assert "Headroom on studio #2|" in services(system)
    # Another machine claims that one as well, later.
    system.call(AVAHI, "Collide")
    wait_for(lambda: "Headroom on studio #3|" in services(system), "the third name")
    echo.until(announcement="")
