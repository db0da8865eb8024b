#include "models/store/download_part.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/file.h"

namespace headroom::models {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

// An unreadable note is no error: without it the part is simply not continued.
PartIdentity ReadNote(const fs::path& path) {
  const auto text = ReadFile(path, KiB(64));
  if (!text) return {};
  const json note = json::parse(*text, nullptr, false);
  if (!note.is_object()) return {};
  const auto text_of = [&](const char* key) {
    const auto found = note.find(key);
    return found != note.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  PartIdentity identity{text_of("url"), text_of("etag"), text_of("sha256"), Bytes(0)};
  if (const auto total = note.find("bytes"); total != note.end() && total->is_number_integer())
    identity.total = Bytes(total->get<std::int64_t>());
  return identity;
}

}  // namespace

Result<DownloadPart> DownloadPart::Open(const fs::path& destination, const std::string& url) {
  DownloadPart part(destination.string() + ".part");
  TRY_ASSIGN(part.fd_, headroom::Open(part.path_, O_RDWR | O_CREAT, 0644));
  part.identity_ = ReadNote(part.note());
  const off_t size = ::lseek(part.fd_.get(), 0, SEEK_END);
  const bool ours = part.identity_.url == url &&
                    (!part.identity_.etag.empty() || !part.identity_.sha256.empty()) &&
                    (part.identity_.total == Bytes(0) || size <= part.identity_.total.n);
  if (!ours || size <= 0) {
    TRY(part.Restart());
  } else {
    TRY(part.HashWhatIsThere());
  }
  return part;
}

Result<> DownloadPart::HashWhatIsThere() {
  sum_ = std::make_unique<Sha256>();
  size_ = Bytes(0);
  std::vector<std::byte> block(1 << 20);
  while (true) {
    TRY_ASSIGN(const std::size_t n, ReadFullAt(fd_.get(), block, size_.n));
    if (n == 0) return {};
    sum_->Add(std::span(block).first(n));
    size_ += Bytes(static_cast<std::int64_t>(n));
  }
}

Result<> DownloadPart::Identify(const PartIdentity& identity) {
  if (identity == identity_) return {};
  identity_ = identity;
  const json note = {{"url", identity.url},
                     {"etag", identity.etag},
                     {"sha256", identity.sha256},
                     {"bytes", identity.total.n}};
  return WriteFileAtomic(this->note(),
                         note.dump(2, ' ', false, json::error_handler_t::replace) + "\n", 0644);
}

Result<> DownloadPart::Restart() {
  if (::ftruncate(fd_.get(), 0) != 0) return FailErrno(errno, "{}", path_.string());
  std::error_code ignored;
  fs::remove(note(), ignored);
  identity_ = {};
  size_ = Bytes(0);
  sum_ = std::make_unique<Sha256>();
  return {};
}

Result<> DownloadPart::Append(std::span<const std::byte> bytes) {
  if (::lseek(fd_.get(), size_.n, SEEK_SET) < 0) return FailErrno(errno, "{}", path_.string());
  auto written = WriteAll(fd_.get(), bytes);
  if (!written) return Within(written, "write {}", path_.string());
  sum_->Add(bytes);
  size_ += Bytes(static_cast<std::int64_t>(bytes.size()));
  return {};
}

Result<std::string> DownloadPart::Finish() {
  if (::fsync(fd_.get()) != 0) return FailErrno(errno, "sync {}", path_.string());
  return sum_->Finish();
}

Result<> DownloadPart::MoveTo(const fs::path& destination) {
  if (::rename(path_.c_str(), destination.c_str()) != 0)
    return FailErrno(errno, "rename {}", path_.string());
  std::error_code ignored;
  fs::remove(note(), ignored);
  return SyncDirectory(destination.parent_path());
}

void DownloadPart::Discard() {
  std::error_code ignored;
  fs::remove(path_, ignored);
  fs::remove(note(), ignored);
}

}  // namespace headroom::models
