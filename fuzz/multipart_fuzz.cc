// Any bytes as an upload: the first line is the Content-Type, the rest is the body. The same parts
// come out however it is cut, and nothing of the body twice; whatever the fields are, what is wrong
// with them is said in one line. The other small parsers of the HTTP server get the same bytes.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "net/http/multipart.h"
#include "net/http/transcription_form.h"
#include "net/server/tokens.h"
#include "net/server/web_access.h"

namespace {

using namespace headroom;
using namespace headroom::net;

void Expect(bool holds) {
  if (!holds) __builtin_trap();
}

struct Part {
  std::string name, bytes;
  bool is_file = false, ended = false;
  bool operator==(const Part&) const = default;
};

struct Read {
  std::vector<Part> parts;
  bool whole = false;
  bool operator==(const Read&) const = default;
};

Read ReadForm(const std::string& boundary, std::string_view body, std::size_t piece) {
  Read read;
  MultipartReader reader(boundary, {[&](const FormPart& part) -> Result<> {
                                      Expect(!part.name.empty());
                                      read.parts.push_back({part.name, "", part.is_file, false});
                                      return {};
                                    },
                                    [&](std::string_view bytes) -> Result<> {
                                      Expect(!read.parts.empty() && !read.parts.back().ended);
                                      read.parts.back().bytes += bytes;
                                      return {};
                                    },
                                    [&]() -> Result<> {
                                      Expect(!std::exchange(read.parts.back().ended, true));
                                      return {};
                                    }});
  for (std::size_t at = 0; at < body.size(); at += piece) {
    if (const auto fed = reader.Feed(body.substr(at, piece)); !fed) {
      Expect(fed.error().code == Errc::kInvalid);
      return read;
    }
  }
  read.whole = reader.Finish().has_value();
  return read;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string_view type = text.substr(0, text.find('\n'));
  const std::string_view body = type.size() < size ? text.substr(type.size() + 1) : "";

  if (const auto boundary = MultipartReader::BoundaryOf(type)) {
    const Read once = ReadForm(*boundary, body, size + 1);
    // Limits on preamble and header may be noticed earlier when it comes in pieces.
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}}) {
      const Read cut = ReadForm(*boundary, body, piece);
      if (once.whole && cut.whole) Expect(once == cut);
      if (body.size() < 8000) Expect(once.whole == cut.whole);
    }
    std::size_t sum = 0;
    FormReader form(false);
    bool wrong = false;
    for (const Part& part : once.parts) {
      sum += part.bytes.size();
      if (once.whole) Expect(part.ended);
      if (wrong || part.is_file) continue;
      const auto bad = form.Add(part.name, part.bytes);
      wrong = bad.has_value();
      if (wrong) Expect(bad->status == 400 && bad->Json().find('\n') == bad->Json().size() - 1);
    }
    Expect(sum <= body.size());
    if (!wrong) static_cast<void>(form.Finish({}));
  }

  if (const auto tokens = ParseTokens(body)) {
    for (const ClientToken& token : *tokens) Expect(token.hash.size() == 64);
  }
  static_cast<void>(TokenOf(type, body));
  static const SiteRules rules(*ParseListenAddress("127.0.0.1:7310"), {}, {}, false);
  if (!rules.Refuses({type, "", "", false})) {
    const std::string_view name = type.substr(0, type.find_last_of(':'));
    const auto address = ParseIpAddress(name);
    Expect(address || type.starts_with('[') || ListHas("localhost", name) ||
           ListHas("localhost", type) || ParseIpAddress(type).has_value());
  }
  return 0;
}
