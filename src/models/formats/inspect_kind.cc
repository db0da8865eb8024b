#include "models/formats/inspect_kind.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "base/text.h"
#include "models/formats/ct2.h"
#include "models/formats/gguf.h"
#include "models/formats/safetensors.h"
#include "models/formats/whisper_bin.h"

namespace headroom::models {
namespace {

bool HasNoCase(std::string_view text, std::string_view lower) {
  return !std::ranges::search(text, lower, [](char a, char b) {
            return static_cast<char>(std::tolower(static_cast<unsigned char>(a))) == b;
          }).empty();
}

}  // namespace

FileKind KindOf(std::string_view head, std::int64_t file_size) {
  if (head.starts_with(kGgufMagic)) return FileKind::kGguf;
  if (head.starts_with("lmgg")) return FileKind::kWhisperBin;
  if (LooksLikeCt2(head)) return FileKind::kCt2;
  if (LooksLikeSafetensors(head, file_size)) return FileKind::kSafetensors;
  return FileKind::kOther;
}

Error DescribeOther(std::string_view head, std::int64_t file_size) {
  const auto invalid = [](std::string what) { return Error{Errc::kInvalid, std::move(what)}; };
  if (file_size == 0) return {Errc::kCorrupt, "the file is empty: a download that did not begin?"};
  if (kGgufMagic.starts_with(head) || std::string_view("lmgg").starts_with(head))
    return {
        Errc::kCorrupt,
        fmt::format("the file is cut: {} bytes are there, and no model is so small", file_size)};
  if (head.starts_with("version https://git-lfs"))
    return invalid(
        "a git-lfs pointer, not the model itself: run \"git lfs pull\" where it came from");
  const std::string_view start = Trim(head);
  if (HasNoCase(head, "<!doctype html") || HasNoCase(head, "<html"))
    return invalid("a web page, not a model: the download led to an error or a login page");
  if (start.starts_with("<?xml")) return invalid("an XML document, not a model: an error page?");
  if (start.starts_with('{') || start.starts_with('['))
    return invalid("JSON text, not a model: an error message, or a file that goes with a model");
  if (head.starts_with("PK\x03\x04"))
    return invalid("a zip archive (PyTorch checkpoints are such): the engine reads GGUF");
  if (head.starts_with("\x80\x02") || head.starts_with("\x80\x04"))
    return invalid("a Python pickle (an old PyTorch checkpoint): the engine reads GGUF");
  if (head.starts_with("\x1f\x8b") || head.starts_with("BZh") ||
      head.starts_with("\xfd"
                       "7zXZ") ||
      head.starts_with("\x28\xb5\x2f\xfd") || (head.size() > 262 && head.substr(257, 5) == "ustar"))
    return invalid("an archive or a compressed file: unpack it first");
  if (head.starts_with("\x08") && HasNoCase(head, "pytorch"))
    return invalid("an ONNX model: the engine reads GGUF");
  if (head.starts_with("RIFF")) return invalid("a sound or picture file (RIFF), not a model");
  if (std::ranges::all_of(head, [](char c) { return c == '\0'; }))
    return {Errc::kCorrupt, "nothing but zeros at its start: a download that did not finish?"};
  return invalid("not a model: neither GGUF nor anything else that is known here");
}

}  // namespace headroom::models
