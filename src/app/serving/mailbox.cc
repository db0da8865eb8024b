#include "app/serving/mailbox.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/text.h"

namespace headroom::app {
namespace {

constexpr Bytes kMostOnDisk = MiB(64);

std::optional<Mail> ParseMail(const std::string& line) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (!json.is_object() || !json.contains("item") || !json["item"].is_number_unsigned())
    return std::nullopt;
  const auto text = [&json](const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  Mail mail;
  mail.item = json["item"].get<std::uint64_t>();
  mail.text = text("text");
  mail.language = text("language");
  mail.failed = text("failed");
  if (const auto audio = json.find("audio_ms"); audio != json.end() && audio->is_number_integer())
    mail.audio = Milliseconds(audio->get<std::int64_t>());
  return mail;
}

std::string Line(const Mail& mail) {
  const nlohmann::json json = {{"item", mail.item},
                               {"text", mail.text},
                               {"language", mail.language},
                               {"audio_ms", mail.audio.count()},
                               {"failed", mail.failed}};
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
}

}  // namespace

Result<Mailbox> Mailbox::Open(const std::filesystem::path& path) {
  Mailbox box;
  box.path_ = path;
  TRY_ASSIGN(box.file_, headroom::Open(path, O_RDWR | O_CREAT | O_APPEND, 0600));
  TRY_ASSIGN(const std::string text, ReadFile(path, kMostOnDisk));
  for (const std::string& line : Split(text, '\n')) {
    auto mail = ParseMail(line);
    if (!mail || mail->item <= box.last_) continue;
    box.last_ = mail->item;
    box.Keep(std::move(*mail));
  }
  box.written_ = static_cast<std::int64_t>(text.size());
  // What follows must not be added to a torn line.
  if (!text.empty() && text.back() != '\n') {
    TRY(WriteAll(box.file_.get(), "\n"));
    ++box.written_;
  }
  return box;
}

void Mailbox::Keep(Mail mail) {
  wanted_ += static_cast<std::int64_t>(Line(mail).size());
  mail_.push_back(std::move(mail));
  if (mail_.size() > kMost) DropFirst();
}

void Mailbox::DropFirst() {
  wanted_ -= static_cast<std::int64_t>(Line(mail_.front()).size());
  mail_.pop_front();
}

Result<bool> Mailbox::Add(Mail mail) {
  if (mail.item <= last_) return false;
  last_ = mail.item;
  const std::string line = Line(mail);
  Keep(std::move(mail));
  const std::int64_t unwanted = written_ - (wanted_ - static_cast<std::int64_t>(line.size()));
  // Where that fails, the line may still have room.
  if (unwanted > std::max(kSlack.n, wanted_) && Rewrite()) return true;
  if (auto done = WriteAll(file_.get(), line); !done) return Within(done, "a stream's texts");
  written_ += static_cast<std::int64_t>(line.size());
  if (::fdatasync(file_.get()) != 0) return FailErrno(errno, "a stream's texts");
  return true;
}

// With the newest, so that the next start knows how far the numbers had come.
Result<> Mailbox::Rewrite() {
  std::string text;
  for (const Mail& mail : mail_) text += Line(mail);
  TRY(WriteFileAtomic(path_, text));
  TRY_ASSIGN(file_, headroom::Open(path_, O_RDWR | O_APPEND));
  written_ = static_cast<std::int64_t>(text.size());
  return {};
}

void Mailbox::Acknowledge(std::uint64_t item) {
  while (!mail_.empty() && mail_.front().item <= item) DropFirst();
}

}  // namespace headroom::app
