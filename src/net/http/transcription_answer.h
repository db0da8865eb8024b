// What recognition gives, as the body of an answer or as server-sent events. Pure.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "net/http/transcription_form.h"
#include "speech/text/captions.h"

namespace headroom::net {

class TranscriptionAnswer {
 public:
  /// At most `limit` of text and times; what goes beyond is kUnsupported.
  TranscriptionAnswer(const TranscriptionForm& form, Bytes limit);
  TranscriptionAnswer(const TranscriptionAnswer&) = delete;  // its writer points into it

  std::string_view content_type() const;
  /// What a client that streams is sent now; "" : nothing.
  Result<std::string> Add(const speech::Segment& segment);
  /// The whole body; for a client that streams the last event.
  Result<std::string> End(const JobEvents::Outcome& outcome);

 private:
  nlohmann::json Verbose(const JobEvents::Outcome& outcome) const;

  const TranscriptionForm form_;
  const Bytes limit_;
  std::string text_;  // so far, as the writer makes it
  std::unique_ptr<speech::TranscriptWriter> writer_;
  nlohmann::json segments_ = nlohmann::json::array(), words_ = nlohmann::json::array();
  std::int64_t bytes_ = 0;  // about what all of it takes
  bool begun_ = false;
};

/// "event: NAME\ndata: {"type": NAME, …}\n\n"
std::string ServerSentEvent(std::string_view name, nlohmann::json data);
/// An error after the first event: OpenAI's clients raise it.
std::string ServerSentError(const WebError& error);

}  // namespace headroom::net
