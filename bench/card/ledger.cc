// driver_ledger.so: counts what a program asks of CUDA's or Vulkan's driver, see ledger.h.
//
//   HEADROOM_DRIVER_LEDGER=FILE LD_PRELOAD=driver_ledger.so PROGRAM
//
// The libraries look a driver's functions up at run time (dlsym, cuGetProcAddress,
// vkGet…ProcAddr), so those are wrapped too, and answer with the counting ones. Nothing here needs
// a toolkit: the functions' shapes are part of the drivers' stable interfaces.
#include "ledger.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string_view>

namespace headroom {
namespace {

constexpr int kCudaNoMemory = 2;
constexpr int kVulkanNoMemory = -2;  // VK_ERROR_OUT_OF_DEVICE_MEMORY

DriverLedger& Ledger() {
  static DriverLedger* const ledger = [] {
    static DriverLedger own;
    const char* path = std::getenv(kLedgerVariable);
    const int fd = path ? ::open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return &own;
    void* map = ::mmap(nullptr, sizeof own, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ::close(fd);
    return map == MAP_FAILED ? &own : static_cast<DriverLedger*>(map);
  }();
  return *ledger;
}

/// One of those that are left is taken.
bool Take(std::atomic<std::int64_t>& left) {
  std::int64_t now = left.load();
  while (now > 0)
    if (left.compare_exchange_weak(now, now - 1)) return true;
  return false;
}

/// True: refuse it.
bool Count(std::atomic<std::int64_t>& which, std::size_t bytes) {
  ++which;
  Ledger().bytes += static_cast<std::int64_t>(bytes);
  return Take(Ledger().refuse);
}

void* RealDlsym(void* handle, const char* name) {
  using Dlsym = void* (*)(void*, const char*);
  static const auto real = [] {
    void* found = ::dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.34");
    if (!found) found = ::dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.2.5");
    return reinterpret_cast<Dlsym>(found);
  }();
  return real(handle, name);
}

// A function of a driver: the wrapper that is given out for it, and where it really is.
struct Hook {
  std::string_view name;
  void* wrapper;
  std::atomic<void*> real{nullptr};
};
Hook* Find(std::string_view name);

// In a driver's library that was opened by the program, if that gives out its functions as symbols:
// then they were looked up here first.
void* InDrivers(const char* name) {
  for (const char* library : {"libcuda.so.1", "libvulkan.so.1"}) {
    void* handle = ::dlopen(library, RTLD_NOW | RTLD_NOLOAD);
    if (!handle) continue;
    void* found = RealDlsym(handle, name);
    ::dlclose(handle);
    if (found) return found;
  }
  return nullptr;
}

template <class Function>
Function* Real(const char* name) {
  Hook* hook = Find(name);
  void* real = hook->real.load();
  if (!real) real = RealDlsym(RTLD_NEXT, name);
  if (!real) real = InDrivers(name);
  if (!real) std::abort();  // nobody gave it out, and no library that is loaded has it
  hook->real = real;
  return reinterpret_cast<Function*>(real);
}

/// What to give out for a driver's function that was looked up.
void* Wrapped(std::string_view name, void* real) {
  Hook* hook = real ? Find(name) : nullptr;
  if (!hook) return real;
  if (real == hook->wrapper) real = InDrivers(hook->name.data());
  if (!hook->real.exchange(real)) ++Ledger().hooked;
  return hook->wrapper;
}

}  // namespace
}  // namespace headroom

using headroom::Count;
using headroom::Ledger;
using headroom::Real;
using Address = unsigned long long;
using Size = std::size_t;

// Names, shapes and numbers as the drivers have them.
#define HEADROOM_COUNTED(name, which, bytes, refused, parameters, arguments) \
  extern "C" int name parameters {                                           \
    if (Count(Ledger().which, bytes)) return refused;                        \
    return Real<int parameters>(#name) arguments;                            \
  }
#define HEADROOM_CUDA(name, which, bytes, parameters, arguments) \
  HEADROOM_COUNTED(name, which, bytes, headroom::kCudaNoMemory, parameters, arguments)

HEADROOM_CUDA(cudaMalloc, runtime, 0, (void** at, Size size), (at, size))
HEADROOM_CUDA(cudaMallocManaged, runtime, 0, (void** at, Size size, unsigned flags),
              (at, size, flags))
HEADROOM_CUDA(cudaMallocAsync, runtime, 0, (void** at, Size size, void* stream), (at, size, stream))
HEADROOM_CUDA(cuMemAlloc_v2, driver, size, (Address * at, Size size), (at, size))
HEADROOM_CUDA(cuMemAllocManaged, driver, size, (Address * at, Size size, unsigned flags),
              (at, size, flags))
HEADROOM_CUDA(cuMemAllocPitch_v2, driver, width* height,
              (Address * at, Size* pitch, Size width, Size height, unsigned element),
              (at, pitch, width, height, element))
HEADROOM_CUDA(cuMemAllocAsync, driver, size, (Address * at, Size size, void* stream),
              (at, size, stream))
HEADROOM_CUDA(cuMemAllocFromPoolAsync, driver, size,
              (Address * at, Size size, void* pool, void* stream), (at, size, pool, stream))
HEADROOM_CUDA(cuMemCreate, driver, size,
              (Address * handle, Size size, const void* how, Address flags),
              (handle, size, how, flags))
HEADROOM_CUDA(cuMemHostAlloc, host, size, (void** at, Size size, unsigned flags), (at, size, flags))
HEADROOM_CUDA(cuMemAllocHost_v2, host, size, (void** at, Size size), (at, size))

namespace {

// VkMemoryAllocateInfo up to its size.
struct VulkanAllocation {
  int type;
  const void* next;
  std::uint64_t size;
};

}  // namespace
HEADROOM_COUNTED(vkAllocateMemory, driver, static_cast<const VulkanAllocation*>(info)->size,
                 headroom::kVulkanNoMemory,
                 (void* device, const void* info, const void* host, std::uint64_t* memory),
                 (device, info, host, memory))

// Waits for the card: what a fault of it comes back from.
#define HEADROOM_WAIT(name, parameters, arguments)                                                 \
  extern "C" int name parameters {                                                                 \
    if (const auto fault = Ledger().fault.exchange(0); fault != 0) return static_cast<int>(fault); \
    return Real<int parameters>(#name) arguments;                                                  \
  }
HEADROOM_WAIT(cudaStreamSynchronize, (void* stream), (stream))
HEADROOM_WAIT(vkQueueSubmit,
              (void* queue, std::uint32_t count, const void* submits, std::uint64_t fence),
              (queue, count, submits, fence))
HEADROOM_WAIT(vkWaitForFences,
              (void* device, std::uint32_t count, const void* fences, std::uint32_t all,
               std::uint64_t nanoseconds),
              (device, count, fences, all, nanoseconds))

// Where functions are looked up.
extern "C" void* dlsym(void* handle, const char* name) noexcept {
  return headroom::Wrapped(name, headroom::RealDlsym(handle, name));
}
extern "C" void* vkGetInstanceProcAddr(void* instance, const char* name) {
  return headroom::Wrapped(
      name, Real<void*(void*, const char*)>("vkGetInstanceProcAddr")(instance, name));
}
extern "C" void* vkGetDeviceProcAddr(void* device, const char* name) {
  return headroom::Wrapped(name,
                           Real<void*(void*, const char*)>("vkGetDeviceProcAddr")(device, name));
}

namespace {

// cuGetProcAddress is asked for "cuMemAlloc" and answers with the newest, cuMemAlloc_v2.
void Replace(const char* name, void** function) {
  if (!function || !*function) return;
  const std::string_view newest[] = {"cuMemAlloc", "cuMemAllocPitch", "cuMemAllocHost",
                                     "cuGetProcAddress"};
  char versioned[64];
  for (const std::string_view one : newest) {
    if (one != name) continue;
    std::strcpy(versioned, name);
    name = std::strcat(versioned, "_v2");
    break;
  }
  *function = headroom::Wrapped(name, *function);
}

}  // namespace
extern "C" int cuGetProcAddress(const char* name, void** function, int version, Address flags) {
  const int code = Real<int(const char*, void**, int, Address)>("cuGetProcAddress")(name, function,
                                                                                    version, flags);
  if (code == 0 && std::strcmp(name, "cuGetProcAddress") != 0) Replace(name, function);
  return code;
}
extern "C" int cuGetProcAddress_v2(const char* name, void** function, int version, Address flags,
                                   int* status) {
  const int code = Real<int(const char*, void**, int, Address, int*)>("cuGetProcAddress_v2")(
      name, function, version, flags, status);
  if (code == 0) Replace(name, function);
  return code;
}

namespace headroom {
namespace {

#define HEADROOM_HOOK(name) {#name, reinterpret_cast<void*>(&name)}
Hook* Find(std::string_view name) {
  static Hook hooks[] = {HEADROOM_HOOK(cudaMalloc),
                         HEADROOM_HOOK(cudaMallocManaged),
                         HEADROOM_HOOK(cudaMallocAsync),
                         HEADROOM_HOOK(cuMemAlloc_v2),
                         HEADROOM_HOOK(cuMemAllocManaged),
                         HEADROOM_HOOK(cuMemAllocPitch_v2),
                         HEADROOM_HOOK(cuMemAllocAsync),
                         HEADROOM_HOOK(cuMemAllocFromPoolAsync),
                         HEADROOM_HOOK(cuMemCreate),
                         HEADROOM_HOOK(cuMemHostAlloc),
                         HEADROOM_HOOK(cuMemAllocHost_v2),
                         HEADROOM_HOOK(vkAllocateMemory),
                         HEADROOM_HOOK(cudaStreamSynchronize),
                         HEADROOM_HOOK(vkQueueSubmit),
                         HEADROOM_HOOK(vkWaitForFences),
                         HEADROOM_HOOK(vkGetInstanceProcAddr),
                         HEADROOM_HOOK(vkGetDeviceProcAddr),
                         HEADROOM_HOOK(cuGetProcAddress),
                         HEADROOM_HOOK(cuGetProcAddress_v2)};
  for (Hook& hook : hooks)
    if (hook.name == name) return &hook;
  return nullptr;
}

}  // namespace
}  // namespace headroom
