#include "asr/overrides/header_copy.h"

#include <fcntl.h>
#include <gguf.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <istream>
#include <memory>
#include <type_traits>
#include <vector>

#include "asr/overrides/engine_type.h"

namespace headroom::worker {
namespace {

// Smaller reads may be of what the engine computes with while it loads, such as filter banks.
constexpr std::streamsize kSkipFrom = 1 << 20;
thread_local bool skipping = false;

constexpr std::size_t kMaxHeader = 256u << 20;

void ReadVocabulary(const gguf_context* gguf, HeaderCopy& copy) {
  const std::int64_t tokens = gguf_find_key(gguf, "tokenizer.ggml.tokens");
  if (tokens >= 0 && gguf_get_kv_type(gguf, tokens) == GGUF_TYPE_ARRAY)
    copy.vocabulary = static_cast<std::int64_t>(gguf_get_arr_n(gguf, tokens));
  const std::int64_t end = gguf_find_key(gguf, "tokenizer.ggml.eos_token_id");
  if (end >= 0 && gguf_get_kv_type(gguf, end) == GGUF_TYPE_UINT32)
    copy.end_token = gguf_get_val_u32(gguf, end);
}

}  // namespace

Result<HeaderCopy> CopyHeader(const std::string& path) {
  TRY_ASSIGN(const Fd file, Open(path, O_RDONLY));
  const std::unique_ptr<gguf_context, decltype(&gguf_free)> gguf(
      gguf_init_from_file(path.c_str(), {.no_alloc = true, .ctx = nullptr}), gguf_free);
  struct stat about{};
  if (::fstat(file.get(), &about) != 0) return FailErrno(errno, "{}", path);
  const std::size_t header = gguf ? gguf_get_data_offset(gguf.get()) : 0;
  if (!gguf || header > static_cast<std::size_t>(about.st_size) || header > kMaxHeader)
    return Fail(Errc::kCorrupt, "{}: not a whole GGUF header", path);

  HeaderCopy copy{.file = Fd(::memfd_create("headroom-header", MFD_CLOEXEC))};
  if (!copy.file) return FailErrno(errno, "memory for the header of {}", path);
  std::vector<std::byte> bytes(header);
  TRY_ASSIGN(const std::size_t got, ReadFullAt(file.get(), bytes, 0));
  if (got != header) return Fail(Errc::kCorrupt, "{}: cut off", path);
  TRY(WriteAll(copy.file.get(), bytes));
  if (::ftruncate(copy.file.get(), about.st_size) != 0)
    return FailErrno(errno, "header of {}", path);
  ReadVocabulary(gguf.get(), copy);
  return copy;
}

namespace {
bool PassOver(std::istream& stream, std::streamsize bytes) {
  if (!skipping || bytes < kSkipFrom) return false;
  stream.seekg(bytes, std::ios::cur);
  return true;
}
}  // namespace

HoleIsSkipped::HoleIsSkipped() {
  skipping = true;
}

HoleIsSkipped::~HoleIsSkipped() {
  skipping = false;
}

}  // namespace headroom::worker

// std::istream::read(char*, std::streamsize), as the Itanium C++ ABI names it; the linker sets the
// prefixes. NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" {
std::istream& __real__ZNSi4readEPcl(std::istream* stream, char* into, std::streamsize bytes);
std::istream& __wrap__ZNSi4readEPcl(std::istream* stream, char* into, std::streamsize bytes);
static_assert(std::is_same_v<decltype(__wrap__ZNSi4readEPcl),
                             headroom::worker::AsFunction<decltype(&std::istream::read)>>,
              ENGINE_CHANGED);

std::istream& __wrap__ZNSi4readEPcl(std::istream* stream, char* into, std::streamsize bytes) {
  if (headroom::worker::PassOver(*stream, bytes)) return *stream;
  return __real__ZNSi4readEPcl(stream, into, bytes);
}
}  // NOLINTEND(bugprone-reserved-identifier)
