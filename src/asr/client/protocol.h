// What a supervisor and a worker say to each other, as types. docs/worker-protocol.md is the page.
//
// The worker speaks first (Hello). Then one request at a time, each with a number that its reply
// repeats; `cancel` may be sent while a run is going on and has no reply of its own.
// Every Parse function believes nothing: wrong types, absurd sizes and unknown values are
// kProtocol.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "speech/text/recognition_options.h"
#include "speech/text/transcript.h"

namespace headroom::asr {

inline constexpr int kProtocolVersion = 2;
/// Longest audio one run may carry, in samples at 16 kHz: 10 minutes.
inline constexpr std::size_t kMaxRunSamples = std::size_t{600} * 16000;

/// The worker's first words. A supervisor of another version refuses it in words.
struct Hello {
  int version = kProtocolVersion;
  std::string backend;  // "cpu", "cuda", "vulkan", "sim", "fake"
  std::string engine;   // "transcribe.cpp 0.4.1"
};

/// Which GPU, for workers that use one; the rest is how the simulated card of `headroom-worker-sim`
/// behaves, which others ignore. docs/gpu.md has the two formats.
struct GpuOptions {
  std::string device = {};     // its PCI address, or the worker's own name for it; "": the first
  Bytes capacity = MiB(4096);  // when counting it is only reported, nothing is refused
  bool counting = false;       // reserves and computes nothing; the texts mean nothing
  std::string profile = {};    // a device profile as JSON text; "": a plain device
  std::string script = {};     // neighbours and faults; "": none
};

struct LoadRequest {
  std::string path = {};  // absolute
  int threads = 0;        // 0: as many as the machine has cores for this process
  /// The lengths of audio run before Load answers, so that no later run up to the longest of them
  /// allocates on the device. Empty: nothing is run, and the first runs allocate.
  std::vector<Milliseconds> chunks = {};
  int batch = 1;  // that many of each length in one run
  /// Whisper's encoder computes its 30 s whatever was said: for comparisons.
  bool whole_windows = false;
  GpuOptions gpu = {};
};

/// What would a model need? Answered by a worker that is then good for nothing else: stop it.
struct PlanRequest {
  std::string path = {};  // absolute; the header of the file followed by a hole is enough
  int threads = 0;
  std::vector<Milliseconds> chunks = {};
  int batch = 1;
  bool cpu = false;  // counted as where all of it is computed on the CPU
  GpuOptions gpu = {.counting = true};
};

/// What a loaded model is and can do.
struct ModelTraits {
  std::string architecture;  // "whisper", "canary"…
  std::string variant;       // "whisper-base"; may be ""
  std::vector<std::string>
      languages;  // ISO 639-1 where they have one; empty: the model does not say
  bool detects_language = false;
  std::vector<std::string> translates_to;  // ISO 639-1; empty: it cannot translate
  bool punctuation = false;                // can leave it out on request
  bool segment_times = false;
  bool word_times = false;
  bool vocabulary = false;  // takes a word list
  bool prompt = false;      // takes context text
  bool streams = false;
  Milliseconds max_audio{0};  // longest audio of one run; 0: no limit
};

/// Device memory for audio of one length, by a model that has seen no other length.
struct PlanChunk {
  Milliseconds length{0};
  Bytes kv;         // kept after the run, besides weights and session
  Bytes workspace;  // needed besides weights, session and kv while it runs
  Bytes peak;       // the sum of the four: the device memory of a worker that admits this length
};

/// Bytes that the engine's own buffers take; a driver's context and libraries are not in them.
struct PlanResult {
  Bytes weights;
  Bytes session;
  Bytes kv;                            // of the longest chunk
  std::vector<PlanChunk> chunks = {};  // as they were asked for
  Bytes host;                          // the most that was in host buffers at once
  Bytes cpu_copies;                    // besides, where all of it is computed on the CPU
  ModelTraits traits = {};
  Bytes resident() const { return weights + session + kv; }
};

using speech::RecognitionOptions;

/// Several clips in one run, with equal options; a device computes them together.
struct BatchRequest {
  RecognitionOptions options;
  std::vector<std::size_t> clips;  // samples of each, as they lie one after the other
};
inline constexpr std::size_t kMaxBatch = 64;

struct RunTimings {
  double mel_ms = 0, encode_ms = 0, decode_ms = 0;
};

struct RunResult {
  speech::Transcript transcript;  // times from the start of this run's audio
  bool truncated = false;         // the model stopped early or repeated itself: text is missing
  RunTimings timings;
};

/// One for each clip, in their order. What failed one clip is its Error.
using BatchResult = std::vector<Result<RunResult>>;

/// The worker's own view of its memory.
struct WorkerStats {
  Bytes rss, peak_rss;
  std::int64_t runs = 0;
  Bytes device = {};                    // held on the device now; 0 on the CPU
  Bytes device_peak = {};               // the most since the process began
  std::int64_t device_allocations = 0;  // by the driver, since Load answered
  std::int64_t pool_hits = 0;           // buffers that came from the pool instead, since then
  // Whisper's encoder; 0 for models that compute just what was said.
  Milliseconds encoded{0};   // audio it was run over, with the silence behind it
  std::int64_t widened = 0;  // runs whose text was doubtful, tried again with the widest window
};

nlohmann::json ToJson(const Hello&);
nlohmann::json ToJson(const LoadRequest&);
nlohmann::json ToJson(const GpuOptions&);
nlohmann::json ToJson(const PlanRequest&);
nlohmann::json ToJson(const PlanResult&);
nlohmann::json ToJson(const ModelTraits&);
nlohmann::json ToJson(const RecognitionOptions&);
nlohmann::json ToJson(const BatchRequest&);
nlohmann::json ToJson(const RunResult&);
nlohmann::json ToJson(const BatchResult&);
nlohmann::json ToJson(const WorkerStats&);
nlohmann::json ToJson(const Error&);

Result<Hello> ParseHello(const nlohmann::json&);
Result<LoadRequest> ParseLoadRequest(const nlohmann::json&);
Result<GpuOptions> ParseGpuOptions(const nlohmann::json&);
Result<PlanRequest> ParsePlanRequest(const nlohmann::json&);
Result<PlanResult> ParsePlanResult(const nlohmann::json&);
Result<ModelTraits> ParseModelTraits(const nlohmann::json&);
Result<RecognitionOptions> ParseRecognitionOptions(const nlohmann::json&);
Result<BatchRequest> ParseBatchRequest(const nlohmann::json&);
Result<RunResult> ParseRunResult(const nlohmann::json&);
Result<BatchResult> ParseBatchResult(const nlohmann::json&);
Result<WorkerStats> ParseWorkerStats(const nlohmann::json&);
/// The Error inside a reply's "error" member; itself a kProtocol Error when that is malformed.
Error ParseError(const nlohmann::json&);

}  // namespace headroom::asr
