// The fields of POST /v1/audio/transcriptions and /v1/audio/translations. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/http/web_error.h"
#include "net/server/speech_service.h"

namespace headroom::net {

enum class AnswerFormat { kJson, kText, kSrt, kVtt, kVerboseJson };

struct TranscriptionForm {
  SpeechRequest request;
  AnswerFormat format = AnswerFormat::kJson;
  bool stream = false;
  bool segments = true, words = false;  // kVerboseJson: which times it has
};

class FormReader {
 public:
  explicit FormReader(bool translate) {
    if (translate) form_.request.translate_to = "en";
  }

  /// A field that came, once each; only those with [] may come again.
  std::optional<WebError> Add(std::string_view name, std::string_view value);
  /// After the last: what is wrong with them together, or the form.
  std::optional<WebError> Finish(const std::vector<ServedModel>& models);
  const TranscriptionForm& form() const { return form_; }

 private:
  TranscriptionForm form_;
  std::vector<std::string> seen_;
  bool segments_ = false;  // asked for by name
};

}  // namespace headroom::net
