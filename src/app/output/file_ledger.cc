#include "app/output/file_ledger.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/sha256.h"

namespace headroom::output {
namespace {

constexpr std::uint64_t kSlots = 64;
constexpr std::size_t kFieldDigits = 16, kCheckDigits = 8;
constexpr std::size_t kSlotBytes = 3 * (kFieldDigits + 1) + kCheckDigits + 1;

std::string Digest(std::string_view text, std::size_t digits) {
  Sha256 sha;
  sha.Add(std::as_bytes(std::span(text)));
  return sha.Finish().substr(0, digits);
}

std::string Line(const LedgerEntry& entry) {
  const std::string fields =
      fmt::format("{:016x} {:016x} {:016x} ", entry.id, entry.offset, entry.bytes);
  return fields + Digest(fields, kCheckDigits) + "\n";
}

std::optional<LedgerEntry> Parse(std::string_view line) {
  LedgerEntry entry;
  std::uint64_t* const fields[] = {&entry.id, &entry.offset, &entry.bytes};
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string_view digits = line.substr(i * (kFieldDigits + 1), kFieldDigits);
    const char* const end = digits.data() + digits.size();
    const auto [stopped, error] = std::from_chars(digits.data(), end, *fields[i], 16);
    if (error != std::errc() || stopped != end) return std::nullopt;
  }
  // Comparing with a formatted line keeps the format and its checksum in one place.
  return Line(entry) == line ? std::optional(entry) : std::nullopt;
}

off_t PlaceOf(std::uint64_t id) {
  return static_cast<off_t>(id % kSlots * kSlotBytes);
}

}  // namespace

Result<FileLedger> FileLedger::Open(const std::filesystem::path& folder,
                                    const std::filesystem::path& file) {
  TRY(MakeDirectories(folder));
  std::error_code none;
  const std::filesystem::path whole = std::filesystem::weakly_canonical(file, none);
  const std::string name = Digest((none ? file : whole).string(), 16) + ".ledger";
  TRY_ASSIGN(Fd fd, headroom::Open((folder / name).string(), O_RDWR | O_CREAT));
  return FileLedger(std::move(fd));
}

Result<> FileLedger::Write(const LedgerEntry& entry) {
  const std::string line = Line(entry);
  const ssize_t n = ::pwrite(fd_.get(), line.data(), line.size(), PlaceOf(entry.id));
  if (n != std::ssize(line)) return FailErrno(n < 0 ? errno : ENOSPC, "write the ledger of a file");
  if (::fdatasync(fd_.get()) != 0) return FailErrno(errno, "write the ledger of a file");
  return {};
}

Result<std::optional<LedgerEntry>> FileLedger::Find(std::uint64_t id) const {
  std::string line(kSlotBytes, '\0');
  TRY_ASSIGN(const std::size_t n,
             ReadFullAt(fd_.get(), std::as_writable_bytes(std::span(line)), PlaceOf(id)));
  line.resize(n);
  if (n < kSlotBytes) return std::nullopt;
  const auto entry = Parse(line);
  return entry && entry->id == id ? entry : std::nullopt;
}

}  // namespace headroom::output
