// The worker's engine with a Canary model, for canary_test.py: canary_live MODEL. A line
// of JSON {audio, out, graphs, language, translate_to, unpunctuated} is one run; what went through
// the first `graphs` graphs of the engine is written to the folder `out`, and the answer is a line
// that says what is there. Without MODEL it is headroom-worker-cpu, and writes
// to the folder $CANARY_LIVE_OUT.
//
// The engine has no call for its tensors, so at link time (--wrap) its computing of a graph becomes
// computing it and copying the tensors that have these names.
#include <fmt/format.h>
#include <ggml-backend.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "asr/worker/engine.h"
#include "asr/worker/placement.h"
#include "asr/worker/transcribe_main.h"
#include "base/dirs.h"

namespace {

using nlohmann::json;

const char* const kInputs[] = {"mel.in", "dec.token_ids"};  // gone when all is computed
const char* const kOutputs[] = {"enc.final", "dec.logits"};
const char* const kParts[] = {"self_attn", "cross_attn", "ffn"};
constexpr int kLayers = 4;  // of the decoder, at most

struct Capture {
  std::string folder;
  int graphs = 0, most = 0;
  headroom::worker::Engine* engine = nullptr;  // stopped when there are enough of them
  json tensors = json::array();

  void TakeInputs(ggml_cgraph* graph) {
    for (const char* name : kInputs) Take(graph, name);
  }
  void TakeOutputs(ggml_cgraph* graph) {
    for (const char* name : kOutputs) Take(graph, name);
    for (int layer = 0; layer < kLayers; ++layer)
      for (const char* part : kParts)
        Take(graph, fmt::format("dec.layer.{}.{}.out", layer, part).c_str());
  }
  void Take(ggml_cgraph* graph, const char* name) {
    const ggml_tensor* tensor = ggml_graph_get_tensor(graph, name);
    if (!tensor || graphs >= most) return;
    std::vector<char> bytes(ggml_nbytes(tensor));
    ggml_backend_tensor_get(tensor, bytes.data(), 0, bytes.size());
    const std::string file = fmt::format("{}/{}-{}", folder, graphs, name);
    std::ofstream(file, std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    json shape = json::array();
    for (int i = ggml_n_dims(tensor); i-- > 0;) shape.push_back(tensor->ne[i]);
    tensors.push_back({{"graph", graphs},
                       {"name", name},
                       {"type", ggml_type_name(tensor->type)},
                       {"shape", shape},
                       {"file", file}});
  }
};

Capture* capture = nullptr;

std::vector<float> ReadAudio(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  std::vector<float> samples(bytes.size() / sizeof(float));
  std::copy_n(bytes.data(), samples.size() * sizeof(float),
              reinterpret_cast<char*>(samples.data()));
  return samples;
}

json OneRun(headroom::worker::Engine& engine, const json& asked) {
  headroom::speech::RecognitionOptions request;
  request.language = asked.value("language", "");
  request.translate_to = asked.value("translate_to", "");
  request.unpunctuated = asked.value("unpunctuated", false);
  Capture taken{.folder = asked.at("out"), .most = asked.value("graphs", 8)};
  capture = &taken;
  taken.engine = &engine;
  const auto result = engine.Run(request, ReadAudio(asked.at("audio")));
  capture = nullptr;
  json answer = {{"tensors", taken.tensors}};
  if (!result) answer["error"] = result.error().what;
  return answer;
}

}  // namespace

extern "C" {
ggml_status __real_ggml_backend_sched_graph_compute(ggml_backend_sched_t, ggml_cgraph*);
ggml_status __wrap_ggml_backend_sched_graph_compute(ggml_backend_sched_t scheduler,
                                                    ggml_cgraph* graph) {
  if (capture) capture->TakeInputs(graph);
  const ggml_status status = __real_ggml_backend_sched_graph_compute(scheduler, graph);
  if (capture) {
    capture->TakeOutputs(graph);
    if (++capture->graphs == capture->most && capture->engine) capture->engine->Cancel();
  }
  return status;
}
}

int main(int argc, char** argv) {
  using namespace headroom;
  if (argc == 1) {
    Capture taken{.folder = Environment("CANARY_LIVE_OUT"), .most = 3};
    capture = &taken;
    return worker::TranscribeMain(argc, argv, worker::MakeCpuPlacement());
  }
  if (argc != 2) return 2;
  const auto engine = worker::MakeTranscribeEngine(worker::MakeCpuPlacement());
  const auto traits = engine->Load({.path = argv[1], .threads = 1});
  if (!traits) {
    std::cerr << traits.error().what << "\n";
    return 1;
  }
  std::cout
      << json{{"languages", traits->languages}, {"translates_to", traits->translates_to}}.dump()
      << std::endl;
  for (std::string line; std::getline(std::cin, line);)
    std::cout << OneRun(*engine, json::parse(line)).dump() << std::endl;
}
