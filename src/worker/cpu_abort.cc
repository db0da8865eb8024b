#include "worker/cpu_abort.h"

#include <ggml-backend-impl.h>
#include <ggml-backend.h>
#include <ggml-cpu.h>

#include "base/check.h"
#include "worker/count_only.h"

namespace headroom::worker {
namespace {

const std::atomic<bool>* stop = nullptr;
ggml_backend_t (*make_backend)(ggml_backend_dev_t, const char*) = nullptr;
ggml_status (*compute)(ggml_backend_t, ggml_cgraph*) = nullptr;  // of every CPU backend

bool MustStop(void*) {
  return stop->load(std::memory_order_relaxed);
}

ggml_status Compute(ggml_backend_t backend, ggml_cgraph* graph) {
  return CountOnly::Now() ? GGML_STATUS_SUCCESS : compute(backend, graph);
}

ggml_backend_t MakeStoppable(ggml_backend_dev_t device, const char* parameters) {
  ggml_backend_t backend = make_backend(device, parameters);
  if (!backend) return nullptr;
  ggml_backend_cpu_set_abort_callback(backend, MustStop, nullptr);
  compute = backend->iface.graph_compute;
  backend->iface.graph_compute = Compute;
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
