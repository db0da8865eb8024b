// Memory as it is now, as it was, and as it would be with another GPU.
import { MemoryChart } from "/chart.js";
import { bytes, make } from "/service.js";

const zones = ["safe", "warning", "danger", "critical"];
// {ram: {headroom, others, free}, …} in bytes, as far as they are known.
function owners(metrics) {
  const kinds = {};
  for (const { name, labels, value } of metrics) {
    if (name === "headroom_memory_bytes") (kinds[labels.kind] ??= {})[labels.owner] = value;
  }
  return kinds;
}

function gauge(kind, { headroom = 0, others = 0, free = 0 }, zone) {
  const row = make("div", "", "gauge");
  const bar = make("div", "", "bar");
  const whole = headroom + others + free;
  for (const [owner, count] of [["ours", headroom], ["others", others]]) {
    const part = make("i", "", owner);
    part.style.width = `${whole > 0 ? (100 * count) / whole : 0}%`;
    bar.append(part);
  }
  const says = [`Headroom ${bytes(headroom)}`];
  if (others > 0) says.push(`others ${bytes(others)}`);
  if (free > 0) says.push(`free ${bytes(free)}`);
  bar.setAttribute("role", "img");
  bar.setAttribute("aria-label", `${kind}: ${says.join(", ")}`);
  const line = make("small", `${says.join(", ")} `);
  if (zone) line.append(make("span", zone, `zone ${zone}`));
  row.append(make("span", kind), bar, line);
  return row;
}

export function showGauges(to, metrics) {
  const kinds = owners(metrics);
  const rows = [];
  const zoneOf = (name) => zones[metrics.find((m) => m.name === "headroom_zone" && m.labels.gauge === name)?.value];
  for (const [kind, name, title] of [["vram", "VRAM", "GPU"], ["ram", "RAM", "RAM"], ["swap", "swap", "Swap"]]) {
    if (kinds[kind]) rows.push(gauge(title, kinds[kind], zoneOf(name)));
  }
  const pressure = zoneOf("pressure");
  if (pressure) {
    const row = make("div", "", "gauge");
    row.append(make("span", "Pressure"), make("span", pressure, `zone ${pressure}`));
    rows.push(row);
  }
  to.replaceChildren(...(rows.length ? rows : [make("p", "Nothing is known yet.", "soft")]));
}

// The GPU's and the RAM's lines since the page was opened.
export class Charts {
  #gpu;
  #ram;

  constructor(to) {
    const ours = { title: "Headroom", colour: "ours" };
    this.#gpu = new MemoryChart(to, "GPU", [ours, { title: "others", colour: "others", dash: [6, 4] }, { title: "together", colour: "fg" }]);
    this.#ram = new MemoryChart(to, "RAM of Headroom", [ours]);
  }

  add(metrics) {
    const { ram = {}, vram = {} } = owners(metrics);
    const thresholds = (gauge) =>
      zones.slice(1).map((zone) => metrics.find((m) => m.name === "headroom_zone_border_bytes" && m.labels.gauge === gauge && m.labels.zone === zone)?.value);
    const { headroom = null, others = null, free } = vram;
    const together = headroom === null && others === null ? null : (headroom ?? 0) + (others ?? 0);
    this.#gpu.add([headroom, others, together], thresholds("VRAM"), free === undefined ? undefined : together + free);
    this.#ram.add([ram.headroom ?? null], thresholds("RAM"));
  }
}

// The service's own rule: resident and others in the first line, the longest piece of audio that
// leaves room for its workspace in the second.
export function judge(tier, rules, gpu, others) {
  const within = (held, percent) => held * 100 <= gpu * percent;
  const chunks = [...tier.chunks].sort((a, b) => b.chunk_ms - a.chunk_ms);
  for (const chunk of chunks.length ? chunks : [{ peak_bytes: tier.resident_bytes }]) {
    if (!within(tier.resident_bytes + others, rules.marginal) || !within(chunk.peak_bytes + others, rules.peak)) continue;
    return { fit: within(tier.resident_bytes + others, rules.safe) ? "SAFE" : "MARGINAL", chunk };
  }
  return { fit: "UNSAFE", chunk: chunks.at(-1) ?? { peak_bytes: tier.resident_bytes } };
}

const colours = { SAFE: "safe", MARGINAL: "warning", UNSAFE: "danger" };

// A row for each model: what it takes, and the verdict on a GPU of that size.
export function showFit(to, tiers, rules, gpu, others) {
  to.replaceChildren(
    ...tiers.map((tier) => {
      const { fit, chunk } = judge(tier, rules, gpu, others);
      const needs = Math.max(tier.resident_bytes, chunk.peak_bytes);
      const left = gpu - others - needs;
      const row = make("tr");
      row.append(make("td", tier.tier), make("td", bytes(needs)));
      if (!tier.on_card) {
        row.append(make("td", "runs beside it", "soft"));
        return row;
      }
      const verdict = make("td", "", "");
      const pieces = chunk.chunk_ms ? `, ${chunk.chunk_ms / 1000} s at once` : "";
      verdict.append(make("b", fit, colours[fit]), left >= 0 ? `: ${bytes(left)} left${pieces}` : `: ${bytes(-left)} short`);
      row.append(verdict);
      return row;
    }),
  );
}
