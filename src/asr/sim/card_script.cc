#include "asr/sim/card_script.h"

#include <charconv>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/text.h"

namespace headroom::worker {
namespace {

using When = GpuEvent::When;
using What = GpuEvent::What;

std::optional<std::int64_t> Number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

// "1500ms", "2s"
std::optional<std::int64_t> Duration(std::string_view text) {
  if (text.ends_with("ms")) return Number(text.substr(0, text.size() - 2));
  if (!text.ends_with("s")) return std::nullopt;
  const auto seconds = Number(text.substr(0, text.size() - 1));
  if (!seconds || *seconds > 1'000'000) return std::nullopt;
  return *seconds * 1000;
}

std::vector<std::string> Words(std::string_view text) {
  std::vector<std::string> words;
  for (std::string& word : Split(text, ' ')) {
    if (!word.empty()) words.push_back(std::move(word));
  }
  return words;
}

bool ReadWhen(const std::vector<std::string>& words, GpuEvent& event) {
  if (words.size() != 2) return false;
  const bool after = words[0] == "after";
  const auto at = after ? Duration(words[1]) : Number(words[1]);
  if (!at || (!after && *at < 1)) return false;
  event.at = *at;
  if (after) return event.when = When::kAfter, true;
  if (words[0] == "allocation") return event.when = When::kAllocation, true;
  if (words[0] == "compute") return event.when = When::kCompute, true;
  if (words[0] == "run") return event.when = When::kRun, true;
  return false;
}

bool ReadWhat(const std::vector<std::string>& words, GpuEvent& event) {
  if (words.size() == 1) {
    if (words[0] == "fail") return event.what = What::kFail, event.when == When::kAllocation;
    if (words[0] == "hang") return event.what = What::kHang, true;
    if (words[0] == "die") return event.what = What::kDie, true;
    return false;
  }
  if (words.size() != 2) return false;
  if (words[0] == "neighbour") {
    const auto bytes = ParseBytes(words[1]);
    if (bytes) event.amount = bytes->n;
    return event.what = What::kNeighbour, bytes.has_value();
  }
  if (words[0] == "error") {
    event.what = What::kError;
    event.amount = Number(words[1]).value_or(0);
    return !DeviceErrorText(event.amount).empty();
  }
  if (words[0] == "slow") {
    event.what = What::kSlow;
    const auto ms = Duration(words[1]);
    event.amount = ms.value_or(0);
    return ms.has_value();
  }
  return false;
}

}  // namespace

std::string_view DeviceErrorText(std::int64_t code) {
  switch (code) {
    case 2:
      return "out of memory";
    case 100:
      return "no CUDA-capable device is detected";
    case 700:
      return "an illegal memory access was encountered";
    case 719:
      return "unspecified launch failure";
    case 999:
      return "unknown error";
    default:
      return "";
  }
}

Result<std::vector<GpuEvent>> ParseCardScript(std::string_view text) {
  std::string lines(text);
  for (char& c : lines) {
    if (c == ';') c = '\n';
  }
  std::vector<GpuEvent> events;
  for (const std::string& line : Split(lines, '\n')) {
    const std::string_view statement = Trim(std::string_view(line).substr(0, line.find('#')));
    if (statement.empty()) continue;
    const std::size_t colon = statement.find(':');
    GpuEvent event;
    if (colon == std::string_view::npos || !ReadWhen(Words(statement.substr(0, colon)), event) ||
        !ReadWhat(Words(statement.substr(colon + 1)), event))
      return Fail(Errc::kInvalid, "card script: \"{}\" makes no sense", Printable(statement));
    events.push_back(event);
  }
  return events;
}

}  // namespace headroom::worker
