#include "worker/header_copy.h"

#include <fcntl.h>
#include <gguf.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <vector>

namespace headroom::worker {
namespace {

constexpr std::size_t kMaxHeader = 256u << 20;

}  // namespace

Result<Fd> CopyHeader(const std::string& path) {
  TRY_ASSIGN(const Fd file, Open(path, O_RDONLY));
  const std::unique_ptr<gguf_context, decltype(&gguf_free)> gguf(
      gguf_init_from_file(path.c_str(), {.no_alloc = true, .ctx = nullptr}), gguf_free);
  struct stat about{};
  if (::fstat(file.get(), &about) != 0) return FailErrno(errno, "{}", path);
  const std::size_t header = gguf ? gguf_get_data_offset(gguf.get()) : 0;
  if (!gguf || header > static_cast<std::size_t>(about.st_size) || header > kMaxHeader)
    return Fail(Errc::kCorrupt, "{}: not a whole GGUF header", path);

  Fd copy(::memfd_create("headroom-header", MFD_CLOEXEC));
  if (!copy) return FailErrno(errno, "memory for the header of {}", path);
  std::vector<std::byte> bytes(header);
  TRY_ASSIGN(const std::size_t got, ReadFullAt(file.get(), bytes, 0));
  if (got != header) return Fail(Errc::kCorrupt, "{}: cut off", path);
  TRY(WriteAll(copy.get(), bytes));
  if (::ftruncate(copy.get(), about.st_size) != 0) return FailErrno(errno, "header of {}", path);
  return copy;
}

}  // namespace headroom::worker
