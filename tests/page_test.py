"""The web page in a real browser: what it shows of the service, what would fit, a recording, and the microphone,
with one that plays a file. Pictures are kept in the build folder's artefacts/."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from browser import Browser

from live_daemon import free_port, start  # noqa: F401 (start is a fixture)
from waiting import wait_for

BIN = Path(os.environ["HEADROOM_TEST_BIN"])
JFK = Path(os.environ["HEADROOM_TEST_ENGINE"]) / "samples/jfk.wav"
PICTURES = BIN.parent / "artefacts"
PATIENCE = 120  # s; only reached when something is broken


class Server:
    def __init__(self, folder, *args):
        self.process = subprocess.Popen([BIN.parent / "tests/page_live", folder, *args], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        port, *self.token = self.process.stdout.readline().split()
        self.url = f"http://127.0.0.1:{port}/"

    def send(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def samples(self):
        self.send("samples")
        return int(self.process.stdout.readline())


    def publish(self, name, **data):
        self.send(f"publish {name} {json.dumps(data)}")

    def end(self):
        self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path)
    yield server
    server.end()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile"), "--use-fake-device-for-media-stream",
                 "--use-fake-ui-for-media-stream", f"--use-file-for-fake-audio-capture={JFK}") as browser:
        yield browser


@pytest.fixture
def page(chromium, server):
    chromium.problems.clear()
    chromium.requests.clear()
    chromium.open(server.url)
    until(chromium, "#ready", "Ready")
    yield chromium
    assert chromium.problems == []
    assert {url.split("/")[2] for url in chromium.requests if not url.startswith("data:")} == {server.url.split("/")[2]}
    chromium.open("about:blank")


def text(browser, selector):
    return browser.run(f"document.querySelector('{selector}')?.innerText ?? ''")


def until(browser, selector, wanted):
    wait_for(lambda: re.search(wanted, text(browser, selector)),
             lambda: f"{selector} says {text(browser, selector)!r}, not {wanted!r}", PATIENCE)


def test_what_the_service_does(page):
    until(page, "#facts", "whisper-base:Q8_0 on cpu")
    assert text(page, "#ready").startswith("Ready, memory safe, 0 s waiting; whisper-base")
    facts = text(page, "#facts")
    assert "USB <b>Microphone</b>" in facts  # and not a bold one
    assert "7 became text" in facts
    assert "half within 0.2 s" in facts
    assert text(page, "#troubles") == "the disk is nearly full"
    label = "document.querySelectorAll('#gauges .bar')[{}].getAttribute('aria-label')"
    assert page.run(label.format(0)) == "GPU: Headroom 1.0 GiB, others 2.0 GiB, free 5.0 GiB"
    assert page.run(label.format(1)) == "RAM: Headroom 250.0 MiB, free 8.0 GiB"
    assert page.run("[...document.querySelectorAll('#gauges .zone')].map(z => z.innerText).join()") == "warning,safe"
    width = page.run("document.querySelector('#gauges .others').getBoundingClientRect().width /"
                     "document.querySelector('#gauges .bar').getBoundingClientRect().width")
    assert 0.22 < width < 0.28
    page.picture(PICTURES / "page.png")


# The pixels of the GPU's chart, from a copy that may be read.
COPY = """const canvas = document.querySelector('#charts canvas');
    const context = (width, height) => Object.assign(document.createElement('canvas'), { width, height })
        .getContext('2d', { willReadFrequently: true });
    const copy = context(canvas.width, canvas.height);
    copy.drawImage(canvas, 0, 0);"""
# Where in it a colour of the page's style is, as shares of its height: [] when it is not.
PAINTED = f"(name => {{ {COPY}" + """
    const probe = context(1, 1);
    probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name);
    probe.fillRect(0, 0, 1, 1);
    const wanted = probe.getImageData(0, 0, 1, 1).data;
    const { width, height } = canvas;
    const all = copy.getImageData(0, 0, width, height).data;
    const rows = new Set();
    for (let i = 0; i < all.length; i += 4)
        if ([0, 1, 2].every(c => all[i + c] === wanted[c]) && all[i + 3] === 255) rows.add(Math.floor(i / 4 / width));
    return [...rows].map(row => row / height); })"""


def until_true(browser, script):
    return wait_for(lambda: browser.run(script), script, PATIENCE)


def test_the_chart_has_lines_over_zones(page):
    until(page, "#charts", "GPU · warning from 5.6 GiB · danger from 6.8 GiB · critical from 7.6 GiB")
    until(page, "#charts", "(?s)RAM of Headroom · warning from 1.9 GiB")
    assert page.run("document.querySelectorAll('#charts canvas').length") == 2
    until(page, ".u-legend", r"(?s)Headroom\s*:?\s*1.0 GiB.*others\s*:?\s*2.0 GiB.*together\s*:?\s*3.0 GiB")
    # Two samples make a line: a GiB of eight is in the lower part, three are above it, the zones at the top.
    ours = until_true(page, f"(rows => rows.length && rows)({PAINTED}('--ours'))")
    together = until_true(page, f"(rows => rows.length && rows)({PAINTED}('--fg'))")
    assert max(together) < min(ours), (ours, together)
    alpha = f"(share => {{ {COPY}" + "return [...copy.getImageData(canvas.width - 40, canvas.height * share, 1, 1).data]; })"
    top, middle = page.run(f"{alpha}(0.1)"), page.run(f"{alpha}(0.5)")
    assert top[3] > 30 and middle[3] == 0, (top, middle)

    slider = "document.querySelector('#charts [role=slider]')"
    assert page.run(f"{slider}.getAttribute('aria-label')") == "GPU since this page was opened"
    until_true(page, f"Number({slider}.getAttribute('aria-valuemax')) >= 2")
    page.run(f"{slider}.focus()")
    for key in ("Home", "ArrowRight"):
        for kind in ("keyDown", "keyUp"):
            page.call("Input.dispatchKeyEvent", type=kind, key=key, code=key)
    says = page.run(f"{slider}.getAttribute('aria-valuetext')")
    assert re.search(r"\d\d:\d\d:\d\d.*: Headroom 1.0 GiB, others 2.0 GiB, together 3.0 GiB$", says), says
    assert page.run(f"{slider}.getAttribute('aria-valuenow')") == "1"
    assert page.run("document.querySelector('#charts .u-cursor-x').classList.contains('u-off')") is False
    time_of = "document.querySelector('#charts .u-legend .u-value').innerText"
    chosen = says.split(": Headroom")[0]
    until_true(page, f"{time_of} === {json.dumps(chosen)}")
    page.run(f"{slider}.blur()")
    until_true(page, f"{time_of} !== {json.dumps(chosen)}")

    left, upper, width, tall = page.box("#charts .u-over")
    page.mouse("mouseMoved", left + 2, upper + tall / 2)
    page.mouse("mouseMoved", left + width - 2, upper + tall / 2)
    until_true(page, "!document.querySelector('#charts .u-cursor-x').classList.contains('u-off')")
    page.mouse("mouseMoved", 1, 1)
    page.picture(PICTURES / "page-chart.png")


def test_what_would_fit(page):
    until(page, "#fit", r"3.0 GiB\s+SAFE: 3.0 GiB left, 28 s at once")
    until(page, "#fit", "runs beside it")
    page.run("(() => { gpu.value = 4; gpu.dispatchEvent(new Event('input')); })()")
    assert "UNSAFE: 512.0 MiB short" in text(page, "#fit")
    assert text(page, "#gpu-size") == "4.0 GiB"
    for size, verdict in (("6", "SAFE: 1.0 GiB left, 28 s"), ("5.5", "MARGINAL: 1.0 GiB left, 10 s"),
                          ("5", "UNSAFE: 512.0 MiB left")):
        page.run(f"(() => {{ gpu.value = {size}; gpu.dispatchEvent(new Event('input')); }})()")
        assert verdict in text(page, "#fit"), size
    assert page.run("gpu.getAttribute('aria-valuetext')") == "5.0 GiB"


def test_events_and_utterances_as_they_happen(page, server):
    page.run("new Promise(done => { const look = () => document.querySelector('#events') ? done() : 0; look(); })")

    def shown():  # the page may not follow yet
        server.publish("zone", gauge="RAM", **{"from": "safe", "to": "danger", "reason": "it <b>grew</b>"})
        return "RAM: safe" in text(page, "#events")
    wait_for(shown, "an event on the page", PATIENCE, every=0.2)
    assert "RAM: safe → danger, it <b>grew</b>" in text(page, "#events")  # and not bold
    assert page.run("document.querySelector('#events li').className") == "bad"
    server.publish("action", verb="stop_speculation", reason="the card is in its warning zone")
    until(page, "#events", "stop speculation: the card is in its warning zone")
    server.publish("text", utterance=1, text="secret", tier="whisper-base:Q8_0 on cpu", audio_ms=2500, latency_ms=180,
                   delivered=True, phantom=False)
    until(page, "#utterances", r"dictation\s+2.5 s\s+0.2 s\s+text\s+whisper-base:Q8_0 on cpu")
    server.publish("served", source="stream", outcome="failed")
    until(page, "#utterances", r"stream\s+failed")
    assert page.run("document.querySelectorAll('#utterances tr').length") == 2
    server.publish("status", version="9.9.9", phase="listening", partial="secret")
    until(page, "#facts", "9.9.9")
    assert "secret" not in page.run("document.body.innerText")
    for _ in range(250):
        server.publish("action", verb="tell", reason="again")
    server.publish("action", verb="tell", reason="the last")
    until(page, "#events", "the last")
    assert page.run("document.querySelectorAll('#events li').length") == 200
    page.picture(PICTURES / "page-events.png")


def test_a_report_is_shown_in_a_frame_of_another_origin(page, server):
    page.run("(() => { since.value = '1h'; document.querySelector('#report-make').click(); })()")
    wait_for(lambda: not page.run("report.hidden"), lambda: text(page, "#report-problem"), PATIENCE)
    server.send("asked")
    assert server.process.stdout.readline() == "report 1h|\n"
    assert page.run("report.contentDocument") is None
    page.problems.clear()  # what the report's script may not do is said on the console


def until_said(browser, server, words):
    before = server.samples()
    wait_for(lambda: server.samples() > before, lambda: text(browser, "#speak-problem"), PATIENCE)
    server.send(f"say {words}")
    until(browser, "#said", words)


def drop(browser, name="speech.wav"):
    browser.run(f"""(() => {{ const dropped = new DataTransfer(); dropped.items.add(new File(['RIFF'], '{name}'));
        document.dispatchEvent(new DragEvent('drop', {{dataTransfer: dropped, bubbles: true, cancelable: true}})); }})()""")


def test_a_dropped_recording_becomes_text(page):
    drop(page)
    until(page, "#text", r"^Guten Tag\.\s*How are you\?$")
    assert text(page, "#problem") == ""
    assert page.run("document.querySelector('#stop').hidden") is True


def test_what_is_said_becomes_text_while_it_is_said(page, server):
    page.click("#speak")
    assert page.run("speak.getAttribute('aria-pressed')") == "true"
    # A second of the file that the microphone plays.
    wait_for(lambda: server.samples() >= 16000, lambda: text(page, "#speak-problem"), PATIENCE)
    page.run("new Promise(done => { const look = () => level.value > 0.05 ? done() : setTimeout(look, 20); look(); })")
    server.send("say Ask not what")
    until(page, "#said", r"Ask not what\s*\d+ ms")
    server.send("say your country")
    until(page, "#said", "your country")
    page.picture(PICTURES / "page-speaking.png")
    assert page.run("said.children.length") == 2
    page.click("#speak")
    until(page, "#speak", "^Listen$")
    page.run("new Promise(done => { const look = () => level.value === 0 ? done() : setTimeout(look, 20); look(); })")
    assert text(page, "#speak-problem") == ""


def test_a_lost_connection_is_taken_up_again(page, server):
    watch = page.call("Page.addScriptToEvaluateOnNewDocument", source="""window.sockets = [];
        window.WebSocket = class extends WebSocket { constructor(...with_) { super(...with_); sockets.push(this); } };""")
    page.open(server.url)
    page.click("#speak")
    until_said(page, server, "before")
    page.run("sockets[0].close(4000)")
    until(page, "#speak-problem", "connection was lost")
    page.run("new Promise(done => { const look = () => sockets[1]?.readyState === 1 ? done() : setTimeout(look, 20); look(); })")
    assert "session=sess_" in page.run("sockets[1].url") and "last_item=item_" in page.run("sockets[1].url")
    until_said(page, server, "afterwards")
    assert text(page, "#speak-problem") == ""
    assert page.run("said.children.length") == 2
    page.click("#speak")
    until(page, "#speak", "^Listen$")
    page.call("Page.removeScriptToEvaluateOnNewDocument", identifier=watch["identifier"])


def test_a_server_that_wants_a_token(chromium, tmp_path):
    server = Server(tmp_path, "browser")
    chromium.open(server.url)
    until(chromium, "#token", "headroom token add")
    assert "1.2.3" not in text(chromium, "#facts")
    for typed in ("wrong", server.token[0]):
        chromium.run("""new Promise(done => { const look = () =>
            getComputedStyle(token).display !== 'none' ? done() : setTimeout(look, 20); look(); })""")
        chromium.run("secret.focus()")
        chromium.call("Input.insertText", text=typed)
        for kind in ("keyDown", "keyUp"):
            chromium.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r", windowsVirtualKeyCode=13)
    until(chromium, "#facts", "1.2.3")
    assert chromium.run("getComputedStyle(token).display") == "none"
    chromium.click("#speak")
    until_said(chromium, server, "with a token")
    drop(chromium)
    until(chromium, "#text", "How are you")
    chromium.open("about:blank")
    server.end()


def test_everything_has_a_name_and_is_reached_by_keyboard(page):
    assert page.run("""[...document.querySelectorAll('input, button, meter, [role=img], [role=slider], ol, section')].filter(e =>
        !(e.labels?.length || e.getAttribute('aria-label') || e.getAttribute('aria-labelledby') || e.innerText.trim()))
        .map(e => e.outerHTML)""") == []
    reached = []
    for _ in range(14):
        for kind in ("keyDown", "keyUp"):
            page.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
        reached.append(page.run("document.activeElement.id || document.activeElement.getAttribute('aria-label')"))
    assert {"language", "speak", "file", "gpu", "others", "GPU since this page was opened"} <= set(reached)


def test_on_a_phone_and_in_the_dark(page):
    page.call("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=2, mobile=True)
    page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    until(page, "#facts", "Version")
    until(page, "#charts", "(?s)GPU.*together")
    until_true(page, "document.querySelectorAll('#charts canvas').length === 2")
    until_true(page, f"{PAINTED}('--ours').length > 0")  # the dark one
    assert page.run("document.documentElement.scrollWidth") <= 360
    chart = page.run("document.querySelector('#charts canvas').getBoundingClientRect().right")
    assert 200 < chart <= 360
    assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
    page.picture(PICTURES / "page-phone.png")
    page.call("Emulation.clearDeviceMetricsOverride")
    page.call("Emulation.setEmulatedMedia", features=[])


def test_a_real_sentence_into_the_real_daemon(chromium, start):
    port = free_port()
    daemon = start(f"server.listen=127.0.0.1:{port}")
    chromium.problems.clear()
    chromium.open(f"http://127.0.0.1:{port}/")
    until(chromium, "#facts", "Version")
    chromium.click("#speak")
    until(chromium, "#said", r"(?is)ask what you can do for your country.*\d+ ms")
    until(chromium, "#facts", "whisper-tiny.en F16 on cpu")
    chromium.click("#speak")
    until(chromium, "#speak", "^Listen$")
    assert text(chromium, "#speak-problem") == ""
    until(chromium, "#gauges", r"RAM\s+Headroom \d.*(safe|warning|danger|critical)")
    until(chromium, "#fit", "whisper-tiny.en")
    chromium.picture(PICTURES / "page-real.png")
    assert chromium.problems == []
    chromium.run("(() => { since.value = '1h'; document.querySelector('#report-make').click(); })()")
    wait_for(lambda: "RAM of headroom" in chromium.frame_text(),
             lambda: chromium.frame_text() + text(chromium, "#report-problem"), PATIENCE)
    assert "the model is ready" in chromium.frame_text()
    chromium.run("report.scrollIntoView()")
    chromium.picture(PICTURES / "page-report.png")
    chromium.open("about:blank")
    daemon.stop()
