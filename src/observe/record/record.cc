#include "observe/record/record.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace headroom::record {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 6> kGpuStates = {"active", "suspended", "resting",
                                                        "lost",   "error",     "late"};
constexpr std::array<std::string_view, 23> kKinds = {
    "start",      "stop",      "model_loading", "model_ready", "model_unloaded", "speech_begin",
    "speech_end", "utterance", "zone",          "action",      "error",          "worker_exit",
    "suspend",    "resume",    "device",        "driver",      "config",         "kernel",
    "target",     "kept",      "dropped",       "recording",   "clock"};
constexpr std::string_view kMarkName = "mark";
constexpr std::array<std::string_view, kKeys> kKeyNames = {
    "action",    "audio_ms", "bytes", "card", "class", "code",      "count",  "driver", "events",
    "exit_code", "from",     "gauge", "key",  "ms",    "name",      "pid",    "reason", "samples",
    "signal",    "source",   "step",  "tier", "to",    "utterance", "version"};

template <std::size_t n>
std::optional<std::size_t> IndexOf(const std::array<std::string_view, n>& names,
                                   std::string_view name) {
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) return std::nullopt;
  return static_cast<std::size_t>(found - names.begin());
}

// Whole UTF-8 sequences only.
std::string Cut(std::string text) {
  text = Printable(text);
  std::ranges::replace(text, '\n', ' ');
  if (text.size() <= kMostText) return text;
  std::size_t end = kMostText;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  text.resize(end);
  return text;
}

const Value* Find(const std::vector<Attribute>& attributes, Key key) {
  const auto found = std::ranges::find(attributes, key, &Attribute::key);
  return found == attributes.end() ? nullptr : &found->value;
}

}  // namespace

Moment Now(const Clock& clock) {
  return {clock.Now(), clock.WallNow()};
}

std::string_view Name(GpuState state) {
  return kGpuStates[static_cast<std::size_t>(state)];
}
std::optional<GpuState> GpuStateFromName(std::string_view name) {
  const auto index = IndexOf(kGpuStates, name);
  return index ? std::optional(static_cast<GpuState>(*index)) : std::nullopt;
}

std::string_view Name(EventKind kind) {
  return kind == EventKind::kMark ? kMarkName : kKinds[static_cast<std::size_t>(kind)];
}
std::optional<EventKind> EventKindFromName(std::string_view name) {
  if (name == kMarkName) return EventKind::kMark;
  const auto index = IndexOf(kKinds, name);
  return index ? std::optional(static_cast<EventKind>(*index)) : std::nullopt;
}

std::string_view Name(Key key) {
  return kKeyNames[static_cast<std::size_t>(key)];
}
std::optional<Key> KeyFromName(std::string_view name) {
  const auto index = IndexOf(kKeyNames, name);
  return index ? std::optional(static_cast<Key>(*index)) : std::nullopt;
}

Event& Event::Put(Key key, Value value) {
  if (auto* text = std::get_if<std::string>(&value)) *text = Cut(std::move(*text));
  const auto found = std::ranges::find(attributes, key, &Attribute::key);
  if (found != attributes.end())
    found->value = std::move(value);
  else if (attributes.size() < kMostAttributes)
    attributes.push_back({key, std::move(value)});
  return *this;
}

std::optional<std::int64_t> Event::Integer(Key key) const {
  const Value* value = Find(attributes, key);
  const auto* number = value ? std::get_if<std::int64_t>(value) : nullptr;
  return number ? std::optional(*number) : std::nullopt;
}
std::optional<double> Event::Number(Key key) const {
  if (const auto whole = Integer(key)) return static_cast<double>(*whole);
  const Value* value = Find(attributes, key);
  const auto* number = value ? std::get_if<double>(value) : nullptr;
  return number ? std::optional(*number) : std::nullopt;
}
std::string_view Event::Text(Key key) const {
  const Value* value = Find(attributes, key);
  const auto* text = value ? std::get_if<std::string>(value) : nullptr;
  return text ? std::string_view(*text) : std::string_view();
}
std::int64_t Event::count() const {
  return std::max<std::int64_t>(1, Integer(Key::kCount).value_or(1));
}

std::string AttributesToJson(const Event& event) {
  if (event.attributes.empty()) return "";
  json object = json::object();
  for (const Attribute& attribute : event.attributes)
    std::visit([&](const auto& value) { object[std::string(Name(attribute.key))] = value; },
               attribute.value);
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::vector<Attribute> AttributesFromJson(std::string_view text) {
  if (text.empty()) return {};
  const json object = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return {};
  Event event;
  for (const auto& [name, value] : object.items()) {
    const auto key = KeyFromName(name);
    if (!key) continue;
    if (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX) continue;
    if (value.is_number_integer())
      event.With(*key, value.get<std::int64_t>());
    else if (value.is_number_float())
      event.With(*key, value.get<double>());
    else if (value.is_string())
      event.With(*key, value.get_ref<const std::string&>());
  }
  return std::move(event.attributes);
}

Event ZoneEvent(Moment at, memory::Gauge gauge, memory::Zone from, memory::Zone to) {
  return Event{EventKind::kZone, at, {}}
      .With(Key::kGauge, memory::Name(gauge))
      .With(Key::kFrom, memory::Name(from))
      .With(Key::kTo, memory::Name(to));
}

Event ActionEvent(Moment at, const memory::Action& action, std::string_view tier) {
  if (action.kind == memory::ActionKind::kZone)
    return ZoneEvent(at, action.gauge, action.from, action.to).With(Key::kReason, action.reason);
  Event event{EventKind::kAction, at, {}};
  event.With(Key::kAction, memory::Name(action.kind)).With(Key::kReason, action.reason);
  if (!tier.empty()) event.With(Key::kTier, tier);
  if (action.within.count() > 0) event.With(Key::kMs, action.within.count());
  if (action.bytes.n != 0) event.With(Key::kBytes, action.bytes.n);
  return event;
}

Event ErrorEvent(Moment at, std::string_view error_class, std::optional<std::int64_t> code,
                 std::string_view source) {
  Event event{EventKind::kError, at, {}};
  event.With(Key::kClass, error_class).With(Key::kSource, source);
  if (code) event.With(Key::kCode, *code);
  return event;
}

}  // namespace headroom::record
