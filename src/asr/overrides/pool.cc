#include "asr/overrides/pool.h"

#include <ggml-backend-impl.h>

#include <algorithm>
#include <memory>
#include <type_traits>
#include <utility>

#include "asr/overrides/engine_type.h"
#include "base/check.h"

extern "C" {
void __real_ggml_backend_buffer_free(ggml_backend_buffer_t buffer);
void __wrap_ggml_backend_buffer_free(ggml_backend_buffer_t buffer);
static_assert(
    std::is_same_v<decltype(__wrap_ggml_backend_buffer_free), decltype(ggml_backend_buffer_free)>,
    ENGINE_CHANGED);

void __wrap_ggml_backend_buffer_free(ggml_backend_buffer_t buffer) {
  headroom::worker::BufferPool::Free(buffer);
}
}

namespace headroom::worker {
namespace {

Bytes SizeOf(ggml_backend_buffer_t buffer) {
  return Bytes(static_cast<std::int64_t>(buffer->size));
}

// ggml's hooks carry no context, so the pools are found by their type.
std::vector<std::unique_ptr<BufferPool>>& Pools() {
  static auto& pools = *new std::vector<std::unique_ptr<BufferPool>>;
  return pools;
}

}  // namespace

BufferPool& BufferPool::Of(ggml_backend_buffer_type_t type) {
  for (const auto& pool : Pools()) {
    if (pool->type_ == type) return *pool;
  }
  Pools().emplace_back(new BufferPool(type));
  return *Pools().back();
}

BufferPool::BufferPool(ggml_backend_buffer_type_t type)
    : type_(type), allocate_(type->iface.alloc_buffer), allocate_for_(type->iface.alloc_buffer_n) {
  type->iface.alloc_buffer = AllocateHook;
  type->iface.alloc_buffer_n = AllocateForHook;
}

ggml_backend_buffer_t BufferPool::AllocateHook(ggml_backend_buffer_type_t type, std::size_t size) {
  return Of(type).Allocate(size);
}

// Buffers for a list of tensors may come as several behind one handle. ggml makes and frees those
// parts inside one of its object files, where the wrap does not see them: so they are noted here.
ggml_backend_buffer_t BufferPool::AllocateForHook(ggml_backend_buffer_type_t type,
                                                  ggml_tensor** tensors, int n) {
  BufferPool& pool = Of(type);
  const MutexLock one_list(pool.list_mutex_);
  {
    const MutexLock lock(pool.mutex_);
    pool.in_list_ = true;
  }
  type->iface.alloc_buffer_n = pool.allocate_for_;
  ggml_backend_buffer_t whole = ggml_backend_buft_alloc_buffer_n(type, tensors, n);
  type->iface.alloc_buffer_n = AllocateForHook;
  const MutexLock lock(pool.mutex_);
  pool.in_list_ = false;
  const bool split = whole && ggml_backend_buffer_is_multi_buffer(whole);
  // Where the list failed, ggml freed its parts unseen as well.
  std::erase_if(pool.held_, [&](Held& held) REQUIRES(pool.mutex_) {
    if (!std::exchange(held.in_list, false)) return false;
    if (split) held.whole = whole;
    if (whole) return false;
    pool.usage_.held -= held.size;
    return true;
  });
  return whole;
}

ggml_backend_buffer_t BufferPool::TakeFree(std::size_t size) {
  Held* best = nullptr;
  for (Held& held : held_) {
    if (held.busy || held.buffer->size < size) continue;
    if (!best || held.buffer->size < best->buffer->size) best = &held;
  }
  if (!best) return nullptr;
  best->busy = true;
  best->in_list = in_list_;
  best->buffer->usage = GGML_BACKEND_BUFFER_USAGE_ANY;
  if (best->buffer->iface.reset) best->buffer->iface.reset(best->buffer);
  ++usage_.hits;
  return best->buffer;
}

void BufferPool::DropFree(std::size_t smaller_than) {
  std::erase_if(held_, [&](const Held& held) REQUIRES(mutex_) {
    if (held.busy || held.buffer->size >= smaller_than) return false;
    usage_.held -= held.size;
    __real_ggml_backend_buffer_free(held.buffer);
    return true;
  });
}

ggml_backend_buffer_t BufferPool::Allocate(std::size_t size) {
  const MutexLock lock(mutex_);
  if (mode_ != Mode::kPassThrough) {
    if (ggml_backend_buffer_t kept = TakeFree(size)) return kept;
    if (mode_ == Mode::kWarming) DropFree(size);
  }
  ++usage_.allocations;
  ggml_backend_buffer_t made = allocate_(type_, size);
  if (!made && mode_ != Mode::kPassThrough) {
    DropFree(size);
    made = allocate_(type_, size);
  }
  if (!made) return nullptr;
  held_.push_back({made, SizeOf(made), true, in_list_, nullptr});
  usage_.held += SizeOf(made);
  usage_.peak = std::max(usage_.peak, usage_.held);
  return made;
}

bool BufferPool::TakeBack(ggml_backend_buffer_t buffer) {
  const MutexLock lock(mutex_);
  const auto found =
      std::ranges::find_if(held_, [&](const Held& held) { return held.buffer == buffer; });
  if (found == held_.end()) return false;
  CHECK(found->busy);
  if (mode_ != Mode::kPassThrough) {
    found->busy = false;
    return true;
  }
  usage_.held -= SizeOf(buffer);
  held_.erase(found);
  return false;
}

void BufferPool::Forget(ggml_backend_buffer_t whole) {
  const MutexLock lock(mutex_);
  std::erase_if(held_, [&](const Held& held) REQUIRES(mutex_) {
    if (held.whole != whole) return false;
    usage_.held -= held.size;
    return true;
  });
}

void BufferPool::Free(ggml_backend_buffer_t buffer) {
  if (buffer) {
    const bool split = ggml_backend_buffer_is_multi_buffer(buffer);
    for (const auto& pool : Pools()) {
      if (split) pool->Forget(buffer);
      if (pool->TakeBack(buffer)) return;
    }
  }
  __real_ggml_backend_buffer_free(buffer);
}

void BufferPool::Set(Mode mode) {
  const MutexLock lock(mutex_);
  mode_ = mode;
  if (mode == Mode::kPassThrough) DropFree(SIZE_MAX);
  usage_.allocations = usage_.hits = 0;
}

BufferPool::Usage BufferPool::usage() const {
  const MutexLock lock(mutex_);
  return usage_;
}

void BufferPool::ResetPeak() {
  const MutexLock lock(mutex_);
  usage_.peak = usage_.held;
}

}  // namespace headroom::worker
