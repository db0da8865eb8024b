// What the server answers, with the token where it wants one.
const kept = "headroom-token";

export const token = () => sessionStorage.getItem(kept) ?? "";
export const keepToken = (text) => sessionStorage.setItem(kept, text);

export function ask(path, options = {}) {
  const headers = token() ? { Authorization: `Bearer ${token()}` } : {};
  return fetch(path, { ...options, headers });
}

// One line for a person: why it was not done.
export async function why(answer) {
  if (answer.status === 401) document.dispatchEvent(new Event("token-wanted"));
  try {
    return (await answer.json()).error.message;
  } catch {
    return `${answer.status} ${answer.statusText}`;
  }
}

// Server-sent events with a token, or of a POST, which EventSource cannot do: onEvent(data, name).
export async function follow(answer, onEvent) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    held += value;
    const events = held.split("\n\n");
    held = events.pop();
    for (const event of events) {
      const lines = event.split("\n");
      const field = (name) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const data = field("data");
      if (data) onEvent(JSON.parse(data), field("event"));
    }
  }
}

// Prometheus text: [{name, labels, value}]
export function parseMetrics(text) {
  const found = [];
  for (const line of text.split("\n")) {
    const parts = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!parts) continue;
    const labels = {};
    for (const [, name, value] of (parts[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) labels[name] = value;
    found.push({ name: parts[1], labels, value: Number(parts[3]) });
  }
  return found;
}

// The value below which that share of a histogram lies, in its unit; undefined when it is empty.
export function quantile(metrics, name, share) {
  const buckets = new Map();
  for (const metric of metrics) {
    if (metric.name !== `${name}_bucket`) continue;
    const end = metric.labels.le === "+Inf" ? Infinity : Number(metric.labels.le);
    buckets.set(end, (buckets.get(end) ?? 0) + metric.value);
  }
  const ends = [...buckets.keys()].sort((a, b) => a - b);
  const whole = buckets.get(Infinity) ?? 0;
  return whole > 0 ? ends.find((end) => buckets.get(end) >= share * whole) : undefined;
}

export function make(name, text = "", kind = "") {
  const element = document.createElement(name);
  element.textContent = text;
  if (kind) element.className = kind;
  return element;
}

export function bytes(count) {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  while (count >= 1024 && at < units.length - 1) {
    count /= 1024;
    ++at;
  }
  return `${at === 0 ? count : count.toFixed(1)} ${units[at]}`;
}
