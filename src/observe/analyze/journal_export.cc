// journalctl -o export, https://systemd.io/JOURNAL_EXPORT_FORMATS/: lines KEY=text, or KEY alone,
// then the length as 64 bits little-endian, the bytes and a newline; an empty line ends an entry.
#include <charconv>
#include <cstring>

#include "observe/analyze/parser.h"

namespace headroom::analyze {
namespace {

constexpr std::size_t kLongestField = 1 << 20;

class JournalExport : public Parser {
 public:
  JournalExport(const ReadOptions& options, std::uint32_t source, Evidence& evidence)
      : source_(source), evidence_(evidence), interpreter_(options, source, evidence) {}

  void Feed(std::string_view bytes) override {
    buffer_ += bytes;
    std::size_t used = 0;
    while (const std::size_t taken = Take(std::string_view(buffer_).substr(used))) used += taken;
    buffer_.erase(0, used);
    if (buffer_.size() > 2 * kLongestField) {
      evidence_.Bad(source_, line_, "a field longer than 1 MiB; the rest of the piece is skipped");
      buffer_.clear();
    }
  }

  void End() override {
    if (!buffer_.empty()) {
      buffer_ += '\n';
      Take(buffer_);
    }
    Finish();
  }

 private:
  // Bytes of one field or entry end; 0: more is needed.
  std::size_t Take(std::string_view text) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return 0;
    const std::string_view line = text.substr(0, end);
    if (line.empty()) {
      ++line_, ++evidence_.source(source_).lines;
      Finish();
      return 1;
    }
    const std::size_t equals = line.find('=');
    if (equals != std::string_view::npos) {
      ++line_, ++evidence_.source(source_).lines;
      Field(line.substr(0, equals), line.substr(equals + 1));
      return end + 1;
    }
    if (text.size() < end + 9) return 0;
    std::uint64_t length = 0;
    for (std::size_t i = 0; i < 8; ++i)
      length |= std::uint64_t{static_cast<unsigned char>(text[end + 1 + i])} << (8 * i);
    if (length > kLongestField) {
      evidence_.Bad(source_, line_, "a field without = and without a sensible length");
      return end + 1;
    }
    if (text.size() < end + 9 + length + 1) return 0;
    ++line_, ++evidence_.source(source_).lines;
    Field(line, text.substr(end + 9, length));
    return end + 9 + length + 1;
  }

  void Field(std::string_view key, std::string_view value) {
    const auto number = [&] {
      std::int64_t n = 0;
      std::from_chars(value.data(), value.data() + value.size(), n);
      return n;
    };
    any_ = true;
    if (key == "__REALTIME_TIMESTAMP")
      at_ = Instant(Milliseconds(number() / 1000));
    else if (key == "__MONOTONIC_TIMESTAMP")
      monotonic_ = Milliseconds(number() / 1000);
    else if (key == "__CURSOR")
      identity_ = Hash(value);
    else if (key == "_BOOT_ID")
      boot_ = Hash(value);
    else if (key == "MESSAGE")
      message_ = value;
    else if (key == "_SYSTEMD_UNIT" || key == "_SYSTEMD_USER_UNIT")
      unit_ = value;
    else if (key == "UNIT" || key == "USER_UNIT")
      about_ = value;
    else if (key == "SYSLOG_IDENTIFIER")
      identifier_ = value;
    else if (key == "_TRANSPORT")
      kernel_ = value == "kernel";
  }

  void Finish() {
    if (!any_) return;
    if (at_) {
      if (monotonic_) interpreter_.Clocks(*at_, *monotonic_, boot_, line_);
      interpreter_.Take({at_, message_, unit_, about_, identifier_, kernel_, identity_}, line_);
    } else {
      evidence_.Bad(source_, line_, "an entry without a time");
    }
    any_ = kernel_ = false;
    at_.reset(), monotonic_.reset(), identity_.reset();
    message_.clear(), unit_.clear(), about_.clear(), identifier_.clear();
  }

  const std::uint32_t source_;
  Evidence& evidence_;
  Interpreter interpreter_;
  std::string buffer_;
  std::uint32_t line_ = 0;
  bool any_ = false, kernel_ = false;
  std::optional<Instant> at_;
  std::optional<Milliseconds> monotonic_;
  std::optional<std::uint64_t> identity_;
  std::uint64_t boot_ = 0;
  std::string message_, unit_, about_, identifier_;
};

}  // namespace

std::unique_ptr<Parser> MakeJournalExport(const ReadOptions& options, std::uint32_t source,
                                          Evidence& evidence) {
  return std::make_unique<JournalExport>(options, source, evidence);
}

}  // namespace headroom::analyze
