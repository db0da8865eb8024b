#include "app/serving/unacked_results.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/text.h"

namespace headroom::app {
namespace {

constexpr Bytes kMostOnDisk = MiB(64);

std::optional<UnackedResult> ParseUnackedResult(const std::string& line) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (!json.is_object() || !json.contains("item") || !json["item"].is_number_unsigned())
    return std::nullopt;
  const auto text = [&json](const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  UnackedResult result;
  result.item = json["item"].get<std::uint64_t>();
  result.text = text("text");
  result.language = text("language");
  result.failed = text("failed");
  if (const std::string code = text("code"); !code.empty()) result.code = ErrcFromName(code);
  if (const auto audio = json.find("audio_ms"); audio != json.end() && audio->is_number_integer())
    result.audio = Milliseconds(audio->get<std::int64_t>());
  return result;
}

std::string Line(const UnackedResult& result) {
  nlohmann::json json = {{"item", result.item},
                         {"text", result.text},
                         {"language", result.language},
                         {"audio_ms", result.audio.count()},
                         {"failed", result.failed}};
  if (!result.failed.empty()) json["code"] = Name(result.code);
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
}

}  // namespace

void UnackedResults::Add(UnackedResult result) {
  last_ = result.item;
  bytes_ += static_cast<std::int64_t>(Line(result).size());
  results_.push_back(std::move(result));
  if (results_.size() > kMost) DropFirst();
}

void UnackedResults::DropFirst() {
  bytes_ -= static_cast<std::int64_t>(Line(results_.front()).size());
  results_.pop_front();
}

void UnackedResults::Acknowledge(std::uint64_t item) {
  while (!results_.empty() && results_.front().item <= item) DropFirst();
}

std::string UnackedResults::Lines() const {
  std::string text;
  for (const UnackedResult& result : results_) text += Line(result);
  return text;
}

Result<ResultFile> ResultFile::Open(const std::filesystem::path& path, UnackedResults& found) {
  ResultFile file;
  file.path_ = path;
  TRY_ASSIGN(file.file_, headroom::Open(path, O_RDWR | O_CREAT | O_APPEND, 0600));
  TRY_ASSIGN(const std::string text, ReadFile(path, kMostOnDisk));
  for (const std::string& line : Split(text, '\n')) {
    auto result = ParseUnackedResult(line);
    if (result && found.IsNew(result->item)) found.Add(std::move(*result));
  }
  file.written_ = static_cast<std::int64_t>(text.size());
  // What follows must not be added to a torn line.
  if (!text.empty() && text.back() != '\n') {
    TRY(WriteAll(file.file_.get(), "\n"));
    ++file.written_;
  }
  return file;
}

Result<> ResultFile::Append(const UnackedResult& newest) {
  const std::string line = Line(newest);
  if (auto done = WriteAll(file_.get(), line); !done) return Within(done, "a stream's texts");
  written_ += static_cast<std::int64_t>(line.size());
  if (::fdatasync(file_.get()) != 0) return FailErrno(errno, "a stream's texts");
  return {};
}

Result<> ResultFile::Rewrite(std::string lines, const UnackedResult& newest) {
  lines += Line(newest);
  TRY(WriteFileAtomic(path_, lines));
  TRY_ASSIGN(file_, headroom::Open(path_, O_RDWR | O_APPEND));
  written_ = static_cast<std::int64_t>(lines.size());
  return {};
}

}  // namespace headroom::app
