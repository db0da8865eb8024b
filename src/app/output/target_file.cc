#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "app/output/file_ledger.h"
#include "app/output/targets.h"
#include "app/output/text_for.h"
#include "base/dirs.h"
#include "base/fd.h"

namespace headroom::output {
namespace {

class FileTarget : public Target {
 public:
  explicit FileTarget(const TargetOptions& options)
      : path_(options.path),
        state_(options.state.empty() ? StateDir() / "output" : options.state),
        newlines_(options.newlines.value_or(Newlines::kSpace)),
        after_(options.after.value_or("\n")) {}

  std::string name() const override { return "file " + path_.string(); }
  bool acknowledges() const override { return true; }
  bool repeatable() const override { return true; }

  Result<> Deliver(const Delivery& delivery) override {
    auto done = DeliverTo(delivery);
    if (!done) return Within(done, "write the text to {}", path_.string());
    return {};
  }

 private:
  Result<> DeliverTo(const Delivery& delivery) {
    const std::string line = TextFor(delivery.text, newlines_) + after_;
    TRY_ASSIGN(const Fd file, Open(path_.string(), O_RDWR | O_CREAT | O_APPEND | O_NONBLOCK));
    struct stat info{};
    if (::fstat(file.get(), &info) != 0) return FailErrno(errno, "fstat");
    if (!S_ISREG(info.st_mode)) return Fail(Errc::kInvalid, "not a regular file");
    const auto size = static_cast<std::uint64_t>(info.st_size);
    TRY_ASSIGN(FileLedger ledger, FileLedger::Open(state_, path_));
    std::size_t there = 0;
    if (delivery.repeated) {
      TRY_ASSIGN(there, AlreadyThere(ledger, file.get(), size, delivery.id, line));
      if (there == line.size()) return {};
    }
    // Writes the ledger first: after a crash in between, a repeated delivery writes the line. In
    // the other order it would write the line twice.
    if (there == 0) TRY(ledger.Write({.id = delivery.id, .offset = size, .bytes = line.size()}));
    return Append(file.get(), std::string_view(line).substr(there), info.st_size);
  }

  /// How much of `line` an earlier attempt has written: all, the front of it, or nothing.
  static Result<std::size_t> AlreadyThere(const FileLedger& ledger, int file, std::uint64_t size,
                                          std::uint64_t id, const std::string& line) {
    TRY_ASSIGN(const std::optional<LedgerEntry> entry, ledger.Find(id));
    if (!entry || entry->bytes != line.size() || entry->offset >= size) return 0;
    std::string found(line.size(), '\0');
    TRY_ASSIGN(const std::size_t count, ReadFullAt(file, std::as_writable_bytes(std::span(found)),
                                                   static_cast<std::int64_t>(entry->offset)));
    return std::string_view(found).substr(0, count) == std::string_view(line).substr(0, count)
               ? count
               : 0;
  }

  static Result<> Append(int file, std::string_view text, off_t size) {
    auto written = WriteAll(file, text);
    if (written && ::fdatasync(file) == 0) return {};
    const int why = errno;
    // Removes a partly written line.
    if (::ftruncate(file, size) != 0) return FailErrno(errno, "remove a partly written line");
    return written ? FailErrno(why, "write") : Fail(std::move(written.error()));
  }

  std::filesystem::path path_, state_;
  Newlines newlines_;
  std::string after_;
};

}  // namespace

std::unique_ptr<Target> MakeFileTarget(const TargetOptions& options) {
  return std::make_unique<FileTarget>(options);
}

}  // namespace headroom::output
