const part = (id) => document.getElementById(id);
const kept = "headroom-token";

function ask(path, options = {}) {
  const token = sessionStorage.getItem(kept);
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  return fetch(path, { ...options, headers });
}

async function why(answer) {
  if (answer.status === 401) part("token").hidden = false;
  try {
    return (await answer.json()).error.message;
  } catch {
    return `${answer.status} ${answer.statusText}`;
  }
}

async function show() {
  try {
    const answer = await ask("/readyz");
    if (answer.ok || answer.status === 503) {
      const state = await answer.json();
      const loaded = state.models.filter((model) => model.loaded).map((model) => model.id);
      part("ready").textContent = state.ready
        ? `Ready, memory ${state.zone}, ${state.queue_seconds} s waiting; ${loaded.join(", ") || "no model is loaded"}`
        : `Not ready: ${state.reason}`;
    } else {
      part("ready").textContent = await why(answer);
      return;
    }
    const status = await ask("/api/status");
    part("status").textContent = status.ok ? JSON.stringify(await status.json(), null, 2) : await why(status);
  } catch {
    part("ready").textContent = "The service does not answer.";
  }
}

// Server-sent events of a POST, which EventSource cannot do.
async function follow(answer, onEvent) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    held += value;
    const events = held.split("\n\n");
    held = events.pop();
    for (const event of events) {
      const data = event.split("\n").find((line) => line.startsWith("data: "));
      if (data) onEvent(JSON.parse(data.slice(6)));
    }
  }
}

part("token").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(kept, part("secret").value.trim());
  part("secret").value = "";
  part("token").hidden = true;
  show();
});

part("upload").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.submitter;
  const form = new FormData();
  if (part("language").value) form.append("language", part("language").value.toLowerCase());
  form.append("stream", "true");
  form.append("file", part("file").files[0]);
  part("text").textContent = part("trouble").textContent = "";
  if (button) button.disabled = true;
  try {
    const answer = await ask("/v1/audio/transcriptions", { method: "POST", body: form });
    if (!answer.ok) {
      part("trouble").textContent = await why(answer);
      return;
    }
    let whole = false;
    await follow(answer, (data) => {
      if (data.type === "transcript.text.delta") part("text").textContent += data.delta;
      if (data.type === "transcript.text.done") [whole, part("text").textContent] = [true, data.text];
      if (data.type === "error") [whole, part("trouble").textContent] = [true, data.error.message];
    });
    if (!whole) part("trouble").textContent = "The answer ended early.";
  } catch {
    part("trouble").textContent = "The service does not answer.";
  } finally {
    if (button) button.disabled = false;
  }
});

show();
setInterval(() => document.hidden || show(), 3000);
