// What happens in the service, as it happens: the list of events and that of utterances. Nothing
// that was spoken comes this way.
import { ask, follow, make, why } from "/service.js";

const most = 200; // lines of each list
const again = 3000; // ms

const time = () => new Date().toLocaleTimeString();
const seconds = (ms) => (ms === undefined ? "" : `${(ms / 1000).toFixed(1)} s`);

// One line for a person; undefined: it has none.
const words = {
  zone: (e) => `${e.gauge}: ${e.from} → ${e.to}${e.reason ? `, ${e.reason}` : ""}`,
  action: (e) => `${e.verb.replaceAll("_", " ")}: ${e.reason}`,
  tier: (e) => e.text || `${e.tier}: ${e.change.replaceAll("_", " ")}`,
  trouble: (e) => `trouble${e.code ? `: ${e.code.replaceAll("_", " ")}` : ""}`,
  passed_over: (e) => `utterance ${e.utterance} could not be decoded; its speech is kept`,
  recovered: (e) => `${e.utterances} utterances of an earlier run are taken up`,
  sleep: (e) => (e.asleep ? "the computer goes to sleep" : "the computer is awake"),
  yield: (e) => (e.held ? "the GPU is left to another program" : "the GPU is ours again"),
  drain: (e) => (e.on ? "drained: nothing new of other programs is taken" : "work is taken again"),
  restart: (e) => `the service restarts: ${e.reason}`,
  reloaded: () => "the configuration was read again",
  state: (e) => `dictation: ${e.state}`,
};
const grave = (name, e) => name === "trouble" || name === "passed_over" || ["danger", "critical"].includes(e.to);

function outcome(e) {
  if (e.outcome) return e.outcome;
  if (e.phantom) return "phantom";
  return e.delivered === false ? "undelivered" : "text";
}

const cell = (text, kind = "") => make("td", text, kind);

export class Events {
  #on;
  #lists;

  // lists: {events: ol, utterances: tbody}; on: {status(status), state(text)}
  constructor(lists, on) {
    this.#lists = lists;
    this.#on = on;
    this.#run();
  }

  async #run() {
    for (;;) {
      try {
        const answer = await ask("/api/events");
        if (!answer.ok) throw new Error(await why(answer));
        this.#on.state("");
        await follow(answer, (data, name) => this.#take(name, data));
        this.#on.state("The connection was lost; it is made again.");
      } catch (error) {
        this.#on.state(error instanceof TypeError ? "The service does not answer." : error.message);
      }
      await new Promise((done) => setTimeout(done, again));
    }
  }

  #take(name, data) {
    if (name === "status") return this.#on.status(data);
    if (name === "text") return this.#utterance("dictation", data);
    if (name === "served") return this.#utterance(data.source, data);
    const text = words[name]?.(data);
    if (text === undefined) return;
    const line = document.createElement("li");
    line.append(Object.assign(document.createElement("time"), { textContent: time() }), " ", text);
    if (grave(name, data)) line.className = "bad";
    this.#add(this.#lists.events, line);
  }

  #utterance(source, e) {
    const row = document.createElement("tr");
    const became = outcome(e);
    const bad = became === "failed" || became === "undelivered" ? "bad" : "";
    row.append(cell(time()), cell(source), cell(seconds(e.audio_ms)), cell(seconds(e.latency_ms)), cell(became, bad), cell(e.tier ?? "", "soft"));
    this.#add(this.#lists.utterances, row);
  }

  #add(list, line) {
    list.prepend(line);
    list.closest("[data-empty]")?.removeAttribute("data-empty");
    while (list.children.length > most) list.lastElementChild.remove();
  }
}
