#include "models/store/lock_file.h"

#include <fmt/chrono.h>

#include <algorithm>

#include "base/file.h"
#include "base/text.h"
#include "base/toml.h"
#include "models/store/names.h"

namespace headroom::models {
namespace {

constexpr std::int64_t kFormat = 1;

bool IsSha256(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// TOML basic strings; other control characters than these were made spaces by Printable.
std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : Printable(text)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c == '\n' || c == '\t' ? ' ' : c;
  }
  return out + '"';
}

class Reader : TomlReader {
 public:
  explicit Reader(const std::string& origin) : TomlReader(origin) {}

  Result<LockFile> Read(const toml::table& table) const {
    const auto format = table["format"].value<std::int64_t>();
    if (!format) return Wrong(table, "\"format\" is missing");
    if (*format != kFormat)
      return Fail(Errc::kUnsupported, "format {} is newer than this program", *format);
    LockFile lock;
    const toml::node* files = table.get("file");
    if (!files) return lock;
    if (!files->is_array_of_tables()) return Wrong(*files, "\"file\" has to be a list of tables");
    for (const toml::node& node : *files->as_array()) {
      TRY_ASSIGN(LockEntry entry, ReadEntry(*node.as_table()));
      if (lock.Find(entry.file)) return Wrong(node, entry.file + " is there twice");
      lock.Put(std::move(entry));
    }
    return lock;
  }

 private:
  Result<LockEntry> ReadEntry(const toml::table& from) const {
    LockEntry entry;
    entry.file = from["name"].value_or("");
    entry.sha256 = from["sha256"].value_or("");
    entry.bytes = Bytes(from["bytes"].value_or(std::int64_t{-1}));
    entry.source = from["source"].value_or("");
    entry.date = from["date"].value_or("");
    if (!IsModelName(entry.file)) return Wrong(from, "\"name\" has to be a plain file name");
    if (!IsSha256(entry.sha256)) return Wrong(from, "\"sha256\" has to be 64 hexadecimal digits");
    if (entry.bytes < Bytes(0)) return Wrong(from, "\"bytes\" has to be a size");
    return entry;
  }
};

Result<LockFile> Read(std::string_view text, const std::string& origin) {
  TRY_ASSIGN(const toml::table table, ParseToml(text, origin));
  return Reader(origin).Read(table);
}

}  // namespace

const LockEntry* LockFile::Find(std::string_view file) const {
  for (const LockEntry& entry : entries) {
    if (entry.file == file) return &entry;
  }
  return nullptr;
}

void LockFile::Put(LockEntry entry) {
  Remove(entry.file);
  const auto after = std::find_if(entries.begin(), entries.end(),
                                  [&](const LockEntry& other) { return entry.file < other.file; });
  entries.insert(after, std::move(entry));
}

bool LockFile::Remove(std::string_view file) {
  return std::erase_if(entries, [&](const LockEntry& entry) { return entry.file == file; }) > 0;
}

Result<LockFile> ParseLockFile(std::string_view text, const std::string& origin) {
  auto lock = Read(text, origin);
  if (lock) return lock;
  if (lock.error().code == Errc::kUnsupported) return Within(lock, "{}", origin);
  return Fail(Errc::kCorrupt, "{}; move it away and run 'headroom models verify'",
              lock.error().what);
}

std::string Format(const LockFile& lock) {
  std::string text = "# What every model file in this folder has to be. Written by headroom.\n";
  text += fmt::format("format = {}\n", kFormat);
  for (const LockEntry& entry : lock.entries) {
    text += fmt::format("\n[[file]]\nname = {}\nsha256 = {}\nbytes = {}\nsource = {}\ndate = {}\n",
                        Quoted(entry.file), Quoted(entry.sha256), entry.bytes.n,
                        Quoted(entry.source), Quoted(entry.date));
  }
  return text;
}

Result<LockFile> ReadLockFile(const std::filesystem::path& path) {
  const auto text = ReadFile(path);
  if (!text && text.error().code == Errc::kNotFound) return LockFile{};
  if (!text) return Fail(text.error());
  return ParseLockFile(*text, path.string());
}

std::string Rfc3339(WallTime time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(time)));
}

}  // namespace headroom::models
