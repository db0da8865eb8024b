// bench_ballast cuda|vulkan [DEVICE]: a neighbour on the card, moved by lines on standard input.
//
//   hold MIB     it has so much
//   leave MIB    it takes or gives until so much of the card is free
//   quit         or the end of the input
//
// DEVICE: a number, 0 unless said otherwise; for CUDA a PCI address as well. Each line is answered
// with "held N free N total N", in bytes; free and total are 0 where the driver does not say.
// Only the driver's own library is needed, opened at run time.
#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdint>
#include <cstring>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace {

constexpr std::int64_t kMebi = 1 << 20;
constexpr std::int64_t kLarge = 64 * kMebi, kSmall = 2 * kMebi;

[[noreturn]] void Die(const std::string& what) {
  fmt::print(stderr, "bench_ballast: {}\n", what);
  std::exit(1);
}

struct Space {
  std::int64_t free = 0, total = 0;
};

class Gpu {
 public:
  virtual ~Gpu() = default;
  virtual Space Look() = 0;
  /// 0: refused.
  virtual std::uint64_t Take(std::int64_t bytes) = 0;
  virtual void Give(std::uint64_t block) = 0;
};

class Library {
 public:
  explicit Library(const char* name) : handle_(::dlopen(name, RTLD_NOW)) {
    if (!handle_) Die(::dlerror());
  }
  template <class Function>
  Function* Find(const char* name) const {
    void* found = ::dlsym(handle_, name);
    if (!found) Die(fmt::format("the driver has no {}", name));
    return reinterpret_cast<Function*>(found);
  }

 private:
  void* handle_;
};

class Cuda : public Gpu {
 public:
  explicit Cuda(const std::string& device) {
    Check("cuInit", library_.Find<int(unsigned)>("cuInit")(0));
    int number = 0;
    if (device.find(':') != std::string::npos)
      Check("cuDeviceGetByPCIBusId", library_.Find<int(int*, const char*)>("cuDeviceGetByPCIBusId")(
                                         &number, device.c_str()));
    else
      Check("cuDeviceGet",
            library_.Find<int(int*, int)>("cuDeviceGet")(&number, std::stoi(device)));
    void* context = nullptr;
    Check("cuDevicePrimaryCtxRetain",
          library_.Find<int(void**, int)>("cuDevicePrimaryCtxRetain")(&context, number));
    Check("cuCtxSetCurrent", library_.Find<int(void*)>("cuCtxSetCurrent")(context));
  }
  Space Look() override {
    std::size_t free = 0, total = 0;
    Check("cuMemGetInfo", look_(&free, &total));
    return {static_cast<std::int64_t>(free), static_cast<std::int64_t>(total)};
  }
  std::uint64_t Take(std::int64_t bytes) override {
    unsigned long long at = 0;
    return take_(&at, static_cast<std::size_t>(bytes)) == 0 ? at : 0;
  }
  void Give(std::uint64_t block) override { Check("cuMemFree", give_(block)); }

 private:
  static void Check(const char* what, int code) {
    if (code != 0) Die(fmt::format("{} gives {}", what, code));
  }
  const Library library_{"libcuda.so.1"};
  int (*look_)(std::size_t*,
               std::size_t*) = library_.Find<int(std::size_t*, std::size_t*)>("cuMemGetInfo_v2");
  int (*take_)(unsigned long long*,
               std::size_t) = library_.Find<int(unsigned long long*, std::size_t)>("cuMemAlloc_v2");
  int (*give_)(unsigned long long) = library_.Find<int(unsigned long long)>("cuMemFree_v2");
};

#if __has_include(<vulkan/vulkan_core.h>)
#define VK_NO_PROTOTYPES
#include <vulkan/vulkan_core.h>

class Vulkan : public Gpu {
 public:
  explicit Vulkan(const std::string& device) {
    const VkApplicationInfo application{.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                        .pNext = nullptr,
                                        .pApplicationName = "bench_ballast",
                                        .applicationVersion = 0,
                                        .pEngineName = nullptr,
                                        .engineVersion = 0,
                                        .apiVersion = VK_API_VERSION_1_1};
    VkInstanceCreateInfo how{};
    how.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO;
    how.pApplicationInfo = &application;
    Check("vkCreateInstance",
          Of<PFN_vkCreateInstance>("vkCreateInstance")(&how, nullptr, &instance_));
    std::uint32_t count = 16;
    VkPhysicalDevice gpus[16];
    Of<PFN_vkEnumeratePhysicalDevices>("vkEnumeratePhysicalDevices")(instance_, &count, gpus);
    const auto wanted = static_cast<std::uint32_t>(std::stoul(device));
    if (wanted >= count) Die(fmt::format("there is no device {}", wanted));
    gpu_ = gpus[wanted];
    FindHeap();
    HasBudget();
    const float priority = 0;
    VkDeviceQueueCreateInfo queue{};
    queue.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO;
    queue.queueCount = 1;
    queue.pQueuePriorities = &priority;
    VkDeviceCreateInfo open{};
    open.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO;
    open.queueCreateInfoCount = 1;
    open.pQueueCreateInfos = &queue;
    Check("vkCreateDevice",
          Of<PFN_vkCreateDevice>("vkCreateDevice")(gpu_, &open, nullptr, &device_));
  }
  Space Look() override {
    Space space{.total = static_cast<std::int64_t>(memory_.memoryHeaps[heap_].size)};
    if (!budget_) return space;
    VkPhysicalDeviceMemoryBudgetPropertiesEXT budget{};
    budget.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT;
    VkPhysicalDeviceMemoryProperties2 properties{};
    properties.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2;
    properties.pNext = &budget;
    Of<PFN_vkGetPhysicalDeviceMemoryProperties2>("vkGetPhysicalDeviceMemoryProperties2")(
        gpu_, &properties);
    // The budget is what this process may have, so it holds what it has.
    space.free = static_cast<std::int64_t>(budget.heapBudget[heap_]) -
                 static_cast<std::int64_t>(budget.heapUsage[heap_]);
    return space;
  }
  std::uint64_t Take(std::int64_t bytes) override {
    VkMemoryAllocateInfo how{};
    how.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO;
    how.allocationSize = static_cast<VkDeviceSize>(bytes);
    how.memoryTypeIndex = type_;
    VkDeviceMemory memory = VK_NULL_HANDLE;
    const VkResult got =
        Of<PFN_vkAllocateMemory>("vkAllocateMemory")(device_, &how, nullptr, &memory);
    return got == VK_SUCCESS ? reinterpret_cast<std::uint64_t>(memory) : 0;
  }
  void Give(std::uint64_t block) override {
    Of<PFN_vkFreeMemory>("vkFreeMemory")(device_, reinterpret_cast<VkDeviceMemory>(block), nullptr);
  }

 private:
  static void Check(const char* what, VkResult result) {
    if (result != VK_SUCCESS) Die(fmt::format("{} gives {}", what, static_cast<int>(result)));
  }
  template <class Function>
  Function Of(const char* name) const {
    const auto found = reinterpret_cast<Function>(find_(instance_, name));
    if (!found) Die(fmt::format("the driver has no {}", name));
    return found;
  }
  void FindHeap() {
    Of<PFN_vkGetPhysicalDeviceMemoryProperties>("vkGetPhysicalDeviceMemoryProperties")(gpu_,
                                                                                       &memory_);
    for (std::uint32_t i = 0; i < memory_.memoryTypeCount; ++i) {
      if (!(memory_.memoryTypes[i].propertyFlags & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT)) continue;
      type_ = i;
      heap_ = memory_.memoryTypes[i].heapIndex;
      return;
    }
    Die("the device has no memory of its own");
  }
  void HasBudget() {
    std::uint32_t count = 0;
    const auto list =
        Of<PFN_vkEnumerateDeviceExtensionProperties>("vkEnumerateDeviceExtensionProperties");
    list(gpu_, nullptr, &count, nullptr);
    std::vector<VkExtensionProperties> all(count);
    list(gpu_, nullptr, &count, all.data());
    for (const VkExtensionProperties& one : all)
      if (std::strcmp(one.extensionName, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME) == 0) budget_ = true;
  }

  const Library library_{"libvulkan.so.1"};
  PFN_vkGetInstanceProcAddr find_ =
      library_.Find<std::remove_pointer_t<PFN_vkGetInstanceProcAddr>>("vkGetInstanceProcAddr");
  VkInstance instance_ = VK_NULL_HANDLE;
  VkPhysicalDevice gpu_ = VK_NULL_HANDLE;
  VkDevice device_ = VK_NULL_HANDLE;
  VkPhysicalDeviceMemoryProperties memory_{};
  std::uint32_t type_ = 0, heap_ = 0;
  bool budget_ = false;
};
#endif

std::unique_ptr<Gpu> Open(const std::string& backend, const std::string& device) {
  if (backend == "cuda") return std::make_unique<Cuda>(device);
#if __has_include(<vulkan/vulkan_core.h>)
  if (backend == "vulkan") return std::make_unique<Vulkan>(device);
#endif
  Die(fmt::format("this build knows no {}", backend));
}

class Ballast {
 public:
  explicit Ballast(Gpu& gpu) : gpu_(gpu) {}

  void Hold(std::int64_t bytes) {
    while (held_ > bytes) Drop();
    while (bytes - held_ >= kSmall && Add(bytes - held_ >= kLarge ? kLarge : kSmall)) {
    }
  }
  void Leave(std::int64_t bytes) {
    if (gpu_.Look().free == 0 && blocks_.empty()) Die("the driver does not say what is free");
    while (gpu_.Look().free < bytes && !blocks_.empty()) Drop();
    for (const std::int64_t size : {kLarge, kSmall})
      while (gpu_.Look().free - size >= bytes && Add(size)) {
      }
  }
  void Tell() {
    const Space space = gpu_.Look();
    fmt::print("held {} free {} total {}\n", held_, space.free, space.total);
    std::fflush(stdout);
  }

 private:
  struct Block {
    std::uint64_t name;
    std::int64_t size;
  };
  bool Add(std::int64_t size) {
    const std::uint64_t name = gpu_.Take(size);
    if (name == 0) return false;
    blocks_.push_back({name, size});
    held_ += size;
    return true;
  }
  void Drop() {
    gpu_.Give(blocks_.back().name);
    held_ -= blocks_.back().size;
    blocks_.pop_back();
  }

  Gpu& gpu_;
  std::vector<Block> blocks_;
  std::int64_t held_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) Die("cuda|vulkan [DEVICE]");
  const auto gpu = Open(argv[1], argc == 3 ? argv[2] : "0");
  Ballast ballast(*gpu);
  ballast.Tell();
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string kind;
    std::int64_t mebi = -1;
    if (!(words >> kind >> mebi)) mebi = -1;
    if (kind == "quit") break;
    if (mebi < 0 || (kind != "hold" && kind != "leave")) Die("hold MIB, leave MIB or quit");
    kind == "hold" ? ballast.Hold(mebi * kMebi) : ballast.Leave(mebi * kMebi);
    ballast.Tell();
  }
}
