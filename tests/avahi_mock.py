"""A dbusmock template of Avahi's server: services are announced at once, unless their name is the parameter "taken"."""

import dbus
from dbusmock import MOCK_IFACE, mockobject
from gi.repository import GLib

BUS_NAME = "org.freedesktop.Avahi"
MAIN_OBJ = "/"
MAIN_IFACE = "org.freedesktop.Avahi.Server"
SYSTEM_BUS = True
GROUP = "org.freedesktop.Avahi.EntryGroup"
ESTABLISHED, COLLISION = 2, 3


def load(mock, parameters):
    mock.taken = str(parameters.get("taken", ""))
    mock.services = []  # of the one group
    mock.groups = 0



def signal_state(path, state):
    def emit():
        mockobject.objects[path].EmitSignal(GROUP, "StateChanged", "is", [dbus.Int32(state), ""])

    GLib.idle_add(lambda: emit() and False)


@dbus.service.method(MAIN_IFACE, in_signature="", out_signature="o")
def EntryGroupNew(self):
    self.groups += 1
    path = f"/Client1/EntryGroup{self.groups}"
    self.AddObject(path, GROUP, {}, [
        ("AddService", "iiussssqaay", "", "self.add(args)"),
        ("Commit", "", "", "self.commit()"),
        ("Reset", "", "", "self.reset()"),
    ])
    group = mockobject.objects[path]

    def add(args):
        if args[3] == self.taken:
            raise dbus.exceptions.DBusException("Local name collision", name="org.freedesktop.Avahi.CollisionError")
        self.services.append(f"{args[3]}|{args[4]}|{args[7]}")

    group.add = add
    group.commit = lambda: signal_state(path, ESTABLISHED)
    group.reset = self.services.clear
    return path


@dbus.service.method(MAIN_IFACE, in_signature="s", out_signature="s")
def GetAlternativeServiceName(self, name):
    base, _, number = name.partition(" #")
    return f"{base} #{int(number or 1) + 1}"


@dbus.service.method(MOCK_IFACE, in_signature="", out_signature="")
def Collide(self):
    signal_state(f"/Client1/EntryGroup{self.groups}", COLLISION)


@dbus.service.method(MOCK_IFACE, in_signature="", out_signature="s")
def Services(self):
    return "\n".join(self.services)
