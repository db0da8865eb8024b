#include "asr/overrides/cpu_backend.h"

#include <ggml-backend-impl.h>
#include <ggml-backend.h>
#include <ggml-cpu.h>

#include <map>

#include "asr/overrides/count_only.h"
#include "base/check.h"

namespace headroom::worker {
namespace {

// In units of 131072 pauses of the CPU, some milliseconds: a decoder's next step comes
// sooner.
constexpr std::uint32_t kSpin = 1;

const std::atomic<bool>* stop = nullptr;
ggml_backend_t (*make_backend)(ggml_backend_dev_t, const char*) = nullptr;
ggml_status (*compute)(ggml_backend_t, ggml_cgraph*) = nullptr;  // of every CPU backend
ggml_threadpool* threads = nullptr;                              // null: new ones for every graph

bool MustStop(void*) {
  return stop->load(std::memory_order_relaxed);
}

ggml_status Compute(ggml_backend_t backend, ggml_cgraph* graph) {
  if (CountOnly::Now()) return GGML_STATUS_SUCCESS;
  if (threads) ggml_backend_cpu_set_threadpool(backend, threads);
  return compute(backend, graph);
}

ggml_backend_t Make(ggml_backend_dev_t device, const char* parameters) {
  ggml_backend_t backend = make_backend(device, parameters);
  if (!backend) return nullptr;
  ggml_backend_cpu_set_abort_callback(backend, MustStop, nullptr);
  compute = backend->iface.graph_compute;
  backend->iface.graph_compute = Compute;
  return backend;
}

}  // namespace

void InstallCpuBackend(const std::atomic<bool>* flag) {
  CHECK(stop == nullptr);
  stop = flag;
  ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
  CHECK(cpu != nullptr);
  make_backend = cpu->iface.init_backend;
  cpu->iface.init_backend = Make;
}

void KeepCpuThreads(int count) {
  // Never freed: a backend remembers the last ones it was given.
  static std::map<int, ggml_threadpool*> made;
  ggml_threadpool*& wanted = made[count];
  if (!wanted && count > 1) {
    ggml_threadpool_params parameters = ggml_threadpool_params_default(count);
    parameters.poll = kSpin;
    wanted = ggml_threadpool_new(&parameters);
  }
  threads = wanted;
}

}  // namespace headroom::worker
