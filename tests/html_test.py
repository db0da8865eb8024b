"""The HTML report in a real browser: nothing in the console, charts drawn, zoom, hover, text that can be selected, a
phone, dark, print. Pictures are kept in the build folder's artefacts/."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from browser import Browser

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "incident-report"))
import generate  # noqa: E402

BIN = Path(os.environ["HEADROOM_TEST_BIN"])
PICTURES = BIN.parent / "artefacts"


def write(folder, name, *args):
    page = folder / name
    outcome = subprocess.run(
        [BIN / "headroom-report", "report", "--format", "html", "-o", page, *map(str, args)], capture_output=True, text=True,
        timeout=120, env={**os.environ, "TZ": "UTC", "XDG_CONFIG_HOME": "/nonexistent"})
    assert outcome.returncode == 0, outcome.stderr
    return page.as_uri()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    logs = generate.generate(folder, suspend=True)
    incident = write(folder, "incident.html", *(arg for name in ("journal.json", "gpu.csv", "memory.csv")
                                                for arg in ("--input", logs / name)))
    # Words of a log must stay words, wherever they come up.
    evil = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
    (folder / "evil.csv").write_text("time,rss_mb,process_name\n" + "".join(
        f"2026-01-01T00:{m:02}:00Z,{100 + m},{evil.replace(',', '')}\n" for m in range(40)))
    return {"incident": incident,
            "evil": write(folder, "evil.html", "-i", folder / "evil.csv", "--title", evil)}


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def incident(browser, pages):
    browser.problems.clear()
    browser.requests.clear()
    browser.open(pages["incident"])
    yield browser
    assert browser.problems == []
    assert {url.split(":")[0] for url in browser.requests} <= {"file", "data"}


def view(browser):
    text = browser.run("document.documentElement.dataset.view || ''")
    return [int(t) for t in text.split(",")] if text else browser.run(
        "(d => [d.from, d.to])(JSON.parse(document.getElementById('data').textContent))")


def length(browser):
    first, last = view(browser)
    return last - first


def test_charts_are_drawn(incident):
    gauges = incident.run("JSON.parse(document.getElementById('data').textContent).gauges.length")
    assert gauges == 3 and incident.run("document.documentElement.dataset.drawn") == "3"
    drawn = incident.run("""[...document.querySelectorAll('#charts svg')].map(svg => {
        const line = svg.querySelector('.course'), box = line.getBBox();
        return [line.getAttribute('d').length, box.width, svg.clientWidth, svg.querySelectorAll('rect.phase').length,
                svg.querySelectorAll('.errors').length, svg.querySelectorAll('text').length,
                /NaN|undefined|Infinity/.test(svg.outerHTML)]; })""")
    assert len(drawn) == 3
    for path, width, whole, phases, errors, labels, broken in drawn:
        assert path > 200 and width > 0.95 * whole
        assert phases >= 3 and errors >= 1 and labels >= 3
        assert not broken
    # The peak of RAM is the highest point of its chart, near the right end.
    assert incident.run("document.querySelectorAll('#charts svg')[1].querySelector('.course').getBBox().height") > 50
    incident.picture(PICTURES / "report-light.png")


def test_wheel_buttons_and_drag_zoom(incident):
    whole = length(incident)
    left, top, width, height = incident.box("#charts svg")
    at = (left + width * 0.98, top + height / 2)
    before = incident.run("document.querySelector('#charts svg .course').getAttribute('d')")
    for _ in range(5):
        incident.mouse("mouseWheel", *at, deltaX=0, deltaY=-100)
    zoomed = length(incident)
    assert zoomed == pytest.approx(whole * 0.8 ** 5, rel=0.02)
    assert incident.run("document.querySelector('#charts svg .course').getAttribute('d')") != before
    first = view(incident)[0]
    incident.drag((left + width * 0.3, at[1]), (left + width * 0.6, at[1]))
    assert view(incident)[0] < first and length(incident) == pytest.approx(zoomed, rel=0.02)
    incident.click("#all")
    assert length(incident) == whole
    incident.click("#event")  # the burst and as much around it
    assert length(incident) < whole / 20
    assert incident.run("document.querySelectorAll('#charts svg .errors').length") == 3
    labels = "[...document.querySelectorAll('#charts svg text')].map(t => t.textContent)"
    assert {"event", "recovery", "asleep"} <= set(incident.run(labels))
    end = incident.run("document.getElementById('charts').getBoundingClientRect().bottom + scrollY")
    incident.picture(PICTURES / "report-event.png", x=0, y=0, width=1100, height=end)
    incident.click("#in")
    incident.click("#out")
    assert incident.run("document.querySelectorAll('#charts svg').length") == 3


def test_hover_tells_the_moment(incident):
    left, top, width, height = incident.box("#charts svg")
    incident.mouse("mouseMoved", left + width * 0.5, top + height / 2)
    assert incident.run("getComputedStyle(document.getElementById('tip')).display") == "block"
    text = incident.run("document.getElementById('tip').textContent")
    assert "VRAM of GPU 0: 3740 MiB" in text and "RAM" in text


def test_text_can_be_selected(incident):
    left, top, width, height = incident.box("ul li")
    incident.drag((left + 2, top + 6), (left + width - 4, top + height - 6))
    selected = incident.run("getSelection().toString()")
    assert len(selected) > 20, selected


def test_on_a_phone_nothing_sticks_out(incident):
    incident.call("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=2, mobile=True)
    try:
        incident.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert incident.run("document.documentElement.scrollWidth") <= 360
        assert incident.run("Math.max(...[...document.querySelectorAll('#charts svg')].map(s => s.clientWidth))") <= 360
        assert incident.run("parseFloat(getComputedStyle(document.body).fontSize)") >= 14
        incident.picture(PICTURES / "report-phone.png")
    finally:
        incident.call("Emulation.clearDeviceMetricsOverride")


def test_dark_and_print(incident):
    def contrast():
        return incident.run("""(() => { const light = c => { const [r, g, b] = c.match(/[0-9.]+/g).map(Number).map(v => {
            v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
            return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
            const s = getComputedStyle(document.body), a = light(s.color), b = light(s.backgroundColor);
            return [b, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)]; })()""")
    try:
        seen = {}
        for scheme in ("light", "dark"):
            incident.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            seen[scheme] = contrast()
            assert seen[scheme][1] >= 7
        assert seen["light"][0] > 0.8 and seen["dark"][0] < 0.1
        incident.picture(PICTURES / "report-dark.png")
        incident.click("#theme")
        assert contrast()[0] > 0.8
        incident.call("Emulation.setEmulatedMedia", media="print", features=[])
        assert incident.run("getComputedStyle(document.querySelector('.tools')).display") == "none"
    finally:
        incident.call("Emulation.setEmulatedMedia", media="", features=[])


def test_words_of_a_log_stay_words(browser, pages):
    browser.problems.clear()
    browser.open(pages["evil"])
    assert browser.run("document.title").startswith("</script>")
    assert browser.run("document.querySelectorAll('img').length") == 0
    assert browser.run("document.documentElement.dataset.drawn") == "1"
    assert browser.problems == []
