// The frames of the Wyoming protocol, by which Home Assistant speaks to speech programs: a line of
// JSON, then `data_length` bytes of more JSON and `payload_length` bytes of anything.
// docs/wyoming.md Pure.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"

namespace headroom::net {

struct WyomingEvent {
  std::string type;
  nlohmann::json data = nlohmann::json::object();  // always an object
  std::string payload{};
};

/// As it is sent: header line, data, payload.
std::string WyomingText(const WyomingEvent& event);

struct WyomingLimits {
  Bytes header = KiB(64);  // the line
  Bytes data = KiB(64);
  Bytes payload = MiB(1);  // 32 s of 16 kHz mono
};

/// Bytes in, events out, however the bytes are cut. Holds at most one event within the limits and
/// what was fed last.
class WyomingParser {
 public:
  explicit WyomingParser(WyomingLimits limits = {}) : limits_(limits) {}

  void Feed(std::string_view bytes) { buffer_.append(bytes); }
  /// nullopt: more bytes are needed. kProtocol: not understood, and where the next event begins is
  /// not known; it will say so again.
  Result<std::optional<WyomingEvent>> Next();
  /// Fed and not taken.
  std::size_t held() const { return buffer_.size() - taken_; }

 private:
  struct Head {
    WyomingEvent event;
    std::size_t data = 0, payload = 0;  // bytes after the line
  };
  Result<> ReadHead();
  Result<Head> ParseHead(std::string_view line) const;

  const WyomingLimits limits_;
  std::string buffer_;
  std::size_t taken_ = 0;    // of buffer_
  std::size_t scanned_ = 0;  // of buffer_, without an end of line
  std::optional<Head> head_;
  std::optional<Error> broken_;
};

}  // namespace headroom::net
