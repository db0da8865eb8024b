#include "net/wyoming/wyoming_event.h"

#include "base/text.h"
#include "net/control/json_text.h"

namespace headroom::net {
namespace {

using nlohmann::json;

// An absent length is none; the reference takes null for that as well.
Result<std::size_t> Length(const json& head, const char* field, Bytes limit) {
  const auto found = head.find(field);
  if (found == head.end() || found->is_null()) return std::size_t{0};
  if (!found->is_number_unsigned())
    return Fail(Errc::kProtocol, "{}: not a number of bytes", field);
  const auto length = found->get<std::uint64_t>();
  if (length > static_cast<std::uint64_t>(limit.n))
    return Fail(Errc::kProtocol, "{}: {} bytes, at most {} are taken", field, length, limit.n);
  return static_cast<std::size_t>(length);
}

}  // namespace

std::string WyomingText(const WyomingEvent& event) {
  json head = {{"type", event.type}};
  std::string data;
  if (!event.data.empty()) {
    data = Dump(event.data);
    head["data_length"] = data.size();
  }
  if (!event.payload.empty()) head["payload_length"] = event.payload.size();
  return Dump(head) + '\n' + data + event.payload;
}

Result<WyomingParser::Head> WyomingParser::ParseHead(std::string_view line) const {
  const json head = json::parse(line, nullptr, false);
  if (!head.is_object()) return Fail(Errc::kProtocol, "an event begins with a JSON object");
  const auto type = head.find("type");
  if (type == head.end() || !type->is_string())
    return Fail(Errc::kProtocol, "type: an event needs one");
  Head parsed;
  parsed.event.type = type->get<std::string>();
  if (const auto data = head.find("data"); data != head.end() && !data->is_null()) {
    if (!data->is_object()) return Fail(Errc::kProtocol, "data: not an object");
    parsed.event.data = *data;
  }
  TRY_ASSIGN(parsed.data, Length(head, "data_length", limits_.data));
  TRY_ASSIGN(parsed.payload, Length(head, "payload_length", limits_.payload));
  return parsed;
}

Result<> WyomingParser::ReadHead() {
  const std::string_view rest = std::string_view(buffer_).substr(taken_);
  const std::size_t end = rest.find('\n', scanned_);
  const std::size_t length = end == std::string_view::npos ? rest.size() : end;
  if (length > static_cast<std::size_t>(limits_.header.n))
    return Fail(Errc::kProtocol, "the line of an event has more than {} bytes", limits_.header.n);
  scanned_ = end == std::string_view::npos ? length : 0;
  if (end == std::string_view::npos) return {};
  TRY_ASSIGN(head_, ParseHead(rest.substr(0, end)));
  taken_ += end + 1;
  return {};
}

Result<std::optional<WyomingEvent>> WyomingParser::Next() {
  if (!broken_ && !head_) {
    if (auto read = ReadHead(); !read) broken_ = std::move(read).error();
  }
  if (broken_) return Fail(*broken_);
  if (!head_ || held() < head_->data + head_->payload) return std::nullopt;

  WyomingEvent event = std::move(head_->event);
  if (head_->data > 0) {
    const json more =
        json::parse(std::string_view(buffer_).substr(taken_, head_->data), nullptr, false);
    if (!more.is_object()) {
      broken_ = {Errc::kProtocol,
                 fmt::format("{}: its data is not a JSON object", Printable(event.type))};
      return Fail(*broken_);
    }
    event.data.update(more);
  }
  event.payload = buffer_.substr(taken_ + head_->data, head_->payload);
  taken_ += head_->data + head_->payload;
  head_.reset();
  if (taken_ > buffer_.size() / 2) {
    buffer_.erase(0, taken_);
    taken_ = 0;
    if (buffer_.empty()) buffer_.shrink_to_fit();
  }
  return event;
}

}  // namespace headroom::net
