#include "net/server/tokens.h"

#include <sys/random.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "base/dirs.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/text.h"

namespace headroom::net {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::size_t kMostName = 64;
constexpr std::string_view kHead =
    "# Clients of headroom's network server: name, SHA-256 of the token, since.\n"
    "# Change it with: headroom token\n";

bool IsName(std::string_view name) {
  return !name.empty() && name.size() <= kMostName &&
         name.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
             std::string_view::npos;
}

std::string HashOf(std::string_view token) {
  Sha256 sum;
  sum.Add(std::as_bytes(std::span(token)));
  return sum.Finish();
}

// Of two hashes of the same length.
bool SameInConstantTime(std::string_view a, std::string_view b) {
  unsigned char differ = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    differ = static_cast<unsigned char>(differ | (a[i] ^ b[i]));
  return differ == 0;
}

Result<> WriteTokens(const std::filesystem::path& path, const std::vector<ClientToken>& tokens) {
  std::string text(kHead);
  for (const ClientToken& token : tokens)
    text += fmt::format("{} {} {}\n", token.name, token.hash, token.since);
  return WriteFileAtomic(path, text, 0600);
}

// What is there now, under a lock that keeps two changes apart.
struct Edited {
  FileLock lock;
  std::vector<ClientToken> tokens;
};
Result<Edited> Edit(const std::filesystem::path& path) {
  TRY(MakeDirectories(path.parent_path()));
  TRY_ASSIGN(FileLock lock, FileLock::Take(path.string() + ".lock"));
  auto tokens = ReadTokens(path);
  if (!tokens && tokens.error().code != Errc::kNotFound)
    return std::unexpected(std::move(tokens.error()));
  return Edited{std::move(lock), tokens ? std::move(*tokens) : std::vector<ClientToken>()};
}

}  // namespace

std::filesystem::path TokenFilePath() {
  return ConfigDir() / "tokens";
}

Result<std::vector<ClientToken>> ParseTokens(std::string_view text) {
  std::vector<ClientToken> tokens;
  std::size_t number = 0;
  for (const std::string& line : Split(text, '\n')) {
    ++number;
    const std::string_view trimmed = Trim(line);
    if (trimmed.empty() || trimmed.front() == '#') continue;
    std::vector<std::string> words;
    for (std::string& word : Split(trimmed, ' ')) {
      if (!word.empty()) words.push_back(std::move(word));
    }
    if (words.size() != 3 || !IsName(words[0]) || words[1].size() != 64 ||
        words[1].find_first_not_of(kHex) != std::string::npos)
      return Fail(Errc::kCorrupt, "line {} is not a name, a SHA-256 and a date", number);
    const bool twice =
        std::ranges::any_of(tokens, [&](const auto& one) { return one.name == words[0]; });
    if (twice) return Fail(Errc::kCorrupt, "line {}: {} is there twice", number, words[0]);
    tokens.push_back({std::move(words[0]), std::move(words[1]), Printable(words[2])});
  }
  return tokens;
}

Result<std::vector<ClientToken>> ReadTokens(const std::filesystem::path& path) {
  struct stat file{};
  if (::stat(path.c_str(), &file) != 0) return FailErrno(errno, "{}", path.string());
  if ((file.st_mode & 077) != 0)
    return Fail(Errc::kPermission, "{}: others may read it; chmod 600 it", path.string());
  TRY_ASSIGN(const std::string text, ReadFile(path, MiB(1)));
  auto tokens = ParseTokens(text);
  if (!tokens) return Within(tokens, "{}", path.string());
  return tokens;
}

Result<std::string> AddToken(const std::filesystem::path& path, const std::string& name,
                             WallTime now) {
  if (!IsName(name))
    return Fail(Errc::kInvalid, "\"{}\": a client's name has letters, digits, dots, _ and - only",
                Printable(name));
  TRY_ASSIGN(Edited edited, Edit(path));
  for (const ClientToken& token : edited.tokens) {
    if (token.name == name)
      return Fail(Errc::kExists, "{} has a token; for a new one: headroom token revoke {}", name,
                  name);
  }
  std::array<unsigned char, 32> random{};
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
    return FailErrno(errno, "make a token");
  std::string token = "hr_";
  for (const unsigned char byte : random) token += fmt::format("{:02x}", byte);
  const std::chrono::year_month_day day(std::chrono::floor<std::chrono::days>(now));
  edited.tokens.push_back(
      {name, HashOf(token),
       fmt::format("{:04}-{:02}-{:02}", static_cast<int>(day.year()),
                   static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()))});
  TRY(WriteTokens(path, edited.tokens));
  return token;
}

Result<> RevokeToken(const std::filesystem::path& path, const std::string& name) {
  TRY_ASSIGN(Edited edited, Edit(path));
  if (std::erase_if(edited.tokens, [&](const auto& one) { return one.name == name; }) == 0)
    return Fail(Errc::kNotFound, "no client \"{}\" has a token; see: headroom token list",
                Printable(name));
  return WriteTokens(path, edited.tokens);
}

void TokenGate::Refresh() {
  Version now;
  struct stat file{};
  const bool there = !path_.empty() && ::stat(path_.c_str(), &file) == 0;
  const int failed = there || path_.empty() ? ENOENT : errno;
  if (there)
    now = {static_cast<std::int64_t>(file.st_dev), static_cast<std::int64_t>(file.st_ino),
           static_cast<std::int64_t>(file.st_size),
           file.st_ctim.tv_sec * 1'000'000'000 + file.st_ctim.tv_nsec};
  if (there && now == version_) return;
  version_ = now;
  unreadable_ = false;
  known_.reset();
  if (!there) {
    unreadable_ = failed != ENOENT;
    return;
  }
  auto read = ReadTokens(path_);
  if (read)
    known_ = std::move(*read);
  else
    unreadable_ = true;
}

Result<std::string> TokenGate::Admit(std::string_view token) {
  const std::string hash = HashOf(token);
  Refresh();
  if (unreadable_) return Fail(Errc::kPermission, "the server cannot read its tokens; see its log");
  if (!known_) {
    if (!always_) return "";
    return Fail(Errc::kPermission, "this server has no tokens; make one: headroom token add NAME");
  }
  const ClientToken* found = nullptr;
  for (const ClientToken& one : *known_) {
    if (SameInConstantTime(one.hash, hash)) found = &one;
  }
  if (token.empty())
    return Fail(Errc::kPermission, "a token is needed: Authorization: Bearer TOKEN");
  if (!found) return Fail(Errc::kPermission, "this token is not known, or was revoked");
  return found->name;
}

bool TokenGate::Knows(const std::string& name) {
  Refresh();
  if (unreadable_) return false;
  if (!known_) return !always_ && name.empty();
  return std::ranges::any_of(*known_, [&](const auto& one) { return one.name == name; });
}

}  // namespace headroom::net
