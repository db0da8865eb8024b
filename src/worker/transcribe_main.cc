#include "worker/transcribe_main.h"

#include <fmt/format.h>
#include <transcribe.h>

#include <string_view>

#include "worker/engine_log.h"
#include "worker/record_profile.h"
#include "worker/serve.h"

namespace headroom::worker {
namespace {

int Record(Placement& placement) {
  EngineLog::Install();
  transcribe_init_backends_default();
  const auto place = placement.Open({});
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
  if (argc == 2 && std::string_view(argv[1]) == "--record-profile") return Record(*placement);
  if (argc > 1) {
    fmt::print(stderr, "{}: a supervisor starts this; the only option is --record-profile\n",
               argv[0]);
    return 2;
  }
  const auto engine = MakeTranscribeEngine(std::move(placement));
  return Serve(*engine, Fd(kChannelFd));
}

}  // namespace headroom::worker
