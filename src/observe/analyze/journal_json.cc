// journalctl -o json: one object a line. The field list is in systemd.journal-fields(7).
#include <simdjson.h>

#include <charconv>
#include <cmath>
#include <cstring>

#include "observe/analyze/parser.h"

namespace headroom::analyze {
namespace {

class JournalJson : public LineParser {
 public:
  JournalJson(const ReadOptions& options, std::uint32_t source, Evidence& evidence)
      : LineParser(options, source, evidence), interpreter_(options, source, evidence) {}

 private:
  void Line(std::string_view line) override {
    if (line.starts_with("\x1e")) line.remove_prefix(1);  // journalctl -o json-seq
    if (line.find_first_not_of(" \t") == std::string_view::npos) return;
    if (line.size() + simdjson::SIMDJSON_PADDING > padded_.size())
      padded_.resize(2 * line.size() + simdjson::SIMDJSON_PADDING);
    std::memcpy(padded_.data(), line.data(), line.size());
    std::memset(padded_.data() + line.size(), 0, simdjson::SIMDJSON_PADDING);
    if (!Object(line.size())) Bad("is not a journal entry in JSON");
  }

  bool Object(std::size_t length) {
    simdjson::ondemand::document document;
    if (parser_.iterate(padded_.data(), length, padded_.size()).get(document)) return false;
    simdjson::ondemand::object object;
    if (document.get_object().get(object)) return false;
    Entry entry;
    std::optional<Milliseconds> monotonic;
    std::uint64_t boot = 0;
    for (auto item : object) {
      simdjson::ondemand::field field;
      if (std::move(item).get(field)) return false;
      // Keys of the journal are plain ASCII, so the raw key is the key.
      const simdjson::ondemand::raw_json_string raw = field.key();
      const char* key = raw.raw();
      if (key[0] == 'M' && Is(key, "MESSAGE\"")) {
        if (!Message(field.value(), entry.message)) return false;
      } else if (key[0] == '_' && key[1] == '_') {
        std::string_view text;
        if (field.value().get_string().get(text)) return false;
        if (Is(key, "__REALTIME_TIMESTAMP\"")) {
          entry.at = Instant(Milliseconds(Number(text) / 1000));
        } else if (Is(key, "__MONOTONIC_TIMESTAMP\"")) {
          monotonic = Milliseconds(Number(text) / 1000);
        } else if (Is(key, "__CURSOR\"")) {
          entry.identity = Hash(text);
        }
      } else if (Is(key, "_SYSTEMD_UNIT\"") || Is(key, "_SYSTEMD_USER_UNIT\"")) {
        if (!String(field.value(), entry.unit)) return false;
      } else if (Is(key, "UNIT\"") || Is(key, "USER_UNIT\"")) {
        if (!String(field.value(), entry.about)) return false;
      } else if (Is(key, "SYSLOG_IDENTIFIER\"")) {
        if (!String(field.value(), entry.identifier)) return false;
      } else if (Is(key, "_BOOT_ID\"")) {
        std::string_view text;
        if (!String(field.value(), text)) return false;
        boot = Hash(text);
      } else if (Is(key, "_TRANSPORT\"")) {
        std::string_view text;
        if (!String(field.value(), text)) return false;
        entry.kernel = text == "kernel";
      } else if ((key[0] >= 'a' && key[0] <= 'z') || key[0] == '@') {
        if (!OfProgram(key, field.value(), entry)) return false;
      }
    }
    if (!entry.at) return false;
    if (monotonic && Inside(*entry.at)) interpreter_.Clocks(*entry.at, *monotonic, boot, number_);
    interpreter_.Take(entry, number_);
    return true;
  }

  // JSON lines of docker, pino, zap, logrus, GCP and the like.
  bool OfProgram(const char* key, simdjson::ondemand::value value, Entry& entry) {
    if (Is(key, "msg\"") || Is(key, "message\"") || Is(key, "log\"") || Is(key, "textPayload\"") ||
        Is(key, "event\"")) {
      std::string_view text;
      if (!String(value, text)) return false;
      while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
      if (!text.empty()) entry.message = text;
    } else if (Is(key, "error\"") || Is(key, "err\"") || Is(key, "exception\"")) {
      std::string_view text;
      if (!String(value, text)) return false;
      if (entry.message.empty()) entry.message = text;
    } else if (Is(key, "time\"") || Is(key, "ts\"") || Is(key, "timestamp\"") ||
               Is(key, "@timestamp\"") || Is(key, "asctime\"") || Is(key, "datetime\"")) {
      simdjson::ondemand::json_type type{};
      if (value.type().get(type)) return false;
      std::string_view text;
      double number = 0;
      if (type == simdjson::ondemand::json_type::number) {
        if (value.get_double().get(number)) return false;
        while (number > 1e11) number /= 1000;  // ms, us, ns
        if (number > 1e8) entry.at = Instant(Milliseconds(std::llround(number * 1000)));
      } else if (!String(value, text)) {
        return false;
      } else if (const auto time = ParseTime(text, options_.zone, options_.reference)) {
        entry.at = time->at;
        if (!time->zone_named) source().zone_assumed = true;
      }
    } else if (Is(key, "container_name\"") || Is(key, "service\"") || Is(key, "logger\"")) {
      return String(value, entry.identifier);
    }
    return true;
  }

  static bool Is(const char* key, std::string_view name) {
    return std::strncmp(key, name.data(), name.size()) == 0;
  }
  static std::int64_t Number(std::string_view text) {
    std::int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  }
  // A field that came twice is an array; one too large is null. Neither is used.
  static bool String(simdjson::ondemand::value value, std::string_view& text) {
    simdjson::ondemand::json_type type{};
    if (value.type().get(type)) return false;
    return type != simdjson::ondemand::json_type::string || !value.get_string().get(text);
  }
  // Text that is not UTF-8 is an array of byte values.
  bool Message(simdjson::ondemand::value value, std::string_view& text) {
    simdjson::ondemand::json_type type{};
    if (value.type().get(type)) return false;
    if (type == simdjson::ondemand::json_type::string) return !value.get_string().get(text);
    if (type != simdjson::ondemand::json_type::array) return true;
    bytes_.clear();
    simdjson::ondemand::array array;
    if (value.get_array().get(array)) return false;
    for (auto item : array) {
      std::int64_t byte = 0;
      if (item.get_int64().get(byte)) return true;  // an array of texts: said twice
      bytes_ += static_cast<char>(byte);
    }
    text = bytes_;
    return true;
  }

  simdjson::ondemand::parser parser_;
  std::vector<char> padded_ = std::vector<char>(1 << 16);
  std::string bytes_;
  Interpreter interpreter_;
};

}  // namespace

std::unique_ptr<Parser> MakeJournalJson(const ReadOptions& options, std::uint32_t source,
                                        Evidence& evidence) {
  return std::make_unique<JournalJson>(options, source, evidence);
}

}  // namespace headroom::analyze
