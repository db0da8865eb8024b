// A client that follows the events of the service.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/server/http_exchange.h"

namespace headroom::net {

class EventFollower final : public HttpWork {
 public:
  /// `only`: names of events; empty: all. `followers` counts those there are.
  EventFollower(Exchange& exchange, std::atomic<std::size_t>& followers,
                std::vector<std::string> only = {})
      : HttpWork(exchange), followers_(followers), only_(std::move(only)) {
    ++followers_;
  }
  ~EventFollower() override { --followers_; }

  void OnEvent(std::string_view name, const std::shared_ptr<const std::string>& text) override {
    if (only_.empty() || std::ranges::find(only_, name) != only_.end()) exchange_.Push(text, false);
  }

 private:
  std::atomic<std::size_t>& followers_;
  const std::vector<std::string> only_;
};

}  // namespace headroom::net
