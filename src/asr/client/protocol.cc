#include "asr/client/protocol.h"

#include <cmath>

#include "base/text.h"

namespace headroom::asr {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxText = 1 << 20;
constexpr std::size_t kMaxItems = 1 << 16;

// Reads typed members of one object; the first thing wrong is remembered and the rest reads as
// zero.
class Reader {
 public:
  Reader(const json& object, std::string_view what) : object_(object), what_(what) {
    if (!object.is_object()) Wrong("it is not a map");
  }

  std::string Text(const char* key) {
    const json* value = Find(key);
    if (!value) return {};
    if (!value->is_string()) return Wrong(key), std::string();
    const auto& text = value->get_ref<const std::string&>();
    if (text.size() > kMaxText) return Wrong(key), std::string();
    return text;
  }
  bool Flag(const char* key) {
    const json* value = Find(key);
    if (!value) return false;
    if (!value->is_boolean()) return Wrong(key), false;
    return value->get<bool>();
  }
  void Get(const char* key, std::string& value) { value = Text(key); }
  void Get(const char* key, bool& value) { value = Flag(key); }
  void Get(const char* key, std::vector<std::string>& value) { value = Texts(key); }
  std::int64_t Integer(const char* key, std::int64_t low, std::int64_t high) {
    const json* value = Find(key);
    if (!value) return 0;
    if (!value->is_number_integer()) return Wrong(key), 0;
    if (value->is_number_unsigned() && value->get<std::uint64_t>() > INT64_MAX)
      return Wrong(key), 0;
    const auto number = value->get<std::int64_t>();
    if (number < low || number > high) return Wrong(key), 0;
    return number;
  }
  double Real(const char* key) {
    const json* value = Find(key);
    if (!value) return 0;
    if (!value->is_number() || !std::isfinite(value->get<double>())) return Wrong(key), 0;
    return value->get<double>();
  }
  Milliseconds Time(const char* key) { return Milliseconds(Integer(key, 0, 1LL << 40)); }
  std::vector<std::string> Texts(const char* key) {
    std::vector<std::string> texts;
    for (const json& item : Items(key)) {
      if (!item.is_string() || item.get_ref<const std::string&>().size() > kMaxText) {
        Wrong(key);
        return {};
      }
      texts.push_back(item.get<std::string>());
    }
    return texts;
  }
  Bytes Size(const char* key) { return Bytes(Integer(key, 0, INT64_MAX)); }
  std::vector<Milliseconds> Times(const char* key) {
    std::vector<Milliseconds> times;
    for (const json& item : Items(key)) {
      const json box = {{"", item}};
      Reader one(box, what_);
      times.push_back(one.Time(""));
      if (!one.error_.empty()) Wrong(key);
    }
    return times;
  }
  json Member(const char* key) {
    const json* value = Find(key);
    return value ? *value : json();
  }
  /// What another Parse function made of a member.
  template <class T>
  T Take(const char* key, Result<T> parsed) {
    if (parsed) return std::move(*parsed);
    Wrong(key);
    return T{};
  }
  const json& Items(const char* key) {
    static const json kNone = json::array();
    const json* value = Find(key);
    if (!value) return kNone;
    if (!value->is_array() || value->size() > kMaxItems) return Wrong(key), kNone;
    return *value;
  }
  void Wrong(std::string_view key) {
    if (error_.empty()) error_ = fmt::format("malformed {}: {}", what_, key);
  }

  template <class T>
  Result<T> Finish(T value) const {
    if (!error_.empty()) return Fail(Errc::kProtocol, "{}", error_);
    return value;
  }

 private:
  const json* Find(const char* key) {
    if (!error_.empty()) return nullptr;
    const auto found = object_.find(key);
    if (found == object_.end()) return Wrong(fmt::format("{} is missing", key)), nullptr;
    return &*found;
  }

  const json& object_;
  std::string_view what_;
  std::string error_;
};

json TimesToJson(const std::vector<Milliseconds>& times) {
  json list = json::array();
  for (const Milliseconds time : times) list.push_back(time.count());
  return list;
}

json WordsToJson(const std::vector<speech::Word>& words) {
  json list = json::array();
  for (const auto& w : words)
    list.push_back({{"start", w.start.count()}, {"end", w.end.count()}, {"text", w.text}});
  return list;
}

Result<speech::Segment> ParseSegment(const json& body) {
  Reader read(body, "segment");
  speech::Segment segment{
      .start = read.Time("start"), .end = read.Time("end"), .text = read.Text("text"), .words = {}};
  for (const json& item : read.Items("words")) {
    Reader word(item, "word");
    auto parsed = word.Finish(speech::Word{
        .start = word.Time("start"), .end = word.Time("end"), .text = word.Text("text")});
    if (!parsed) return Fail(std::move(parsed.error()));
    segment.words.push_back(std::move(*parsed));
  }
  return read.Finish(std::move(segment));
}

}  // namespace

json ToJson(const Hello& hello) {
  return {{"version", hello.version}, {"backend", hello.backend}, {"engine", hello.engine}};
}

Result<Hello> ParseHello(const json& body) {
  Reader read(body, "greeting");
  return read.Finish(Hello{.version = static_cast<int>(read.Integer("version", 0, 1 << 20)),
                           .backend = read.Text("backend"),
                           .engine = read.Text("engine")});
}

json ToJson(const LoadRequest& request) {
  return {{"path", request.path},
          {"threads", request.threads},
          {"chunks", TimesToJson(request.chunks)},
          {"batch", request.batch},
          {"whole_windows", request.whole_windows},
          {"card", ToJson(request.gpu)}};
}

Result<LoadRequest> ParseLoadRequest(const json& body) {
  Reader read(body, "load request");
  return read.Finish(LoadRequest{
      .path = read.Text("path"),
      .threads = static_cast<int>(read.Integer("threads", 0, 1024)),
      .chunks = read.Times("chunks"),
      .batch = static_cast<int>(read.Integer("batch", 1, static_cast<std::int64_t>(kMaxBatch))),
      .whole_windows = read.Flag("whole_windows"),
      .gpu = read.Take("card", ParseGpuOptions(read.Member("card")))});
}

json ToJson(const GpuOptions& gpu) {
  return {{"device", gpu.device},
          {"capacity", gpu.capacity.n},
          {"counting", gpu.counting},
          {"profile", gpu.profile},
          {"script", gpu.script}};
}

Result<GpuOptions> ParseGpuOptions(const json& body) {
  Reader read(body, "card");
  return read.Finish(GpuOptions{.device = read.Text("device"),
                                .capacity = read.Size("capacity"),
                                .counting = read.Flag("counting"),
                                .profile = read.Text("profile"),
                                .script = read.Text("script")});
}

json ToJson(const PlanRequest& request) {
  return {{"path", request.path},
          {"threads", request.threads},
          {"chunks", TimesToJson(request.chunks)},
          {"batch", request.batch},
          {"processor", request.cpu},
          {"card", ToJson(request.gpu)}};
}

Result<PlanRequest> ParsePlanRequest(const json& body) {
  Reader read(body, "plan request");
  return read.Finish(PlanRequest{
      .path = read.Text("path"),
      .threads = static_cast<int>(read.Integer("threads", 0, 1024)),
      .chunks = read.Times("chunks"),
      .batch = static_cast<int>(read.Integer("batch", 1, static_cast<std::int64_t>(kMaxBatch))),
      .cpu = read.Flag("processor"),
      .gpu = read.Take("card", ParseGpuOptions(read.Member("card")))});
}

json ToJson(const PlanResult& plan) {
  json chunks = json::array();
  for (const PlanChunk& chunk : plan.chunks) {
    chunks.push_back({{"length", chunk.length.count()},
                      {"kv", chunk.kv.n},
                      {"workspace", chunk.workspace.n},
                      {"peak", chunk.peak.n}});
  }
  return {{"weights", plan.weights.n},
          {"session", plan.session.n},
          {"kv", plan.kv.n},
          {"host", plan.host.n},
          {"processor_copies", plan.cpu_copies.n},
          {"chunks", std::move(chunks)},
          {"traits", ToJson(plan.traits)}};
}

Result<PlanResult> ParsePlanResult(const json& body) {
  Reader read(body, "plan");
  PlanResult plan{.weights = read.Size("weights"),
                  .session = read.Size("session"),
                  .kv = read.Size("kv"),
                  .host = read.Size("host"),
                  .cpu_copies = read.Size("processor_copies"),
                  .traits = read.Take("traits", ParseModelTraits(read.Member("traits")))};
  for (const json& item : read.Items("chunks")) {
    Reader one(item, "chunk");
    auto chunk = one.Finish(PlanChunk{.length = one.Time("length"),
                                      .kv = one.Size("kv"),
                                      .workspace = one.Size("workspace"),
                                      .peak = one.Size("peak")});
    if (!chunk) return Fail(std::move(chunk.error()));
    plan.chunks.push_back(*chunk);
  }
  return read.Finish(std::move(plan));
}

json ToJson(const ModelTraits& traits) {
  return {{"architecture", traits.architecture},
          {"variant", traits.variant},
          {"languages", traits.languages},
          {"detects_language", traits.detects_language},
          {"translates_to", traits.translates_to},
          {"punctuation", traits.punctuation},
          {"segment_times", traits.segment_times},
          {"word_times", traits.word_times},
          {"vocabulary", traits.vocabulary},
          {"prompt", traits.prompt},
          {"streams", traits.streams},
          {"max_audio", traits.max_audio.count()}};
}

Result<ModelTraits> ParseModelTraits(const json& body) {
  Reader read(body, "model description");
  return read.Finish(ModelTraits{.architecture = read.Text("architecture"),
                                 .variant = read.Text("variant"),
                                 .languages = read.Texts("languages"),
                                 .detects_language = read.Flag("detects_language"),
                                 .translates_to = read.Texts("translates_to"),
                                 .punctuation = read.Flag("punctuation"),
                                 .segment_times = read.Flag("segment_times"),
                                 .word_times = read.Flag("word_times"),
                                 .vocabulary = read.Flag("vocabulary"),
                                 .prompt = read.Flag("prompt"),
                                 .streams = read.Flag("streams"),
                                 .max_audio = read.Time("max_audio")});
}

json ToJson(const RecognitionOptions& options) {
  json body = json::object();
  speech::ForEachOption(options,
                        [&body](const char* name, const auto& value) { body[name] = value; });
  return body;
}

Result<RecognitionOptions> ParseRecognitionOptions(const json& body) {
  Reader read(body, "run request");
  RecognitionOptions options;
  speech::ForEachOption(options, [&read](const char* name, auto& value) { read.Get(name, value); });
  return read.Finish(std::move(options));
}

json ToJson(const BatchRequest& request) {
  json body = ToJson(request.options);
  body["clips"] = request.clips;
  return body;
}

Result<BatchRequest> ParseBatchRequest(const json& body) {
  BatchRequest request;
  TRY_ASSIGN(request.options, ParseRecognitionOptions(body));
  Reader read(body, "batch request");
  for (const Milliseconds clip : read.Times("clips"))  // also numbers that are not negative
    request.clips.push_back(static_cast<std::size_t>(clip.count()));
  return read.Finish(std::move(request));
}

json ToJson(const RunResult& result) {
  json segments = json::array();
  for (const auto& s : result.transcript.segments) {
    segments.push_back({{"start", s.start.count()},
                        {"end", s.end.count()},
                        {"text", s.text},
                        {"words", WordsToJson(s.words)}});
  }
  return {{"segments", std::move(segments)},       {"language", result.transcript.language},
          {"truncated", result.truncated},         {"mel_ms", result.timings.mel_ms},
          {"encode_ms", result.timings.encode_ms}, {"decode_ms", result.timings.decode_ms}};
}

Result<RunResult> ParseRunResult(const json& body) {
  Reader read(body, "result");
  RunResult result;
  result.transcript.language = read.Text("language");
  result.truncated = read.Flag("truncated");
  result.timings = {.mel_ms = read.Real("mel_ms"),
                    .encode_ms = read.Real("encode_ms"),
                    .decode_ms = read.Real("decode_ms")};
  for (const json& item : read.Items("segments")) {
    TRY_ASSIGN(speech::Segment segment, ParseSegment(item));
    result.transcript.segments.push_back(std::move(segment));
  }
  return read.Finish(std::move(result));
}

json ToJson(const BatchResult& batch) {
  json results = json::array();
  for (const auto& one : batch)
    results.push_back(one ? json{{"ok", ToJson(*one)}} : json{{"error", ToJson(one.error())}});
  return {{"results", std::move(results)}};
}

Result<BatchResult> ParseBatchResult(const json& body) {
  Reader read(body, "results");
  BatchResult batch;
  for (const json& item : read.Items("results")) {
    if (item.is_object() && item.contains("error")) {
      Error error = ParseError(item["error"]);
      if (error.code == Errc::kProtocol) return Fail(std::move(error));
      batch.emplace_back(Fail(std::move(error)));
    } else {
      Reader one(item, "result of a batch");
      TRY_ASSIGN(RunResult result, ParseRunResult(one.Member("ok")));
      batch.emplace_back(std::move(result));
    }
  }
  return read.Finish(std::move(batch));
}

json ToJson(const WorkerStats& stats) {
  return {{"rss", stats.rss.n},
          {"peak_rss", stats.peak_rss.n},
          {"runs", stats.runs},
          {"device", stats.device.n},
          {"device_peak", stats.device_peak.n},
          {"device_allocations", stats.device_allocations},
          {"pool_hits", stats.pool_hits},
          {"encoded", stats.encoded.count()},
          {"widened", stats.widened}};
}

Result<WorkerStats> ParseWorkerStats(const json& body) {
  Reader read(body, "statistics");
  return read.Finish(
      WorkerStats{.rss = read.Size("rss"),
                  .peak_rss = read.Size("peak_rss"),
                  .runs = read.Integer("runs", 0, INT64_MAX),
                  .device = read.Size("device"),
                  .device_peak = read.Size("device_peak"),
                  .device_allocations = read.Integer("device_allocations", 0, INT64_MAX),
                  .pool_hits = read.Integer("pool_hits", 0, INT64_MAX),
                  .encoded = Milliseconds(read.Integer("encoded", 0, INT64_MAX)),
                  .widened = read.Integer("widened", 0, INT64_MAX)});
}

json ToJson(const Error& error) {
  return {{"code", std::string(Name(error.code))}, {"what", error.what}};
}

Error ParseError(const json& body) {
  Reader read(body, "error");
  auto parsed = read.Finish(
      Error{.code = ErrcFromName(read.Text("code")), .what = Printable(read.Text("what"))});
  return parsed ? *parsed : parsed.error();
}

}  // namespace headroom::asr
