#include "asr/worker/transcribe_main.h"

#include <fmt/format.h>
#include <malloc.h>
#include <transcribe.h>
#include <nlohmann/json.hpp>

#include <string_view>

#include "asr/worker/engine_log.h"
#include "asr/worker/record_profile.h"
#include "asr/worker/serve.h"

namespace headroom::worker {
namespace {

constexpr int kOwnPages = 1 << 20;  // blocks from here on are given back when they are freed

int ListDevices(const Placement& placement) {
  nlohmann::json list = nlohmann::json::array();
  for (ggml_backend_dev_t device : placement.Devices()) {
    ggml_backend_dev_props of{};
    ggml_backend_dev_get_props(device, &of);
    list.push_back({{"name", of.name},
                    {"description", of.description},
                    {"pci", of.device_id != nullptr ? of.device_id : ""},
                    {"unified", of.type == GGML_BACKEND_DEVICE_TYPE_IGPU},
                    {"total", of.memory_total},
                    {"free", of.memory_free}});
  }
  fmt::print("{}\n", list.dump());
  return 0;
}

int Record(Placement& placement, const char* name) {
  const auto place = placement.Open({.device = name});
  if (!place) {
    fmt::print(stderr, "{}\n", place.error().what);
    return 1;
  }
  ggml_backend_dev_t device =
      place->device ? place->device : ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
  fmt::print("{}", ToText(RecordProfile(device)));
  return 0;
}

}  // namespace

int TranscribeMain(int argc, char** argv, std::unique_ptr<Placement> placement) {
  // glibc raises this with every large block that is freed, until the engine's scratch lies in the
  // heap, which keeps it in pieces: 30 to 40 MiB beyond any plan.
  ::mallopt(M_MMAP_THRESHOLD, kOwnPages);
  const std::string_view option = argc >= 2 ? argv[1] : "";
  const bool record = option == "--record-profile" && argc <= 3;
  if (record || (option == "--devices" && argc == 2)) {
    EngineLog::Install();
    transcribe_init_backends_default();
    return record ? Record(*placement, argc == 3 ? argv[2] : "") : ListDevices(*placement);
  }
  if (argc > 1) {
    fmt::print(stderr,
               "{}: a supervisor starts this; by hand: --devices, --record-profile [DEVICE]\n",
               argv[0]);
    return 2;
  }
  const auto engine = MakeTranscribeEngine(std::move(placement));
  return Serve(*engine, Fd(kChannelFd));
}

}  // namespace headroom::worker
