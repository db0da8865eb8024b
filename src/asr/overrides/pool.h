// Device buffers that are kept when the engine gives them back.
//
// The engine frees its scratch after every run and makes new caches for every length of
// audio. A pool replaces the alloc_buffer function of one buffer type, so every allocation of
// that type passes through it; frees are caught at link time (--wrap=ggml_backend_buffer_free).
// A buffer's own functions are left alone, because backends know their buffers by them. Parts of a
// buffer that ggml split (a device's largest buffer was too small) are counted but not kept.
//
// While warming, too small buffers make room for larger ones; once sealed, every request takes
// the smallest free buffer that is large enough, and what the driver must still be asked for is
// counted. Thread-safe.
#pragma once

#include <ggml-backend.h>

#include <vector>

#include "base/bytes.h"
#include "base/mutex.h"

namespace headroom::worker {

class BufferPool {
 public:
  /// The pool of `type`, installed by the first call; it lives until the process ends. It begins
  /// passing everything through.
  static BufferPool& Of(ggml_backend_buffer_type_t type);
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  enum class Mode { kPassThrough, kWarming, kSealed };
  /// Pass-through also gives back every free buffer. Each change begins to count from zero.
  void Set(Mode mode);

  struct Usage {
    Bytes held, peak;              // in use or kept; the most of it since ResetPeak
    std::int64_t allocations = 0;  // that reached the driver
    std::int64_t hits = 0;         // that did not
  };
  Usage usage() const;
  void ResetPeak();

  /// What ggml_backend_buffer_free has become.
  static void Free(ggml_backend_buffer_t buffer);

 private:
  struct Held {
    ggml_backend_buffer_t buffer;
    Bytes size;
    bool busy;
    bool in_list;                 // made for the list of tensors that is being worked on
    ggml_backend_buffer_t whole;  // the split buffer it is a part of, or null
  };
  explicit BufferPool(ggml_backend_buffer_type_t type);
  static ggml_backend_buffer_t AllocateHook(ggml_backend_buffer_type_t type, std::size_t size);
  static ggml_backend_buffer_t AllocateForHook(ggml_backend_buffer_type_t type,
                                               ggml_tensor** tensors, int n);
  ggml_backend_buffer_t Allocate(std::size_t size);
  ggml_backend_buffer_t TakeFree(std::size_t size) REQUIRES(mutex_);
  void DropFree(std::size_t smaller_than) REQUIRES(mutex_);
  /// True: the buffer was ours and is kept.
  bool TakeBack(ggml_backend_buffer_t buffer);
  void Forget(ggml_backend_buffer_t whole);

  const ggml_backend_buffer_type_t type_;
  ggml_backend_buffer_t (*const allocate_)(ggml_backend_buffer_type_t, std::size_t);
  ggml_backend_buffer_t (*const allocate_for_)(ggml_backend_buffer_type_t, ggml_tensor**, int);
  Mutex list_mutex_;  // held while buffers for a list of tensors are made; before mutex_
  mutable Mutex mutex_;
  std::vector<Held> held_ GUARDED_BY(mutex_);
  Mode mode_ GUARDED_BY(mutex_) = Mode::kPassThrough;
  bool in_list_ GUARDED_BY(mutex_) = false;
  Usage usage_ GUARDED_BY(mutex_);
};

}  // namespace headroom::worker
