#include "worker/cpu_abort.h"

#include <ggml-backend-impl.h>
#include <ggml-backend.h>
#include <ggml-cpu.h>

#include "base/check.h"

namespace headroom::worker {
namespace {

const std::atomic<bool>* stop = nullptr;
ggml_backend_t (*make_backend)(ggml_backend_dev_t, const char*) = nullptr;

bool MustStop(void*) {
  return stop->load(std::memory_order_relaxed);
}

ggml_backend_t MakeStoppable(ggml_backend_dev_t device, const char* parameters) {
  ggml_backend_t backend = make_backend(device, parameters);
  if (backend) ggml_backend_cpu_set_abort_callback(backend, MustStop, nullptr);
  return backend;
}

}  // namespace

void InstallCpuAbort(const std::atomic<bool>* flag) {
  CHECK(stop == nullptr);
  stop = flag;
  ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
  CHECK(cpu != nullptr);
  make_backend = cpu->iface.init_backend;
  cpu->iface.init_backend = MakeStoppable;
}

}  // namespace headroom::worker
