// A libcuda.so.1 for tests: one card of HEADROOM_FAKE_CUDA_MIB, whose memory is only counted.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>

namespace {

constexpr int kNoMemory = 2, kInvalid = 1, kNotFound = 500;

std::map<unsigned long long, std::size_t>& Blocks() {
  static std::map<unsigned long long, std::size_t> blocks;
  return blocks;
}
std::size_t Total() {
  const char* mebi = std::getenv("HEADROOM_FAKE_CUDA_MIB");
  return (mebi ? std::strtoull(mebi, nullptr, 10) : 4096) << 20;
}
std::size_t Free() {
  std::size_t left = Total();
  for (const auto& [at, size] : Blocks()) left -= size;
  return left;
}

}  // namespace

extern "C" {
int cuInit(unsigned) {
  return 0;
}
int cuDeviceGet(int* device, int number) {
  *device = number;
  return number == 0 ? 0 : kInvalid;
}
int cuDeviceGetByPCIBusId(int* device, const char* address) {
  *device = 0;
  return std::strcmp(address, "0000:01:00.0") == 0 ? 0 : kInvalid;
}
int cuDevicePrimaryCtxRetain(void** context, int) {
  static int one;
  *context = &one;
  return 0;
}
int cuCtxSetCurrent(void*) {
  return 0;
}
int cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
  *free = Free();
  *total = Total();
  return 0;
}
int cuMemAlloc_v2(unsigned long long* at, std::size_t size) {
  static unsigned long long next = 1 << 20;
  if (size > Free()) return kNoMemory;
  *at = next++;
  Blocks()[*at] = size;
  return 0;
}
int cuMemFree_v2(unsigned long long at) {
  return Blocks().erase(at) == 1 ? 0 : kInvalid;
}
// The newest of a name, as the driver gives it.
int cuGetProcAddress_v2(const char* name, void** function, int, std::uint64_t, int*) {
  if (std::strcmp(name, "cuMemAlloc") == 0)
    *function = reinterpret_cast<void*>(&cuMemAlloc_v2);
  else if (std::strcmp(name, "cuInit") == 0)
    *function = reinterpret_cast<void*>(&cuInit);
  else
    return kNotFound;
  return 0;
}
}
