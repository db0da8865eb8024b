#include "observe/report/bundle.h"

#include <fmt/format.h>
#include <pwd.h>
#include <re2/re2.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <thread>

#include "base/file.h"

namespace headroom::report {
namespace {

using nlohmann::ordered_json;

// Of all depths: words that came from a log.
void DropWords(ordered_json& json) {
  if (json.is_object()) {
    if (json.contains("fingerprint")) json["fingerprint"] = "";
    if (json.contains("notes")) json["notes"] = ordered_json::array();
  }
  if (json.is_structured()) {
    for (ordered_json& item : json) DropWords(item);
  }
}

void ReplaceWord(std::string& text, const std::string& word, const char* by) {
  if (word.size() < 3 || word == "root") return;
  RE2::GlobalReplace(&text, "(?i)\\b" + RE2::QuoteMeta(word) + "\\b", by);
}

std::string Distribution() {
  const Result<std::string> text = ReadFile("/etc/os-release", MiB(1));
  std::string name;
  if (text) RE2::PartialMatch(*text, "(?m)^PRETTY_NAME=\"?([^\"\\n]*)", &name);
  return name.empty() ? "unknown" : name;
}

}  // namespace

Private Private::OfThisMachine() {
  Private own;
  if (const passwd* user = ::getpwuid(::getuid())) own.user = user->pw_name;
  if (const char* home = ::getenv("HOME")) own.home = home;
  utsname name{};
  if (::uname(&name) == 0) own.host = name.nodename;
  return own;
}

std::string Redact(std::string text, const Private& own) {
  if (own.home.size() > 1) RE2::GlobalReplace(&text, RE2::QuoteMeta(own.home) + "\\b", "~");
  static const RE2 kHomes("/(?:home|Users)/[^/\\s\"'`|:]+");
  static const RE2 kMail("[\\w.+-]+@[\\w-]+(?:\\.[\\w-]+)+");
  static const RE2 kUuid("(?i)\\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\\b");
  static const RE2 kAddress(
      "(?i)\\b(?:(?:\\d{1,3}\\.){3}\\d{1,3}|(?:[0-9a-f]{2}:){5}[0-9a-f]{2})\\b");
  static const RE2 kToken("\\b(?:hf|ghp|gho|glpat|sk)[_-][A-Za-z0-9_-]{8,}");
  RE2::GlobalReplace(&text, kHomes, "~");
  for (const RE2* secret : {&kMail, &kUuid, &kAddress, &kToken})
    RE2::GlobalReplace(&text, *secret, "…");
  ReplaceWord(text, own.user, "USER");
  ReplaceWord(text, own.host, "HOST");
  return text;
}

std::string Bundle(const Report& report, const std::string& facts, const Private& own) {
  ordered_json json = ToJson(report);
  DropWords(json);
  // The Markdown quotes notes in its last section; what it lists besides is in the JSON too.
  std::string markdown = ToMarkdown(report);
  if (const auto evidence = markdown.find("\n## 10. Evidence"); evidence != std::string::npos)
    markdown.resize(evidence + 1);
  const std::string text = fmt::format(
      "<!-- Made by headroom bundle. Read it before you attach it: names of programs, units, "
      "models "
      "and files are in it. -->\n\n## Machine\n\n{}\n{}\n## The report in "
      "JSON\n\n```json\n{}\n```\n",
      facts, markdown, json.dump(1, ' ', false, ordered_json::error_handler_t::replace));
  return Redact(text, own);
}

std::string FactsOfThisMachine() {
  utsname name{};
  ::uname(&name);
  return fmt::format("- headroom {}\n- {} {} {}\n- {}\n- {} processors, {:.1f} GiB of memory\n",
                     HEADROOM_VERSION, name.sysname, name.release, name.machine, Distribution(),
                     std::thread::hardware_concurrency(),
                     static_cast<double>(::sysconf(_SC_PHYS_PAGES)) *
                         static_cast<double>(::sysconf(_SC_PAGESIZE)) / 1073741824);
}

}  // namespace headroom::report
