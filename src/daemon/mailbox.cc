#include "daemon/mailbox.h"

#include <fcntl.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/text.h"

namespace headroom::daemon {
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
  TRY_ASSIGN(box.file_, headroom::Open(path, O_RDWR | O_CREAT | O_APPEND, 0600));
  TRY_ASSIGN(const std::string text, ReadFile(path, kMostOnDisk));
  for (const std::string& line : Split(text, '\n')) {
    auto mail = ParseMail(line);
    if (!mail || mail->item <= box.last_) continue;
    box.last_ = mail->item;
    box.mail_.push_back(std::move(*mail));
    if (box.mail_.size() > kMost) box.mail_.pop_front();
  }
  // What follows must not be added to a torn line.
  if (!text.empty() && text.back() != '\n' && ::write(box.file_.get(), "\n", 1) != 1)
    return FailErrno(errno, "{}", path.native());
  return box;
}

Result<bool> Mailbox::Add(Mail mail) {
  if (mail.item <= last_) return false;
  last_ = mail.item;
  const std::string line = Line(mail);
  mail_.push_back(std::move(mail));
  if (mail_.size() > kMost) mail_.pop_front();
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t n = ::write(file_.get(), rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return FailErrno(errno, "a stream's texts");
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fdatasync(file_.get()) != 0) return FailErrno(errno, "a stream's texts");
  return true;
}

void Mailbox::Acknowledge(std::uint64_t item) {
  while (!mail_.empty() && mail_.front().item <= item) mail_.pop_front();
}

}  // namespace headroom::daemon
