// headroom bench: measures what runs here, on this machine.
#include "app/cli/bench.h"

#include "app/cli/command.h"
#include "app/cli/terminal.h"

namespace headroom::cli {

void AddBench(CLI::App& app, Action& chosen) {
  CLI::App* bench =
      app.add_subcommand("bench", "Measure models and voice detection on this machine.");
  bench->require_subcommand(1);

  const auto models = std::make_shared<BenchModelsOptions>();
  CLI::App* of_models = bench->add_subcommand(
      "models",
      "Measure memory, speed and word errors of models, and show which are worth their memory.");
  of_models->add_option("MODEL", models->models,
                        "NAME, NAME:QUANTISATION or a path; default: every installed model");
  of_models->add_option("--clips", models->clips,
                        "Folder of audio files with transcripts: NAME.wav and NAME.txt");
  of_models->add_flag("--published", models->published,
                      "Also plan the published models that are not installed");
  of_models->add_option("-l,--language", models->language, "Language of the clips; default: en");
  of_models->add_option("-t,--threads", models->threads, "Default: one per core")
      ->check(CLI::Range(0, 256));
  of_models
      ->add_option("-n,--runs", models->runs,
                   "Runs per latency, of which the shortest counts; default: 2")
      ->check(CLI::Range(1, 20));
  of_models->add_option("-f,--format", models->format, "Format of the result")
      ->type_name("text|json|html")
      ->check(CLI::IsMember({"text", "json", "html"}))
      ->capture_default_str();
  of_models->add_option("-o,--output", models->output,
                        "Write to this file instead of standard output");
  of_models->footer("What is measured, and how: docs/bench.md.");
  of_models->callback([models, &chosen] {
    chosen = [models] {
      const Result<int> code = BenchModels(*models);
      return code ? *code : Complain(code.error());
    };
  });

  const auto vad = std::make_shared<BenchVadOptions>();
  CLI::App* of_vad =
      bench->add_subcommand("vad", "Measure the CPU time and memory of voice detection.");
  of_vad->add_option("FILE", vad->files, "Audio files to analyse")->required();
  of_vad->add_flag("--json", vad->json, "Print JSON");
  of_vad->footer("Why it never needs a GPU: docs/audio.md.");
  of_vad->callback([vad, &chosen] {
    chosen = [vad] {
      const Result<int> code = BenchVad(*vad);
      return code ? *code : Complain(code.error());
    };
  });
}

}  // namespace headroom::cli
