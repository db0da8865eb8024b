// The microphone through the realtime socket: what is said comes as text while it is said.
import { token } from "/service.js";

const rates = [16000, 24000, 44100, 48000]; // that the server takes
const patience = 55_000; // ms; a lost session can be taken up again for a minute
const again = 1000; // ms
const mostHeld = 60 * 20; // pieces, a minute

export class Dictation {
  #on;
  #language = "";
  #context;
  #microphone;
  #socket;
  #session = "";
  #lastItem = "";
  #ready = false; // the server knows the format
  #held = []; // audio it does not have
  #open = new Set(); // items without their text
  #ended = false; // by the user
  #settled = false; // the server has said what became of the rest
  #finished = false;
  #lostAt = 0;

  // on: {item(id, {delta | text | failed | stopped}), level(0…1), warn(text), end()}
  constructor(on) {
    this.#on = on;
  }

  // Throws when there is no microphone or it may not be used.
  async start(language) {
    this.#language = language;
    const microphone = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1 } });
    this.#microphone = microphone;
    this.#context = new AudioContext();
    if (!rates.includes(this.#context.sampleRate)) {
      await this.#context.close();
      this.#context = new AudioContext({ sampleRate: 48000 });
    }
    await this.#context.audioWorklet.addModule("/recorder.js");
    if (this.#ended) return this.#closeMicrophone();
    const recorder = new AudioWorkletNode(this.#context, "recorder", { channelCount: 1, channelCountMode: "explicit" });
    recorder.port.onmessage = ({ data }) => {
      if (this.#ended) return; // what was on its way when the microphone was closed
      this.#on.level(data.peak);
      this.#send(data.audio);
    };
    this.#context.createMediaStreamSource(this.#microphone).connect(recorder);
    for (const track of this.#microphone.getTracks()) {
      track.onended = () => {
        this.#on.warn("The microphone has gone.");
        this.stop();
      };
    }
    this.#connect();
  }

  // What was said still becomes text; then comes end().
  stop() {
    if (this.#ended) return;
    this.#ended = true;
    this.#closeMicrophone();
    if (!this.#ready) return this.#finish();
    this.#say({ type: "input_audio_buffer.commit", event_id: "rest" });
    setTimeout(() => this.#finish(), 30_000); // no text takes that long
  }

  #closeMicrophone() {
    for (const track of this.#microphone?.getTracks() ?? []) track.stop();
    if (this.#context && this.#context.state !== "closed") this.#context.close();
    this.#on.level(0);
  }

  #finish() {
    if (this.#finished) return;
    this.#finished = true;
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close(1000);
    this.#on.end();
  }

  // Not before the server has taken up what was said last.
  #finishIfDone() {
    if (!this.#ended || this.#open.size > 0) return;
    setTimeout(() => this.#open.size === 0 && this.#finish(), this.#settled ? 0 : again);
  }

  #connect() {
    const url = new URL("/v1/realtime", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.searchParams.set("intent", "transcription");
    if (this.#session) url.searchParams.set("session", this.#session);
    if (this.#lastItem) url.searchParams.set("last_item", this.#lastItem);
    const protocols = ["realtime"];
    if (token()) protocols.push(`openai-insecure-api-key.${token()}`);
    const socket = new WebSocket(url, protocols);
    socket.onmessage = ({ data }) => this.#hear(JSON.parse(data));
    socket.onclose = (event) => this.#onClose(socket, event);
    this.#socket = socket;
  }

  #onClose(socket, event) {
    if (socket !== this.#socket) return;
    this.#ready = false;
    this.#lostAt ||= performance.now();
    const later = event.code === 1013; // the server says that it would be in vain
    if (this.#session && !later && !this.#ended && performance.now() - this.#lostAt < patience) {
      this.#on.warn("The connection was lost; what is said is kept.");
      setTimeout(() => socket === this.#socket && this.#connect(), again);
      return;
    }
    if (!this.#ended) this.#closeMicrophone();
    this.#ended = true;
    this.#on.warn(event.reason || (this.#session ? "The connection was lost." : "The server refused to listen."));
    this.#finish();
  }

  #say(event) {
    this.#socket.send(JSON.stringify(event));
  }

  #send(audio) {
    if (this.#ready && this.#socket.readyState === WebSocket.OPEN) return this.#socket.send(audio);
    this.#held.push(audio);
    if (this.#held.length <= mostHeld) return;
    this.#held.shift();
    this.#on.warn("The server does not answer; the oldest of what was said is lost.");
  }

  #hear(event) {
    switch (event.type) {
      case "session.created":
        this.#session = event.session.id;
        this.#say({
          type: "session.update",
          session: {
            type: "transcription",
            audio: {
              input: {
                format: { type: "audio/pcm", rate: this.#context.sampleRate },
                transcription: this.#language ? { model: "whisper-1", language: this.#language } : { model: "whisper-1" },
                turn_detection: { type: "server_vad" },
              },
            },
          },
        });
        break;
      case "session.updated":
        this.#ready = true;
        if (this.#lostAt) this.#on.warn("");
        this.#lostAt = 0;
        for (const audio of this.#held) this.#socket.send(audio);
        this.#held = [];
        break;
      case "input_audio_buffer.speech_started":
        this.#open.add(event.item_id);
        break;
      case "input_audio_buffer.speech_stopped":
        this.#on.item(event.item_id, { stopped: true });
        break;
      case "input_audio_buffer.committed":
        this.#settled = this.#ended;
        this.#open.add(event.item_id);
        break;
      case "conversation.item.input_audio_transcription.delta":
        this.#on.item(event.item_id, { delta: event.delta });
        break;
      case "conversation.item.input_audio_transcription.completed":
        this.#on.item(event.item_id, { text: event.transcript });
        this.#over(event.item_id);
        break;
      case "conversation.item.input_audio_transcription.failed":
        this.#on.item(event.item_id, { failed: event.error.message });
        this.#over(event.item_id);
        break;
      case "error":
        // Nothing was left to commit when the user stopped.
        // By its id when the buffer was empty, by its code when there was only silence in it.
        if (!this.#ended || (event.error.event_id !== "rest" && event.error.code !== "invalid"))
          return this.#on.warn(event.error.message);
        this.#settled = true;
        this.#finishIfDone();
        break;
    }
  }

  #over(item) {
    this.#lastItem = item;
    this.#open.delete(item);
    this.#finishIfDone();
  }
}
