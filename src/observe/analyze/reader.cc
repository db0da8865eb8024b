#include "observe/analyze/reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/child.h"
#include "base/fd.h"
#include "base/text.h"
#include "observe/analyze/parser.h"

namespace headroom::analyze {
namespace {

constexpr std::array<std::string_view, 9> kNames = {
    "unknown",        "journal json",     "journal export", "log lines", "table",
    "nvidia-smi mon", "systemctl status", "prometheus",     "pasted"};

std::string_view FirstLine(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = Trim(text.substr(0, end));
    if (!line.empty()) return line;
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return {};
}

}  // namespace

std::string_view Name(Format format) {
  return kNames[static_cast<std::size_t>(format)];
}

Result<Mapping> ParseMapping(std::string_view text) {
  const auto refuse = [&](std::string_view why) {
    return Fail(Errc::kInvalid, "--map {}: {}; write for example ram=my_column:MB", text, why);
  };
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) return refuse("there is no =");
  std::string_view metric = text.substr(0, equals);
  Mapping mapping;
  if (const std::size_t at = metric.find('@'); at != std::string_view::npos) {
    mapping.owner = metric.substr(at + 1);
    metric = metric.substr(0, at);
  }
  const auto known = MetricFromName(metric);
  if (!known) return refuse("no such metric");
  mapping.metric = *known;
  std::string_view column = text.substr(equals + 1);
  if (const std::size_t colon = column.rfind(':'); colon != std::string_view::npos) {
    const auto unit = ParseBytes("1" + std::string(column.substr(colon + 1)));
    if (!unit) return refuse("the unit is not one of B, kB, MB, GB, KiB, MiB, GiB");
    mapping.scale = static_cast<double>(unit->n);
    column = column.substr(0, colon);
  }
  if (column.empty()) return refuse("no column is named");
  mapping.column = column;
  return mapping;
}

Format Sniff(std::string_view beginning) {
  if (beginning.starts_with("\x1e")) beginning.remove_prefix(1);  // journalctl -o json-seq
  if (LookOf(beginning) != Look::kNothing) return Format::kPasted;
  const std::string_view line = FirstLine(beginning);
  if (line.starts_with("{") && line.find("\"resultType\"") != std::string_view::npos)
    return Format::kPrometheus;
  if (line.starts_with("{") && line.find("\"__REALTIME_TIMESTAMP\"") != std::string_view::npos)
    return Format::kJournalJson;
  if (line.starts_with("{") && beginning.find("\"resultType\"") != std::string_view::npos)
    return Format::kPrometheus;
  if (line.starts_with("{\"")) return Format::kJournalJson;
  if (line.starts_with("__CURSOR=") || line.starts_with("__REALTIME_TIMESTAMP="))
    return Format::kJournalExport;
  if (line.starts_with("#") && line.find("gpu") != std::string_view::npos) return Format::kMon;
  if (line.starts_with("# Idx") || line.starts_with("#Date") || line.starts_with("#Time"))
    return Format::kMon;
  if (beginning.find("Loaded: loaded") != std::string_view::npos ||
      beginning.find("\n     Active: ") != std::string_view::npos)
    return Format::kStatus;
  std::string_view rest = beginning;
  std::string_view header;
  while (!rest.empty()) {  // comments may be in front of a table
    header = FirstLine(rest);
    if (!header.starts_with("#")) break;
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  const auto separators = std::count_if(header.begin(), header.end(),
                                        [](char c) { return c == ',' || c == ';' || c == '\t'; });
  const std::string_view name = header.substr(0, header.find_first_of(",;\t"));
  const bool words = !name.empty() && !(name[0] >= '0' && name[0] <= '9') && name.size() < 64;
  const TimeZone utc = TimeZone::Fixed(Milliseconds(0));
  if (separators >= 1 && words && header.find(": ") == std::string_view::npos &&
      !ParseTime(header, utc, Instant(std::chrono::days(20000))))
    return Format::kCsv;
  return Format::kLines;
}

std::unique_ptr<Parser> MakeParser(Format format, const ReadOptions& options, std::uint32_t source,
                                   Evidence& evidence) {
  switch (format) {
    case Format::kJournalJson:
      return MakeJournalJson(options, source, evidence);
    case Format::kJournalExport:
      return MakeJournalExport(options, source, evidence);
    case Format::kCsv:
      return MakeCsv(options, source, evidence);
    case Format::kMon:
      return MakeMon(options, source, evidence);
    case Format::kStatus:
      return MakeStatus(options, source, evidence);
    case Format::kPrometheus:
      return MakePrometheus(options, source, evidence);
    case Format::kPasted:
    case Format::kUnknown:
    case Format::kLines:
      break;
  }
  return MakeLines(options, source, evidence);
}

namespace {

// What unpacks a file that begins so; nullptr: it is plain.
const char* Unpacker(std::string_view beginning) {
  if (beginning.starts_with("\x1f\x8b")) return "gzip";
  if (beginning.starts_with("\x28\xb5\x2f\xfd")) return "zstd";
  if (beginning.starts_with(std::string_view("\xfd\x37\x7a\x58\x5a", 5))) return "xz";
  return nullptr;
}

// UTF-16, as PowerShell writes it, to UTF-8. What is no whole pair waits for the next piece.
class Utf16 : public Parser {
 public:
  Utf16(bool big_endian, std::unique_ptr<Parser> inner)
      : big_endian_(big_endian), inner_(std::move(inner)) {}
  void Feed(std::string_view bytes) override { inner_->Feed(ToUtf8(bytes)); }
  void End() override { inner_->End(); }

  std::string ToUtf8(std::string_view bytes) {
    std::string text;
    for (const char c : bytes) {
      if (!std::exchange(half_, !half_)) {
        first_ = static_cast<unsigned char>(c);
        continue;
      }
      const auto second = static_cast<unsigned char>(c);
      const auto unit =
          static_cast<char32_t>(big_endian_ ? first_ << 8 | second : second << 8 | first_);
      if (unit == 0xfeff) continue;
      if (unit < 0x80) {
        text += static_cast<char>(unit);
      } else if (unit < 0x800) {
        text += static_cast<char>(0xc0 | unit >> 6);
        text += static_cast<char>(0x80 | (unit & 0x3f));
      } else {  // halves of a pair are written as they are: no log line is matched by them
        text += static_cast<char>(0xe0 | unit >> 12);
        text += static_cast<char>(0x80 | (unit >> 6 & 0x3f));
        text += static_cast<char>(0x80 | (unit & 0x3f));
      }
    }
    return text;
  }

 private:
  const bool big_endian_;
  bool half_ = false;
  unsigned first_ = 0;
  std::unique_ptr<Parser> inner_;
};

std::unique_ptr<Parser> Begin(std::string_view bytes, const std::string& name, Format format,
                              const ReadOptions& options, Evidence& evidence) {
  const bool little = bytes.starts_with("\xff\xfe"), big = bytes.starts_with("\xfe\xff");
  std::string beginning(bytes.substr(0, 8192));
  if (little || big) beginning = Utf16(big, nullptr).ToUtf8(beginning);
  if (beginning.starts_with("\xef\xbb\xbf")) beginning.erase(0, 3);
  const Format seen = format == Format::kUnknown ? Sniff(beginning) : format;
  const std::uint32_t source = evidence.AddSource(name, std::string(Name(seen)));
  std::unique_ptr<Parser> parser = seen == Format::kPasted
                                       ? MakePasted(LookOf(beginning), options, source, evidence)
                                       : MakeParser(seen, options, source, evidence);
  if (little || big) return std::make_unique<Utf16>(big, std::move(parser));
  return parser;
}

// `seen` was read from `fd` already; both go to the program, its output is read.
Result<> ReadUnpacked(const char* program, int fd, std::string_view seen, const std::string& name,
                      const ReadOptions& options, Evidence& evidence) {
  TRY_ASSIGN(Pipe in, MakePipe());
  TRY_ASSIGN(Pipe out, MakePipe());
  ChildOptions child;
  child.argv = {program, "-dc"};
  child.fds = {{0, in.read.get()}, {1, out.write.get()}};
  auto running = Child::Spawn(child);
  if (!running)
    return Fail(Errc::kNotFound, "{}: is packed, and {} is not installed; unpack it first: {}",
                name, program, running.error().what);
  in.read.Reset();
  out.write.Reset();
  std::thread feeder([fd, &in, first = std::string(seen)] {
    std::vector<std::byte> buffer(std::size_t{1} << 18);
    bool open = static_cast<bool>(WriteAll(in.write.get(), first));
    while (open) {
      const Result<std::size_t> got = ReadSome(fd, buffer);
      if (!got || *got == 0) break;
      open = static_cast<bool>(WriteAll(
          in.write.get(), std::string_view(reinterpret_cast<const char*>(buffer.data()), *got)));
    }
    in.write.Reset();
  });
  Result<> read = ReadEvidence(out.read.get(), name, Format::kUnknown, options, evidence);
  out.read.Reset();  // a program that still writes ends by it
  feeder.join();
  TRY(std::move(read));
  TRY_ASSIGN(const Exit exit, running->Wait());
  if (!exit.ok())
    evidence.Note(
        static_cast<std::uint32_t>(evidence.sources().size() - 1),
        fmt::format("{} {}: the end of the file may be missing", program, Describe(exit)));
  return {};
}

}  // namespace

Result<> ReadEvidence(int fd, const std::string& name, Format format, const ReadOptions& options,
                      Evidence& evidence) {
  std::vector<std::byte> buffer(std::size_t{1} << 20);
  std::unique_ptr<Parser> parser;
  while (true) {
    // The first piece is filled as far as it goes, so that the format can be recognised.
    Result<std::size_t> got = parser ? ReadSome(fd, buffer) : ReadFull(fd, buffer);
    if (!got) return Within(got, "read {}", name);
    const std::string_view bytes(reinterpret_cast<const char*>(buffer.data()), *got);
    if (!parser) {
      if (const char* program = Unpacker(bytes); program && format == Format::kUnknown)
        return ReadUnpacked(program, fd, bytes, name, options, evidence);
      parser = Begin(bytes, name, format, options, evidence);
    }
    if (*got == 0) break;
    parser->Feed(bytes);
  }
  parser->End();
  return {};
}

Result<> ReadEvidence(const std::filesystem::path& path, const ReadOptions& options,
                      Evidence& evidence) {
  if (path == "-")
    return ReadEvidence(STDIN_FILENO, "standard input", Format::kUnknown, options, evidence);
  TRY_ASSIGN(const Fd fd, Open(path.string(), O_RDONLY));
  struct stat about{};
  if (::fstat(fd.get(), &about) != 0) return FailErrno(errno, "stat {}", path.string());
  if (S_ISDIR(about.st_mode))
    return Fail(Errc::kInvalid, "{}: is a folder; name the files in it", path.string());
  ReadOptions own = options;
  if (!own.reference) own.reference = Instant(std::chrono::seconds(about.st_mtime));
  return ReadEvidence(fd.get(), path.string(), Format::kUnknown, own, evidence);
}

void LineParser::Feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const void* found = std::memchr(bytes.data(), '\n', bytes.size());
    if (!found) {
      if (part_.size() + bytes.size() > kLongest)
        too_long_ = true, part_.clear();
      else if (!too_long_)
        part_ += bytes;
      return;
    }
    const auto length = static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data());
    if (too_long_) {
      ++number_;
      ++source().lines;
      Bad("longer than 1 MiB");
      too_long_ = false;
    } else if (part_.empty()) {
      Whole(bytes.substr(0, length));
    } else {
      part_ += bytes.substr(0, length);
      Whole(part_);
      part_.clear();
    }
    bytes.remove_prefix(length + 1);
  }
}

void LineParser::End() {
  if (!part_.empty()) Whole(part_);
  part_.clear();
  AtEnd();
}

void LineParser::Whole(std::string_view line) {
  ++number_;
  ++source().lines;
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (line.size() > kLongest) {
    Bad("longer than 1 MiB");
    return;
  }
  Line(line);
}

void LineParser::Sample(Metric metric, std::string_view device, std::string_view owner, Instant at,
                        double value) {
  if (Inside(at))
    evidence_.AddSample(evidence_.SeriesFor(source_, metric, device, owner), at, value, number_);
}

}  // namespace headroom::analyze
