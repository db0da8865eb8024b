#include "asr/overrides/count_only.h"

#include <fcntl.h>
#include <ggml-backend.h>
#include <ggml.h>
#include <gguf.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include "asr/overrides/engine_type.h"
#include "base/check.h"
#include "base/fd.h"

// The linker sets the prefixes. NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" {
void __real_ggml_backend_tensor_set(ggml_tensor* tensor, const void* data, std::size_t offset,
                                    std::size_t size);
void __wrap_ggml_backend_tensor_set(ggml_tensor* tensor, const void* data, std::size_t offset,
                                    std::size_t size);
void __real_ggml_backend_tensor_get(const ggml_tensor* tensor, void* data, std::size_t offset,
                                    std::size_t size);
void __wrap_ggml_backend_tensor_get(const ggml_tensor* tensor, void* data, std::size_t offset,
                                    std::size_t size);
const ggml_type_traits* __real_ggml_get_type_traits(ggml_type type);
const ggml_type_traits* __wrap_ggml_get_type_traits(ggml_type type);
gguf_context* __real_gguf_init_from_file(const char* path, gguf_init_params params);
gguf_context* __wrap_gguf_init_from_file(const char* path, gguf_init_params params);
}
static_assert(
    std::is_same_v<decltype(__wrap_ggml_backend_tensor_set), decltype(ggml_backend_tensor_set)>,
    ENGINE_CHANGED);
static_assert(
    std::is_same_v<decltype(__wrap_ggml_backend_tensor_get), decltype(ggml_backend_tensor_get)>,
    ENGINE_CHANGED);
static_assert(std::is_same_v<decltype(__wrap_ggml_get_type_traits), decltype(ggml_get_type_traits)>,
              ENGINE_CHANGED);
static_assert(std::is_same_v<decltype(__wrap_gguf_init_from_file), decltype(gguf_init_from_file)>,
              ENGINE_CHANGED);

namespace headroom::worker {
namespace {

std::atomic<bool> counting{false};

// Smaller tensors are inputs, which cost nothing.
constexpr std::size_t kLarge = 1 << 20;
constexpr int kMapFrom = 4 << 20;  // bytes

bool IsLargeOnHost(const ggml_tensor* tensor, std::size_t size) {
  const ggml_backend_buffer_t buffer = tensor->view_src ? tensor->view_src->buffer : tensor->buffer;
  return size >= kLarge && buffer && ggml_backend_buffer_is_host(buffer);
}

void GiveZeros(const void*, float* into, std::int64_t n) {
  FillWithNothing(std::as_writable_bytes(std::span(into, static_cast<std::size_t>(n))));
}

// Out of memory instead of in hundreds of thousands of small reads, which were a fifth of a plan.
gguf_context* ParseMapped(const char* path, gguf_init_params params) {
  const auto file = Open(path, O_RDONLY);
  struct stat about{};
  if (!file || ::fstat(file->get(), &about) != 0 || about.st_size <= 0)
    return __real_gguf_init_from_file(path, params);  // which says why
  const auto size = static_cast<std::size_t>(about.st_size);
  void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_NORESERVE, file->get(), 0);
  if (mapped == MAP_FAILED) return __real_gguf_init_from_file(path, params);
  gguf_context* parsed = gguf_init_from_buffer(mapped, size, params);
  ::munmap(mapped, size);
  return parsed;
}

}  // namespace

CountOnly::CountOnly() {
  CHECK(!counting.exchange(true));
  // Large vectors come and go while a model is loaded. The allocator would learn to keep them.
  ::mallopt(M_MMAP_THRESHOLD, kMapFrom);
}

CountOnly::~CountOnly() {
  counting = false;
}

bool CountOnly::Now() {
  return counting.load(std::memory_order_relaxed);
}

void FillWithNothing(std::span<std::byte> into) {
  static const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto at = reinterpret_cast<std::uintptr_t>(into.data());
  const std::size_t before = std::min((page - at % page) % page, into.size());
  const std::size_t whole = (into.size() - before) / page * page;
  if (whole < kLarge || ::madvise(into.data() + before, whole, MADV_DONTNEED) != 0) {
    std::ranges::fill(into, std::byte{0});
    return;
  }
  std::ranges::fill(into.first(before), std::byte{0});
  std::ranges::fill(into.subspan(before + whole), std::byte{0});
}

}  // namespace headroom::worker

using headroom::worker::CountOnly;

extern "C" {
void __wrap_ggml_backend_tensor_set(ggml_tensor* tensor, const void* data, std::size_t offset,
                                    std::size_t size) {
  if (CountOnly::Now() && headroom::worker::IsLargeOnHost(tensor, size)) return;
  __real_ggml_backend_tensor_set(tensor, data, offset, size);
}

void __wrap_ggml_backend_tensor_get(const ggml_tensor* tensor, void* data, std::size_t offset,
                                    std::size_t size) {
  if (CountOnly::Now() && headroom::worker::IsLargeOnHost(tensor, size))
    return headroom::worker::FillWithNothing({static_cast<std::byte*>(data), size});
  __real_ggml_backend_tensor_get(tensor, data, offset, size);
}

gguf_context* __wrap_gguf_init_from_file(const char* path, gguf_init_params params) {
  if (CountOnly::Now() && params.no_alloc) return headroom::worker::ParseMapped(path, params);
  return __real_gguf_init_from_file(path, params);
}

const ggml_type_traits* __wrap_ggml_get_type_traits(ggml_type type) {
  const ggml_type_traits* real = __real_ggml_get_type_traits(type);
  if (!CountOnly::Now() || !real || !real->to_float) return real;
  static thread_local std::array<ggml_type_traits, GGML_TYPE_COUNT> zeros;
  ggml_type_traits& mine = zeros[static_cast<std::size_t>(type)];
  mine = *real;
  mine.to_float = headroom::worker::GiveZeros;
  return &mine;
}
}  // NOLINTEND(bugprone-reserved-identifier)
