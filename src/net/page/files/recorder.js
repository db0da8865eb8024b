// Runs in the audio thread: the microphone's samples as PCM16, a twentieth of a second at a time.
class Recorder extends AudioWorkletProcessor {
  #piece = new Int16Array(Math.round(sampleRate / 20));
  #filled = 0;
  #peak = 0;

  process([input]) {
    for (const sample of input[0] ?? []) {
      const clipped = Math.max(-1, Math.min(1, sample));
      this.#peak = Math.max(this.#peak, Math.abs(clipped));
      this.#piece[this.#filled++] = Math.round(clipped * 32767);
      if (this.#filled < this.#piece.length) continue;
      const { buffer, length } = this.#piece;
      this.port.postMessage({ audio: buffer, peak: this.#peak }, [buffer]);
      this.#piece = new Int16Array(length);
      this.#filled = this.#peak = 0;
    }
    return true;
  }
}
registerProcessor("recorder", Recorder);
