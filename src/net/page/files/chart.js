// What a gauge showed since the page was opened, as lines over the bands of its zones. Hovering or the
// arrow keys show a moment; otherwise the key has the newest.
import uPlot from "/uplot.js";
import { bytes, make } from "/service.js";

const most = 300; // samples, at one in two seconds
const span = 60; // s, the least across
const height = 170;
const zones = ["warning", "danger", "critical"];
const shades = { warning: ["warning", 0.14], danger: ["bad", 0.14], critical: ["bad", 0.3] };
const steps = Array.from({ length: 27 }, (_, at) => 2 ** (at + 18)); // of the axis, bytes

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export class MemoryChart {
  #lines; // [{title, colour, dash}]
  #data; // times in seconds, then a list for each line
  #thresholds = [];
  #top = 1;
  #at; // the sample that a person looks at; undefined: the newest
  #plot;
  #root = make("div");
  #caption = make("figcaption", "", "soft");
  #figure = make("figure");

  constructor(to, title, lines) {
    this.#lines = lines;
    this.#data = [[], ...lines.map(() => [])];
    this.title = title;
    // A slider over time is what screen readers know for a chart that is walked through by keys.
    this.#root.setAttribute("role", "slider");
    this.#root.setAttribute("aria-label", `${title} since this page was opened`);
    this.#root.tabIndex = 0;
    this.#root.addEventListener("keydown", (event) => this.#onKey(event));
    this.#root.addEventListener("blur", () => this.#look(undefined));
    this.#figure.append(this.#caption, this.#root);
    this.#figure.hidden = true;
    to.append(this.#figure);
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(this.#figure);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw(true));
  }

  // values: bytes for each line, null where they are not known; thresholds: where warning, danger and
  // critical begin; most: of the device, or undefined.
  add(values, thresholds, whole) {
    if (values.every((value) => value === null) && !this.#data[0].length) return;
    [Date.now() / 1000, ...values].forEach((value, at) => this.#data[at].push(value));
    if (this.#data[0].length > most) {
      for (const list of this.#data) list.shift();
      if (this.#at !== undefined) this.#at = Math.max(0, this.#at - 1);
    }
    this.#thresholds = thresholds;
    const highest = Math.max(...this.#data.slice(1).flat().filter((value) => value !== null), 1);
    this.#top = whole ?? Math.max(1.15 * highest, 1.25 * (thresholds[0] ?? 0));
    const begins = zones.map((zone, at) => thresholds[at] && `${zone} from ${bytes(thresholds[at])}`).filter(Boolean);
    this.#caption.textContent = [this.title, ...begins].join(" · ");
    this.#figure.hidden = false;
    this.#draw(false);
  }

  #size() {
    return { width: Math.max(200, this.#figure.clientWidth), height };
  }

  #draw(afresh) {
    if (this.#figure.hidden) return;
    if (afresh) {
      this.#plot?.destroy();
      this.#plot = undefined;
    }
    if (this.#plot) this.#plot.setData(this.#data);
    else this.#plot = new uPlot(this.#options(), this.#data, this.#root);
    this.#look(this.#at);
  }

  #options() {
    const line = { stroke: () => colour("soft"), ticks: { stroke: () => colour("line") }, grid: { stroke: () => colour("line"), width: 1 } };
    return {
      ...this.#size(),
      cursor: { y: false, drag: { x: false, y: false } },
      scales: {
        x: { range: (_, first, last) => [Math.min(first, last - span), last] },
        y: { range: () => [0, this.#top] },
      },
      axes: [
        { ...line, grid: { show: false }, size: 32, space: 90, values: (_, times) => times.map(clock) },
        { ...line, size: 78, space: 34, incrs: steps, values: (_, counts) => counts.map(bytes) },
      ],
      series: [
        { label: "At", value: (_, time) => (time === null ? "" : clock(time)) },
        ...this.#lines.map(({ title, colour: name, dash }) => ({
          label: title,
          stroke: () => colour(name),
          width: 2,
          dash,
          points: { show: false },
          value: (_, count) => (count === null ? "not known" : bytes(count)),
        })),
      ],
      hooks: {
        drawClear: [(plot) => this.#drawZones(plot)],
        setLegend: [(plot) => plot.legend.idxs?.[0] == null && this.#showNewest(plot)],
      },
    };
  }

  #drawZones(plot) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.textAlign = "left";
    ctx.textBaseline = "top";
    ctx.font = `${11 * uPlot.pxRatio}px system-ui, sans-serif`;
    zones.forEach((zone, at) => {
      const begin = this.#thresholds[at];
      if (begin === undefined || begin >= this.#top) return;
      const upper = plot.valToPos(Math.min(this.#thresholds[at + 1] ?? this.#top, this.#top), "y", true);
      const tall = plot.valToPos(begin, "y", true) - upper;
      const [name, alpha] = shades[zone];
      ctx.fillStyle = colour(name);
      ctx.globalAlpha = alpha;
      ctx.fillRect(bbox.left, upper, bbox.width, tall);
      ctx.globalAlpha = 1;
      if (tall > 14 * uPlot.pxRatio) ctx.fillText(zone, bbox.left + 4 * uPlot.pxRatio, upper + 2 * uPlot.pxRatio);
    });
    ctx.restore();
  }

  // Without a moment that is looked at, the key has the newest.
  #showNewest(plot) {
    if (plot.data[0].length) plot.setLegend({ idx: plot.data[0].length - 1 }, false);
  }

  #look(at) {
    this.#at = at;
    if (!this.#plot) return;
    const times = this.#data[0];
    const last = times.length - 1;
    // After its own drawing, which uPlot puts off to the end of this turn.
    queueMicrotask(() => {
      if (at === undefined) this.#showNewest(this.#plot);
      else this.#plot.setCursor({ left: this.#plot.valToPos(times[at], "x"), top: 0 });
    });
    // A reader would say every new value of what has the focus.
    if (at === undefined && document.activeElement === this.#root) return;
    const shown = at ?? last;
    const says = this.#lines.map(({ title }, line) => {
      const count = this.#data[line + 1][shown];
      return `${title} ${count === null ? "not known" : bytes(count)}`;
    });
    for (const [name, value] of [["valuemin", 0], ["valuemax", last], ["valuenow", shown], ["valuetext", `${clock(times[shown])}: ${says.join(", ")}`]])
      this.#root.setAttribute(`aria-${name}`, value);
  }

  #onKey(event) {
    const last = this.#data[0].length - 1;
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -15, PageUp: 15, Home: -most, End: most }[event.key];
    if (by === undefined || last < 0) return;
    event.preventDefault();
    this.#look(Math.min(last, Math.max(0, (this.#at ?? last) + by)));
  }
}
