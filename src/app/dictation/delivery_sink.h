// The last step of an utterance: its text goes to where the user wants it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/error.h"

namespace headroom::app {

/// A text on its way out.
struct FinalText {
  std::uint64_t id = 0;       // of the utterance; never used twice, also after a restart
  std::string text = {};      // as recognised, not empty
  std::string language = {};  // ISO 639-1; "" when not known
  std::string tier = {};
  WallTime spoken{};     // about when
  Milliseconds audio{};  // its length
  Milliseconds took{};   // from the endpoint to the text
  /// Its delivery had begun when the service died: it may have arrived.
  bool repeated = false;
};

class DeliverySink {
 public:
  virtual ~DeliverySink() = default;
  /// What would be written for the recognised text: spoken commands, replacements and vocabulary
  /// applied. May be empty ("scratch that").
  virtual std::string Compose(const FinalText& final_text) = 0;
  /// To every target, as composed; a repeated text only to those that take it once. Blocks until
  /// they are through. An error: at least one did not take it, and a Warning was published.
  virtual Result<> Deliver(const FinalText& final_text, const std::string& composed) = 0;
  /// Once for each text, when Deliver is through and `latency` after the last word; nullopt: that
  /// was before this run. True: it is kept on disk, where the person finds it if it did not arrive.
  virtual bool Remember(const FinalText& final_text, const std::string& composed,
                        const Result<>& arrived, std::optional<Milliseconds> latency) = 0;
};

}  // namespace headroom::app
