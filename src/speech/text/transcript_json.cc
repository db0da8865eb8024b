#include "speech/text/transcript_json.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace headroom::speech {
namespace {

using Json = nlohmann::ordered_json;

// One line; bytes that are not UTF-8 (a file name may hold some) become U+FFFD.
std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json ToJson(const Segment& segment) {
  Json json{{"start_ms", segment.start.count()},
            {"end_ms", segment.end.count()},
            {"text", segment.text},
            {"words", Json::array()}};
  for (const Word& word : segment.words)
    json["words"].push_back(
        {{"start_ms", word.start.count()}, {"end_ms", word.end.count()}, {"text", word.text}});
  return json;
}

// One object, written in three parts: the brace of the head is closed by the end.
class JsonWriter : public TranscriptWriter {
 public:
  explicit JsonWriter(TextSink sink) : sink_(std::move(sink)) {}

  Result<> Begin(const TranscriptHead& head) override {
    std::string text = Dump(Json{{"schema", 1}, {"file", head.file}});
    text.pop_back();
    return sink_(text + ",\"segments\":[");
  }

  Result<> Add(const Segment& segment) override {
    const std::string_view before = std::exchange(any_, true) ? ",\n" : "\n";
    return sink_(fmt::format("{}{}", before, Dump(ToJson(segment))));
  }

  Result<> End(const TranscriptEnd& end) override {
    const std::string text = Dump(Json{{"model", end.model},
                                       {"language", end.language},
                                       {"duration_ms", end.duration.count()},
                                       {"complete", end.complete},
                                       {"warnings", end.warnings}});
    return sink_(fmt::format("{}],{}\n", any_ ? "\n" : "", std::string_view(text).substr(1)));
  }

 private:
  const TextSink sink_;
  bool any_ = false;
};

}  // namespace

std::unique_ptr<TranscriptWriter> MakeJsonWriter(TextSink sink) {
  return std::make_unique<JsonWriter>(std::move(sink));
}

}  // namespace headroom::speech
