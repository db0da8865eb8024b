"""A dbusmock template of the desktop's GlobalShortcuts portal: it grants a session and binds what it
is asked for, unless the parameter "refuse" is set."""

import dbus
from dbusmock import MOCK_IFACE, mockobject
from gi.repository import GLib

BUS_NAME = "org.freedesktop.portal.Desktop"
MAIN_OBJ = "/org/freedesktop/portal/desktop"
MAIN_IFACE = "org.freedesktop.portal.GlobalShortcuts"
SYSTEM_BUS = False
REQUEST = "org.freedesktop.portal.Request"


def load(mock, parameters):
    mock.refuse = bool(parameters.get("refuse", False))
    mock.bound = ""
    mock.AddProperty(MAIN_IFACE, "version", dbus.UInt32(1))


def answer(mock, sender, options, results):
    """Answers the request on the path that the caller can know before it asks."""
    path = f"{MAIN_OBJ}/request/{sender[1:].replace('.', '_')}/{options['handle_token']}"
    if path not in mockobject.objects:
        mock.AddObject(path, REQUEST, {}, [])
    code = dbus.UInt32(1 if mock.refuse else 0)

    def emit():
        mockobject.objects[path].EmitSignal(REQUEST, "Response", "ua{sv}", [code, results])

    GLib.idle_add(lambda: emit() and False)
    return path


@dbus.service.method(MAIN_IFACE, in_signature="a{sv}", out_signature="o", sender_keyword="sender")
def CreateSession(self, options, sender):
    self.session = f"{MAIN_OBJ}/session/{sender[1:].replace('.', '_')}/{options['session_handle_token']}"
    results = dbus.Dictionary({"extra": dbus.UInt32(7), "session_handle": self.session}, signature="sv")
    return answer(self, sender, options, results)


@dbus.service.method(
    MAIN_IFACE, in_signature="oa(sa{sv})sa{sv}", out_signature="o", sender_keyword="sender"
)
def BindShortcuts(self, session, shortcuts, _parent, options, sender):
    assert session == self.session
    bound = []
    for name, properties in shortcuts:
        self.bound += f"{name}={properties['preferred_trigger']};"
        described = {"trigger_description": f"Press {properties['preferred_trigger']}"}
        bound.append((name, dbus.Dictionary(described, signature="sv")))
    results = dbus.Dictionary(
        {"shortcuts": dbus.Array(bound, signature="(sa{sv})"), "more": "yes"}, signature="sv"
    )
    return answer(self, sender, options, results)


@dbus.service.method(MOCK_IFACE, in_signature="", out_signature="s")
def Bound(self):
    return self.bound


@dbus.service.method(MOCK_IFACE, in_signature="ss", out_signature="")
def Key(self, signal, shortcut):
    """Activated or Deactivated, as a key that is pressed or let go."""
    nothing = dbus.Dictionary({}, signature="sv")
    self.EmitSignal(
        MAIN_IFACE, signal, "osta{sv}",
        [dbus.ObjectPath(self.session), shortcut, dbus.UInt64(1), nothing],
    )
