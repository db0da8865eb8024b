#include "net/realtime/realtime.h"

#include <algorithm>
#include <charconv>

#include "base/check.h"
#include "base/sha256.h"
#include "base/text.h"
#include "net/control/json_text.h"
#include "net/server/query.h"

namespace headroom::net {
namespace {

using nlohmann::json;

constexpr std::string_view kSessionPrefix = "sess_";
constexpr std::size_t kSlice = 64 * 1024;     // characters of base64, or bytes, converted at once
constexpr int kSlicesInTurn = 4;              // before others have theirs
constexpr std::size_t kMostSamples = 80'000;  // given to the stream at once
constexpr std::size_t kLongestId = 512;
constexpr std::ptrdiff_t kMostParts = 2000;  // members and elements of one event

// "item_" and something of the session, so that no two sessions share an id.
std::string ItemPrefix(const std::string& session) {
  Sha256 sum;
  sum.Add(std::as_bytes(std::span(session)));
  return "item_" + sum.Finish().substr(0, 12) + "_";
}

std::optional<std::uint64_t> ItemNumber(const std::string& session, std::string_view id) {
  const std::string prefix = ItemPrefix(session);
  if (!id.starts_with(prefix)) return std::nullopt;
  id.remove_prefix(prefix.size());
  std::uint64_t number = 0;
  const auto [end, err] = std::from_chars(id.data(), id.data() + id.size(), number);
  if (err != std::errc() || end != id.data() + id.size() || number == 0) return std::nullopt;
  return number;
}

const char* TypeOf(const Error& error) {
  const bool theirs = error.code == Errc::kInvalid || error.code == Errc::kNotFound ||
                      error.code == Errc::kUnsupported;
  return theirs ? "invalid_request_error" : "server_error";
}

}  // namespace

Result<RealtimeConnect> ParseRealtimeConnect(std::string_view target, bool beta) {
  RealtimeConnect connect;
  connect.spelling = beta ? Spelling::kBeta : Spelling::kCurrent;
  TRY_ASSIGN(const auto query, ParseQuery(target));
  for (const auto& [name, value] : query) {
    if (name == "intent") connect.for_transcription = value == "transcription";
    if (name == "model") connect.model = value;
    if (name == "language") connect.language = value;
    if (name == "last_item") connect.last_item = value;
    if (name == "session") {
      if (!value.starts_with(kSessionPrefix) || value.size() == kSessionPrefix.size())
        return Fail(Errc::kInvalid, "session: there is no such session");
      connect.session = value.substr(kSessionPrefix.size());
    }
  }
  if (!connect.last_item.empty() && !ItemNumber(connect.session, connect.last_item))
    return Fail(Errc::kInvalid, "last_item is no item of this session");
  return connect;
}

RealtimeSession::RealtimeSession(RealtimeConnect connect, std::string nonce, Send send)
    : send_(std::move(send)),
      nonce_(std::move(nonce)),
      connect_(std::move(connect)),
      spelling_(connect_.spelling),
      intake_(settings_.format) {
  settings_.model = connect_.model;
  settings_.language = connect_.language;
  last_ended_ = last_committed_ = acknowledged_ =
      ItemNumber(connect_.session, connect_.last_item).value_or(0);
}

StreamOptions RealtimeSession::Opening() const {
  StreamOptions options = settings_.ForStream();
  options.resume = connect_.session;
  options.have = last_ended_;
  return options;
}

void RealtimeSession::Refuse(const Error& error) {
  EventError said{std::string(Name(error.code)), "", error.what};
  if (error.code == Errc::kNotFound && !connect_.session.empty())
    said = {"session_not_found", "session", error.what};
  else if (error.code == Errc::kNotFound)
    said = {"model_not_found", "model", error.what};
  else if (error.code == Errc::kInvalid)
    said.code = "invalid_value";
  SendError(TypeOf(error), said, "");
}

void RealtimeSession::Begin(std::unique_ptr<SpeechStream> stream) {
  stream_ = std::move(stream);
  item_prefix_ = ItemPrefix(stream_->session());
  const bool named = spelling_ == Spelling::kBeta && connect_.for_transcription;
  SendEvent(named ? "transcription_session.created" : "session.created",
            {{"session", SessionJson(settings_, spelling_,
                                     std::string(kSessionPrefix) + stream_->session())}});
}

void RealtimeSession::Drain(std::function<void()> on_idle) {
  if (std::exchange(draining_, true)) return;
  SendError(
      "server_error",
      {"draining", "", "the service is being drained: no more audio is taken; come back later"},
      "");
  on_idle_ = std::move(on_idle);
  FinishIfDrained();
}

// Audio that was sent before is given to the stream first, however long that takes.
void RealtimeSession::FinishIfDrained() {
  if (on_idle_ && !incoming_) stream_->Finish(std::exchange(on_idle_, nullptr));
}

// ---- the client's events ----

void RealtimeSession::OnText(std::string_view message) {
  CHECK(wait_ == Wait::kNone);
  event_id_.clear();
  // Counted before it is parsed, since a parsed part takes many times the bytes of its text. Base64
  // has none of these.
  const auto parts =
      std::ranges::count_if(message, [](char c) { return c == ',' || c == '[' || c == '{'; });
  if (parts > kMostParts)
    return BadEvent({"invalid_event", "", "the event has too many parts to be one"});
  json event = json::parse(message, nullptr, false);
  if (event.is_discarded()) return BadEvent({"invalid_json", "", "the message is not JSON"});
  if (!event.is_object())
    return BadEvent({"invalid_event", "", "the message is not a JSON object"});
  if (const auto id = event.find("event_id"); id != event.end() && !id->is_null()) {
    if (!id->is_string() || id->get_ref<const std::string&>().size() > kLongestId)
      return BadEvent({"invalid_type", "event_id",
                       fmt::format("event_id has to be text of at most {} bytes", kLongestId)});
    event_id_ = id->get<std::string>();
  }
  const auto found = event.find("type");
  if (found == event.end())
    return BadEvent({"missing_required_parameter", "type", "type is missing"});
  if (!found->is_string()) return BadEvent({"invalid_type", "type", "type has to be text"});
  const std::string type = *found;
  const bool audio = type == "input_audio_buffer.append" || type == "input_audio_buffer.commit";
  if (audio && draining_) return;  // the client knows
  if (type == "input_audio_buffer.append") return Append(event);
  if (std::cmp_greater(message.size(), kLongestEvent.n))
    return BadEvent(
        {"invalid_event", "",
         fmt::format("an event without audio may have at most {}", FormatBinary(kLongestEvent))});
  if (type == "session.update" || type == "transcription_session.update")
    return Update(event, type);
  if (type == "input_audio_buffer.clear") return Clear();
  if (type == "input_audio_buffer.commit") {
    incoming_.emplace();
    incoming_->samples = intake_.Finish();
    incoming_->commit = true;
    incoming_->event_id = event_id_;
    return Continue();
  }
  BadEvent({"invalid_value", "type",
            fmt::format("this is a transcription session and does not know \"{}\"; it knows "
                        "session.update, transcription_session.update, input_audio_buffer.append, "
                        "input_audio_buffer.commit and input_audio_buffer.clear",
                        Printable(type.substr(0, kLongestId)))});
}

void RealtimeSession::OnBinary(std::span<const std::uint8_t> audio) {
  CHECK(wait_ == Wait::kNone);
  event_id_.clear();
  if (draining_) return;
  if (std::cmp_greater(audio.size(), kMostAudio.n))
    return BadEvent(
        {"string_above_max_length", "audio",
         fmt::format("a message may hold at most {} of audio", FormatBinary(kMostAudio))});
  incoming_.emplace();
  incoming_->bytes.assign(audio.begin(), audio.end());
  Continue();
}

void RealtimeSession::Update(const json& event, const std::string& type) {
  const auto session = event.find("session");
  if (session == event.end())
    return BadEvent({"missing_required_parameter", "session", "session is missing"});
  const bool current = type == "session.update" && session->is_object() &&
                       (session->contains("type") || session->contains("audio"));
  const Spelling spelling = current ? Spelling::kCurrent : Spelling::kBeta;
  auto settings = Apply(*session, spelling, settings_);
  if (!settings) return BadEvent(settings.error());
  if (const auto done = stream_->Configure(settings->ForStream()); !done) {
    const Errc code = done.error().code;
    const std::string name = code == Errc::kNotFound  ? "model_not_found"
                             : code == Errc::kInvalid ? "invalid_value"
                                                      : std::string(Name(code));
    return SendError(TypeOf(done.error()), {name, "session", done.error().what}, event_id_);
  }
  const bool other_sound = !(settings->format == settings_.format);
  settings_ = *std::move(settings);
  spelling_ = spelling;
  SendEvent(type == "session.update" ? "session.updated" : "transcription_session.updated",
            {{"session", SessionJson(settings_, spelling_,
                                     std::string(kSessionPrefix) + stream_->session())}});
  if (!other_sound) return;
  incoming_.emplace();
  incoming_->samples = intake_.Finish();
  intake_ = AudioDecoder(settings_.format);
  Continue();
}

void RealtimeSession::Append(json& event) {
  const auto audio = event.find("audio");
  if (audio == event.end())
    return BadEvent({"missing_required_parameter", "audio", "audio is missing"});
  if (!audio->is_string())
    return BadEvent({"invalid_type", "audio", "audio has to be text: base64 of the samples"});
  auto& base64 = audio->get_ref<std::string&>();
  const auto size = CheckBase64(base64);
  if (!size) return BadEvent({"invalid_value", "audio", "audio: " + size.error().what});
  if (std::cmp_greater(*size, kMostAudio.n))
    return BadEvent({"string_above_max_length", "audio",
                     fmt::format("audio may hold at most {}", FormatBinary(kMostAudio))});
  incoming_.emplace();
  incoming_->base64 = std::move(base64);
  incoming_->event_id = event_id_;
  Continue();
}

void RealtimeSession::Clear() {
  intake_.Clear();
  stream_->Clear();
  for (auto& [id, item] : items_) item.cleared = !item.committed;
  SendEvent("input_audio_buffer.cleared", json::object());
}

void RealtimeSession::Continue() {
  wait_ = Wait::kNone;
  if (!incoming_) return;
  event_id_ = incoming_->event_id;
  for (int slices = 0;;) {
    if (!Hand()) {
      wait_ = Wait::kLater;
      return;
    }
    if (slices++ == kSlicesInTurn) {
      wait_ = Wait::kSoon;
      return;
    }
    if (!Convert()) break;
  }
  if (incoming_->commit && !Commit()) {
    wait_ = Wait::kLater;
    return;
  }
  incoming_.reset();
  FinishIfDrained();
}

// The next piece of what came to samples. False: there is none.
bool RealtimeSession::Convert() {
  IncomingAudio& in = *incoming_;
  const std::size_t size = std::max(in.base64.size(), in.bytes.size());
  if (in.at == size) return false;
  const std::size_t length = std::min(kSlice, size - in.at);
  if (in.base64.empty())
    in.samples = intake_.Take(std::span(in.bytes).subspan(in.at, length));
  else
    in.samples = intake_.Take(DecodeBase64(std::string_view(in.base64).substr(in.at, length)));
  in.at += length;
  return true;
}

// Gives the samples to the stream. False: it does not take them now.
bool RealtimeSession::Hand() {
  auto& samples = incoming_->samples;
  std::size_t at = 0;
  while (at < samples.size()) {
    const std::size_t length = std::min(kMostSamples, samples.size() - at);
    const auto taken = stream_->Append(std::span(samples).subspan(at, length));
    if (!taken && taken.error().code == Errc::kBusy) break;
    if (!taken) {
      SendError(TypeOf(taken.error()),
                {std::string(Name(taken.error().code)), "audio", taken.error().what}, event_id_);
      at = samples.size();
      incoming_->at = std::max(incoming_->base64.size(), incoming_->bytes.size());
      break;
    }
    at += length;
    samples_ += length;
  }
  samples.erase(samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(at));
  return samples.empty();
}

bool RealtimeSession::Commit() {
  const auto done = stream_->Commit();
  if (done) return true;
  if (done.error().code == Errc::kBusy) return false;
  const bool empty = done.error().code == Errc::kInvalid;
  SendError(TypeOf(done.error()),
            {empty ? "input_audio_buffer_commit_empty" : std::string(Name(done.error().code)), "",
             done.error().what},
            event_id_);
  return true;
}

// ---- the stream's events ----

void RealtimeSession::OnEvent(const StreamEvent& event) {
  using Kind = StreamEvent::Kind;
  if (event.kind == Kind::kWarning)
    return SendError("server_error", {std::string(Name(event.error.code)), "", event.error.what},
                     "");
  if (event.item <= last_ended_) return;
  if (event.kind == Kind::kDropped) {
    const auto dropped = items_.find(event.item);
    if (dropped != items_.end() && !dropped->second.committed) items_.erase(dropped);
    return;
  }
  Item& item = items_[event.item];
  switch (event.kind) {
    case Kind::kStarted:
      if (item.started || !settings_.turns) return;
      item.started = true;
      return SendEvent("input_audio_buffer.speech_started",
                       {{"audio_start_ms", event.at.count()}, {"item_id", ItemId(event.item)}});
    case Kind::kStopped:
      if (!item.started || item.cleared) return;
      return SendEvent("input_audio_buffer.speech_stopped",
                       {{"audio_end_ms", event.at.count()}, {"item_id", ItemId(event.item)}});
    case Kind::kCommitted:
      return Committed(event.item, item);
    case Kind::kPartial:
      return Delta(event.item, item, event.text);
    case Kind::kText:
    case Kind::kFailed:
      return Ended(event);
    case Kind::kDropped:
    case Kind::kWarning:
      return;
  }
}

void RealtimeSession::Committed(std::uint64_t id, Item& item) {
  if (item.committed) return;
  item.committed = true;
  item.cleared = false;  // it was over before the client's word came
  const json previous = ItemIdOrNull(last_committed_);
  last_committed_ = id;
  SendEvent("input_audio_buffer.committed",
            {{"item_id", ItemId(id)}, {"previous_item_id", previous}});
  const json added = {
      {"previous_item_id", previous},
      {"item",
       {{"id", ItemId(id)},
        {"object", "realtime.item"},
        {"type", "message"},
        {"status", "completed"},
        {"role", "user"},
        {"content", json::array({{{"type", "input_audio"}, {"transcript", nullptr}}})}}}};
  if (spelling_ == Spelling::kBeta) return SendEvent("conversation.item.created", added);
  SendEvent("conversation.item.added", added);
  SendEvent("conversation.item.done", added);
}

// `text` is all that is certain. What does not go on where the last delta ended is left to
// `completed`: a delta cannot take words back.
void RealtimeSession::Delta(std::uint64_t id, Item& item, const std::string& text) {
  if (item.cleared || text.size() <= item.sent.size() || !text.starts_with(item.sent)) return;
  SendEvent(
      "conversation.item.input_audio_transcription.delta",
      {{"item_id", ItemId(id)}, {"content_index", 0}, {"delta", text.substr(item.sent.size())}});
  item.sent = text;
}

void RealtimeSession::Ended(const StreamEvent& event) {
  Item& item = items_[event.item];
  Committed(event.item, item);
  if (event.kind == StreamEvent::Kind::kText) {
    Delta(event.item, item, event.text);
    json completed = {
        {"item_id", ItemId(event.item)},
        {"content_index", 0},
        {"transcript", event.text},
        {"usage",
         {{"type", "duration"}, {"seconds", static_cast<double>(event.audio.count()) / 1000}}}};
    if (!event.language.empty()) completed["languages"] = json::array({{{"code", event.language}}});
    SendEvent("conversation.item.input_audio_transcription.completed", std::move(completed));
  } else {
    SendEvent("conversation.item.input_audio_transcription.failed",
              {{"item_id", ItemId(event.item)},
               {"content_index", 0},
               {"error",
                {{"type", "server_error"},
                 {"code", Name(event.error.code)},
                 {"message", event.error.what},
                 {"param", nullptr}}}});
  }
  items_.erase(items_.begin(), items_.upper_bound(event.item));
  last_ended_ = event.item;
}

void RealtimeSession::OnDelivered(std::uint64_t item) {
  if (!stream_ || item <= acknowledged_ || item > last_ended_) return;
  acknowledged_ = item;
  stream_->Acknowledge(item);
}

void RealtimeSession::Forget() {
  if (stream_) stream_->Forget();
}

// ---- out ----

std::string RealtimeSession::ItemId(std::uint64_t item) const {
  return item_prefix_ + std::to_string(item);
}

json RealtimeSession::ItemIdOrNull(std::uint64_t item) const {
  return item == 0 ? json() : json(ItemId(item));
}

void RealtimeSession::SendEvent(const char* type, json event) {
  event["type"] = type;
  event["event_id"] = fmt::format("event_{}{:04x}", nonce_, ++events_);
  send_(Dump(event));
}

void RealtimeSession::SendError(const char* type, const EventError& error,
                                const std::string& client_event) {
  const auto or_null = [](const std::string& text) { return text.empty() ? json() : json(text); };
  SendEvent("error", {{"error",
                       {{"type", type},
                        {"code", error.code},
                        {"message", error.message},
                        {"param", or_null(error.param)},
                        {"event_id", or_null(client_event)}}}});
}

}  // namespace headroom::net
