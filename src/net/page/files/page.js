import { Dictation } from "/dictation.js";
import { Events } from "/events.js";
import { Charts, showFit, showGauges } from "/memory.js";
import { ask, bytes, follow, keepToken, parseMetrics, quantile, why } from "/service.js";

const part = (id) => document.getElementById(id);
const GiB = 2 ** 30;
const mostLines = 500; // of what was said
const silent = "The service does not answer.";

// ---- what the service is doing ----

const charts = new Charts(part("charts"));
let plan = { tiers: [], rules: { safe: 70, marginal: 80, peak: 85 } };
let numbers = []; // the last metrics
let touched = false; // the GPU's size is the user's

function showReady(state) {
  const loaded = state.models.filter((model) => model.loaded).map((model) => model.id);
  part("ready").textContent = state.ready
    ? `Ready, memory ${state.zone}, ${state.queue_seconds} s waiting; ${loaded.join(", ") || "no model is loaded"}`
    : `Not ready: ${state.reason}`;
}

function showFacts(status, metrics) {
  const total = (name, outcome) =>
    metrics.filter((m) => m.name === name && (!outcome || m.labels.outcome === outcome)).reduce((sum, m) => sum + m.value, 0);
  const facts = {
    Version: status.version,
    "Turns speech into text": status.tier || "nothing is loaded",
    Doing: status.phase,
    Microphone: status.microphone && [status.microphone.device, status.microphone.state].filter(Boolean).join(", "),
    Utterances: `${total("headroom_utterances_total", "text")} became text, ${total("headroom_utterances_total", "failed")} failed`,
    Waiting: status.waiting,
  };
  const half = quantile(metrics, "headroom_latency_seconds", 0.5);
  if (half !== undefined)
    facts.Latency = `half within ${half} s, 95 of 100 within ${quantile(metrics, "headroom_latency_seconds", 0.95)} s`;
  part("facts").replaceChildren(
    ...Object.entries(facts)
      .filter(([, value]) => value !== undefined && value !== "")
      .flatMap(([name, value]) => {
        const [term, detail] = [document.createElement("dt"), document.createElement("dd")];
        [term.textContent, detail.textContent] = [name, value];
        return [term, detail];
      }),
  );
  part("troubles").replaceChildren(
    ...(status.troubles ?? []).map((text) => Object.assign(document.createElement("li"), { textContent: text })),
  );
}

function showWhatFits() {
  const [gpu, others] = [Number(part("gpu").value) * GiB, Number(part("others").value) * GiB];
  part("gpu-size").value = bytes(gpu);
  part("others-size").value = bytes(others);
  part("gpu").setAttribute("aria-valuetext", bytes(gpu));
  part("others").setAttribute("aria-valuetext", bytes(others));
  showFit(part("fit"), plan.tiers, plan.rules, gpu, others);
}

function takeCard(memory) {
  if (touched || !memory?.vram_total_bytes) return;
  part("gpu").value = memory.vram_total_bytes / GiB;
  part("others").value = ((memory.vram_used_bytes ?? 0) - (memory.vram_ours_bytes ?? 0)) / GiB;
}

async function show() {
  try {
    const ready = await ask("/readyz");
    if (!ready.ok && ready.status !== 503) return void (part("ready").textContent = await why(ready));
    showReady(await ready.json());
    const [metrics, status, plans] = await Promise.all(["/metrics", "/api/status", "/api/plan"].map((path) => ask(path)));
    numbers = metrics.ok ? parseMetrics(await metrics.text()) : [];
    showGauges(part("gauges"), numbers);
    if (metrics.ok) charts.add(numbers);
    if (plans.ok) plan = { ...plan, ...(await plans.json()) };
    if (status.ok) {
      const now = await status.json();
      showFacts(now, numbers);
      takeCard(now.memory);
    }
    showWhatFits();
  } catch {
    part("ready").textContent = silent;
  }
}

for (const id of ["gpu", "others"]) {
  part(id).addEventListener("input", () => {
    touched = true;
    showWhatFits();
  });
}

document.addEventListener("token-wanted", () => (part("token").hidden = false));
part("token").addEventListener("submit", (event) => {
  event.preventDefault();
  keepToken(part("secret").value.trim());
  part("secret").value = "";
  part("token").hidden = true;
  show();
});

const language = () => part("language").value.trim().toLowerCase();

// ---- a recording ----

let upload;

function done() {
  upload = undefined;
  part("stop").hidden = true;
}

async function transcribe(file) {
  const form = new FormData();
  if (language()) form.append("language", language());
  form.append("stream", "true");
  form.append("file", file);
  part("text").textContent = part("problem").textContent = "";
  upload?.abort();
  upload = new AbortController();
  const ours = upload;
  part("stop").hidden = false;
  try {
    const answer = await ask("/v1/audio/transcriptions", { method: "POST", body: form, signal: ours.signal });
    if (!answer.ok) throw new Error(await why(answer));
    let whole = false;
    await follow(answer, (data) => {
      if (data.type === "transcript.text.delta") part("text").textContent += data.delta;
      if (data.type === "transcript.text.done") [whole, part("text").textContent] = [true, data.text || "Nothing was said."];
      if (data.type === "error") throw new Error(data.error.message);
    });
    if (!whole) throw new Error("The answer ended early.");
  } catch (error) {
    if (ours.signal.aborted) return;
    part("problem").textContent = error instanceof TypeError ? silent : error.message;
  } finally {
    if (ours === upload) done();
  }
}

part("upload").addEventListener("submit", (event) => {
  event.preventDefault();
  transcribe(part("file").files[0]);
});
part("stop").addEventListener("click", () => {
  upload?.abort();
  done();
});
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    part("drop").classList.toggle("over", kind === "dragover");
    const file = kind === "drop" && event.dataTransfer.files[0];
    if (file) transcribe(file);
  });
}

// ---- the microphone ----

let dictation;
const items = new Map(); // id: {line, text, latency, stopped}

function itemOf(id) {
  if (!items.has(id)) {
    const [line, text, latency] = ["li", "span", "span"].map((name) => document.createElement(name));
    text.className = "open";
    latency.className = "soft";
    line.append(text, latency);
    part("said").append(line);
    if (part("said").children.length > mostLines) part("said").firstElementChild.remove();
    items.set(id, { line, text, latency });
  }
  return items.get(id);
}

function onItem(id, what) {
  const item = itemOf(id);
  if (what.stopped) item.stopped = performance.now();
  if (what.delta !== undefined) item.text.textContent += what.delta;
  if (what.text === undefined && what.failed === undefined) return;
  item.text.textContent = what.text ?? what.failed;
  item.text.className = what.failed === undefined ? "" : "bad";
  if (item.stopped) item.latency.textContent = `${Math.round(performance.now() - item.stopped)} ms`;
  if (what.text === "") item.line.remove();
}

function showListening(on) {
  part("speak").setAttribute("aria-pressed", String(on));
  part("speak").textContent = on ? "Stop" : "Listen";
}

part("speak").addEventListener("click", async () => {
  if (dictation) {
    showListening(false);
    return dictation.stop();
  }
  part("speak-problem").textContent = "";
  const ours = new Dictation({
    item: onItem,
    level: (peak) => (part("level").value = peak),
    warn: (text) => (part("speak-problem").textContent = text),
    end: () => {
      if (dictation === ours) dictation = undefined;
      showListening(false);
    },
  });
  dictation = ours;
  showListening(true);
  try {
    if (!navigator.mediaDevices) throw new Error("browsers give a microphone only to https and to localhost");
    await ours.start(language());
  } catch (error) {
    part("speak-problem").textContent = `No microphone: ${error.message}`;
    ours.stop();
  }
});

// ---- what happens ----

new Events(
  { events: part("events"), utterances: part("utterances") },
  { status: (status) => showFacts(status, numbers), state: (text) => (part("events-problem").textContent = text) },
);

// ---- the report ----

part("report-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const [button, frame, problem] = [part("report-make"), part("report"), part("report-problem")];
  problem.textContent = "";
  button.disabled = true;
  button.textContent = "Reading the record…";
  try {
    const answer = await ask(`/api/report?since=${encodeURIComponent(part("since").value)}`);
    if (!answer.ok) throw new Error(await why(answer));
    const report = await answer.text();
    frame.onload = () => {
      frame.onload = null;
      frame.contentWindow.postMessage(report, "*"); // it has no origin
    };
    frame.src = "/frame.html";
    frame.hidden = false;
  } catch (error) {
    problem.textContent = error instanceof TypeError ? silent : error.message;
  } finally {
    button.disabled = false;
    button.textContent = "Show";
  }
});

show();
setInterval(() => document.hidden || show(), 2000);
