#include "asr/sim/sim_device.h"

#include <ggml-backend-impl.h>
#include <ggml-cpu.h>
#include <ggml-impl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <thread>

#include "asr/overrides/count_only.h"
#include "base/check.h"

namespace headroom::worker {
namespace {

using When = GpuEvent::When;
using What = GpuEvent::What;

constexpr std::int64_t kCudaRowElements = 512;

// Every thing the simulated card made points back to it.
struct SimBuffer {
  SimCard* gpu;
  void* base;
  std::size_t mapped;  // 0: nothing
  Bytes charged;
};
struct SimBackend {
  SimCard* gpu;
  ggml_backend_t cpu;  // null when counting
};

std::int64_t RoundUp(std::int64_t n, std::int64_t to) {
  return (n + to - 1) / to * to;
}

bool IsView(ggml_op op) {
  return op == GGML_OP_NONE || op == GGML_OP_RESHAPE || op == GGML_OP_VIEW ||
         op == GGML_OP_PERMUTE || op == GGML_OP_TRANSPOSE;
}

std::byte* At(const ggml_tensor* tensor, std::size_t offset) {
  return static_cast<std::byte*>(tensor->data) + offset;
}

}  // namespace

struct SimCard::Registration {
  ggml_backend_reg reg{};
  ggml_backend_device device{};
  ggml_backend_buffer_type buffer_type{};
};

// The C functions behind ggml's tables.
struct SimCard::Interface {
  static SimCard& Of(ggml_backend_dev_t device) { return *static_cast<SimCard*>(device->context); }
  static SimCard& Of(ggml_backend_buffer_type_t type) {
    return *static_cast<SimCard*>(type->context);
  }
  static SimBuffer& Of(ggml_backend_buffer_t buffer) {
    return *static_cast<SimBuffer*>(buffer->context);
  }
  static SimBackend& Of(ggml_backend_t backend) {
    return *static_cast<SimBackend*>(backend->context);
  }
  static bool Counting(ggml_backend_buffer_t buffer) { return Of(buffer).gpu->options_.counting; }

  // Buffers.
  static void FreeBuffer(ggml_backend_buffer_t buffer) {
    SimBuffer& held = Of(buffer);
    held.gpu->used_ -= held.charged;
    ::munmap(held.base, held.mapped);
    delete &held;
  }
  static void* Base(ggml_backend_buffer_t buffer) { return Of(buffer).base; }
  static void Memset(ggml_backend_buffer_t buffer, ggml_tensor* tensor, std::uint8_t value,
                     std::size_t offset, std::size_t size) {
    if (!Counting(buffer)) std::memset(At(tensor, offset), value, size);
  }
  static void Set(ggml_backend_buffer_t buffer, ggml_tensor* tensor, const void* data,
                  std::size_t offset, std::size_t size) {
    if (!Counting(buffer)) std::memcpy(At(tensor, offset), data, size);
  }
  static void Get(ggml_backend_buffer_t buffer, const ggml_tensor* tensor, void* data,
                  std::size_t offset, std::size_t size) {
    if (Counting(buffer))
      Of(buffer).gpu->ReadNothing({static_cast<std::byte*>(data), size});
    else
      std::memcpy(data, At(tensor, offset), size);
  }
  static bool Copy(ggml_backend_buffer_t buffer, const ggml_tensor* from, ggml_tensor* to) {
    const bool same_gpu = from->buffer && from->buffer->buft == buffer->buft;
    if (!same_gpu && !(from->buffer && ggml_backend_buffer_is_host(from->buffer))) return false;
    if (!Counting(buffer)) std::memcpy(to->data, from->data, ggml_nbytes(from));
    return true;
  }
  static void Clear(ggml_backend_buffer_t buffer, std::uint8_t value) {
    if (!Counting(buffer)) std::memset(Of(buffer).base, value, buffer->size);
  }

  // The buffer type.
  static const char* TypeName(ggml_backend_buffer_type_t type) {
    return Of(type).options_.profile.name.c_str();
  }
  static ggml_backend_buffer_t Allocate(ggml_backend_buffer_type_t type, std::size_t size) {
    SimCard& gpu = Of(type);
    const Bytes charged(
        RoundUp(static_cast<std::int64_t>(size), gpu.options_.profile.granularity.n));
    if (!gpu.OnAllocation(charged)) {
      GGML_LOG_ERROR("%s: allocating %s failed: %s are free\n", TypeName(type),
                     FormatBinary(charged).c_str(), FormatBinary(gpu.free()).c_str());
      return nullptr;
    }
    // Counting needs addresses of its own for every buffer, and that touching them is seen.
    const std::size_t mapped = std::max<std::size_t>(size, 1);
    void* base = ::mmap(nullptr, mapped, gpu.options_.counting ? PROT_NONE : PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) return nullptr;
    gpu.used_ += charged;
    gpu.peak_ = std::max(gpu.peak_, gpu.used_);
    ggml_backend_buffer_i calls{};
    calls.free_buffer = FreeBuffer;
    calls.get_base = Base;
    calls.memset_tensor = Memset;
    calls.set_tensor = Set;
    calls.get_tensor = Get;
    calls.cpy_tensor = Copy;
    calls.clear = Clear;
    return ggml_backend_buffer_init(type, calls, new SimBuffer{&gpu, base, mapped, charged}, size);
  }
  static std::size_t Alignment(ggml_backend_buffer_type_t type) {
    return static_cast<std::size_t>(Of(type).options_.profile.alignment.n);
  }
  static std::size_t LargestBuffer(ggml_backend_buffer_type_t type) {
    const auto limit = static_cast<std::size_t>(Of(type).options_.profile.largest_buffer.n);
    return limit ? limit : SIZE_MAX;
  }
  static std::size_t SizeOf(ggml_backend_buffer_type_t type, const ggml_tensor* tensor) {
    std::size_t size = ggml_nbytes(tensor);
    const std::int64_t over = tensor->ne[0] % kCudaRowElements;
    if (Of(type).options_.profile.size_rule == SizeRule::kCudaRows &&
        ggml_is_quantized(tensor->type) && over != 0)
      size += ggml_row_size(tensor->type, kCudaRowElements - over);
    return size;
  }
  static bool IsHost(ggml_backend_buffer_type_t) { return false; }

  // The backend.
  static const char* BackendName(ggml_backend_t backend) {
    return Of(backend).gpu->options_.profile.name.c_str();
  }
  static void FreeBackend(ggml_backend_t backend) {
    ggml_backend_free(Of(backend).cpu);
    delete &Of(backend);
    delete backend;
  }
  static void SetAsync(ggml_backend_t, ggml_tensor* tensor, const void* data, std::size_t offset,
                       std::size_t size) {
    ggml_backend_tensor_set(tensor, data, offset, size);
  }
  static void GetAsync(ggml_backend_t, const ggml_tensor* tensor, void* data, std::size_t offset,
                       std::size_t size) {
    ggml_backend_tensor_get(tensor, data, offset, size);
  }
  static void Synchronize(ggml_backend_t) {}
  static ggml_status Compute(ggml_backend_t backend, ggml_cgraph* graph) {
    SimCard& gpu = *Of(backend).gpu;
    gpu.OnCompute();
    if (gpu.options_.counting) return GGML_STATUS_SUCCESS;
    return ggml_backend_graph_compute(Of(backend).cpu, graph);
  }
  static void SetThreads(ggml_backend_t backend, int n) {
    if (Of(backend).cpu) ggml_backend_cpu_set_n_threads(Of(backend).cpu, n);
  }

  // The device.
  static const char* Name(ggml_backend_dev_t device) {
    return Of(device).options_.profile.name.c_str();
  }
  static const char* Description(ggml_backend_dev_t device) {
    return Of(device).options_.profile.description.c_str();
  }
  static void Memory(ggml_backend_dev_t device, std::size_t* free, std::size_t* total) {
    *free = static_cast<std::size_t>(Of(device).free().n);
    *total = static_cast<std::size_t>(Of(device).options_.capacity.n);
  }
  static enum ggml_backend_dev_type Type(ggml_backend_dev_t) {
    return GGML_BACKEND_DEVICE_TYPE_GPU;
  }
  static void Properties(ggml_backend_dev_t device, ggml_backend_dev_props* properties) {
    *properties = {};
    properties->name = Name(device);
    properties->description = Description(device);
    properties->type = Type(device);
    Memory(device, &properties->memory_free, &properties->memory_total);
    properties->caps.async = true;
  }
  static ggml_backend_t MakeBackend(ggml_backend_dev_t device, const char*) {
    static ggml_guid guid = {'h', 'e', 'a', 'd', 'r', 'o', 'o', 'm', 's', 'i', 'm', 'c', 'a'};
    SimCard& gpu = Of(device);
    ggml_backend_t cpu = nullptr;
    if (!gpu.options_.counting) {
      cpu = ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr);
      if (!cpu) return nullptr;
    }
    ggml_backend_i calls{};
    calls.get_name = BackendName;
    calls.free = FreeBackend;
    calls.set_tensor_async = SetAsync;
    calls.get_tensor_async = GetAsync;
    calls.synchronize = Synchronize;
    calls.graph_compute = Compute;
    return new ggml_backend{&guid, calls, device, new SimBackend{&gpu, cpu}};
  }
  static ggml_backend_buffer_type_t BufferType(ggml_backend_dev_t device) {
    return &Of(device).registration_->buffer_type;
  }
  static bool Supports(ggml_backend_dev_t device, const ggml_tensor* op) {
    if (IsView(op->op)) return true;
    const auto& unsupported = Of(device).options_.profile.unsupported;
    if (!unsupported.empty()) {
      const std::string name = ggml_op_desc(op);
      if (unsupported.contains(name)) return false;
      if (op->src[0] && unsupported.contains(name + ":" + ggml_type_name(op->src[0]->type)))
        return false;
    }
    return ggml_backend_dev_supports_op(ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU), op);
  }
  static bool SupportsType(ggml_backend_dev_t device, ggml_backend_buffer_type_t type) {
    return type == BufferType(device);
  }

  // The registry of one device.
  static const char* RegistryName(ggml_backend_reg_t reg) {
    return static_cast<SimCard*>(reg->context)->options_.profile.registry.c_str();
  }
  static std::size_t DeviceCount(ggml_backend_reg_t) { return 1; }
  static ggml_backend_dev_t DeviceAt(ggml_backend_reg_t reg, std::size_t) {
    return &static_cast<SimCard*>(reg->context)->registration_->device;
  }
  static void* Procedure(ggml_backend_reg_t, const char* name) {
    if (std::strcmp(name, "ggml_backend_set_n_threads") != 0) return nullptr;
    return reinterpret_cast<void*>(&SetThreads);
  }
};

SimCard& SimCard::Make(SimCardOptions options) {
  return *new SimCard(std::move(options));
}

SimCard::~SimCard() = default;

SimCard::SimCard(SimCardOptions options)
    : options_(std::move(options)),
      registration_(std::make_unique<Registration>()),
      pending_(options_.script) {
  auto& [reg, device, type] = *registration_;
  type.iface.get_name = Interface::TypeName;
  type.iface.alloc_buffer = Interface::Allocate;
  type.iface.get_alignment = Interface::Alignment;
  type.iface.get_max_size = Interface::LargestBuffer;
  type.iface.get_alloc_size = Interface::SizeOf;
  type.iface.is_host = Interface::IsHost;
  type.device = &device;
  type.context = this;
  device.iface.get_name = Interface::Name;
  device.iface.get_description = Interface::Description;
  device.iface.get_memory = Interface::Memory;
  device.iface.get_type = Interface::Type;
  device.iface.get_props = Interface::Properties;
  device.iface.init_backend = Interface::MakeBackend;
  device.iface.get_buffer_type = Interface::BufferType;
  device.iface.supports_op = Interface::Supports;
  device.iface.supports_buft = Interface::SupportsType;
  device.reg = &reg;
  device.context = this;
  reg.api_version = GGML_BACKEND_API_VERSION;
  reg.iface.get_name = Interface::RegistryName;
  reg.iface.get_device_count = Interface::DeviceCount;
  reg.iface.get_device = Interface::DeviceAt;
  reg.iface.get_proc_address = Interface::Procedure;
  reg.context = this;
  ggml_backend_register(&reg);
}

ggml_backend_dev_t SimCard::device() const {
  return &registration_->device;
}

ggml_backend_buffer_type_t SimCard::buffer_type() const {
  return &registration_->buffer_type;
}

Bytes SimCard::free() const {
  return std::max(Bytes(0), options_.capacity - used_ - neighbour_);
}

void SimCard::Ready() {
  ready_ = SystemClock().Now();
  runs_ = 0;
}

void SimCard::BeginRun() {
  ++runs_;
}

void SimCard::Prefer(std::int64_t token, std::int64_t vocabulary) {
  token_ = token;
  vocabulary_ = vocabulary;
}

void SimCard::ReadNothing(std::span<std::byte> into) const {
  FillWithNothing(into);
  const std::size_t row = static_cast<std::size_t>(vocabulary_) * sizeof(float);
  if (token_ < 0 || token_ >= vocabulary_ || into.size() % row != 0) return;
  constexpr float kBest = 20;
  for (std::size_t at = static_cast<std::size_t>(token_) * sizeof(float); at < into.size();
       at += row)
    std::memcpy(into.data() + at, &kBest, sizeof kBest);
}

bool SimCard::Due(const GpuEvent& event, bool computing) const {
  switch (event.when) {
    case When::kAllocation:
      return allocations_ >= event.at;
    case When::kCompute:
      return computes_ >= event.at;
    case When::kRun:
      return computing && runs_ >= event.at;
    case When::kAfter:
      return ready_ != MonoTime::max() && SystemClock().Now() - ready_ >= Milliseconds(event.at);
  }
  return false;
}

void SimCard::SetNeighbour(Bytes wanted) {
  neighbour_ = std::clamp(wanted, Bytes(0), std::max(Bytes(0), options_.capacity - used_));
}

bool SimCard::OnAllocation(Bytes size) {
  ++allocations_;
  bool fails = false;
  std::erase_if(pending_, [&](const GpuEvent& event) {
    const bool takes_part = event.what == What::kNeighbour || event.what == What::kFail;
    if (!takes_part || !Due(event, false)) return false;
    if (event.what == What::kNeighbour) SetNeighbour(Bytes(event.amount));
    if (event.what == What::kFail) fails = true;
    return true;
  });
  return !fails && (options_.counting || size <= free());
}

void SimCard::OnCompute() {
  ++computes_;
  std::erase_if(pending_, [&](const GpuEvent& event) {
    if (event.what == What::kFail || !Due(event, true)) return false;
    switch (event.what) {
      case What::kNeighbour:
        SetNeighbour(Bytes(event.amount));
        break;
      case What::kError:
        AbortWith(event.amount);
      case What::kHang:
        while (true) ::pause();
      case What::kDie:
        ::kill(::getpid(), SIGKILL);
        break;
      case What::kSlow:
        slow_ = Milliseconds(event.amount);
        break;
      case What::kFail:
        break;
    }
    return true;
  });
  if (slow_ > Milliseconds(0)) std::this_thread::sleep_for(slow_);
}

// As ggml's CUDA backend ends a process when a call of the driver fails: three lines of its log,
// then an abort.
void SimCard::AbortWith(std::int64_t code) {
  GGML_LOG_ERROR("CUDA error: %s\n", std::string(DeviceErrorText(code)).c_str());
  GGML_LOG_ERROR("  current device: 0, in function %s at %s:%d\n", __func__, "sim_device.cc",
                 __LINE__);
  GGML_LOG_ERROR("  simulated error %d\n", static_cast<int>(code));
  GGML_ABORT("CUDA error");
}

}  // namespace headroom::worker
