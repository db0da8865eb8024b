// headroom bench: measures what runs here, on this machine.
#include "app/cli/bench.h"

#include "app/cli/command.h"
#include "app/cli/runs.h"
#include "app/cli/terminal.h"

namespace headroom::cli {

void AddBench(Parser app, Action& chosen) {
  Parser bench = app.Add("bench", "Measure models and voice detection on this machine.");
  bench.RequireCommand();

  const auto models = std::make_shared<BenchModelsOptions>();
  Parser of_models = bench.Add(
      "models",
      "Measure memory, speed and word errors of models, and show which are worth their memory.");
  of_models.AddOption("MODEL", models->models,
                      "NAME, NAME:QUANTISATION or a path; default: every installed model");
  of_models.AddOption("--clips", models->clips,
                      "Folder of audio files with transcripts: NAME.wav and NAME.txt");
  of_models.AddFlag("--published", models->published,
                    "Also plan the published models that are not installed");
  of_models.AddOption("-l,--language", models->language, "Language of the clips; default: en");
  of_models.AddOption("-t,--threads", models->threads, "Default: one per core").InRange(0, 256);
  of_models
      .AddOption("-n,--runs", models->runs,
                 "Runs per latency, of which the shortest counts; default: 2")
      .InRange(1, 20);
  of_models.AddOption("-f,--format", models->format, "Format of the result")
      .TypeName("text|json|html")
      .OneOf({"text", "json", "html"})
      .ShowDefault();
  of_models.AddOption("-o,--output", models->output,
                      "Write to this file instead of standard output");
  of_models.Footer("What is measured, and how: docs/bench.md.");
  of_models.OnChosen(Runs(chosen, models, BenchModels));

  const auto vad = std::make_shared<BenchVadOptions>();
  Parser of_vad = bench.Add("vad", "Measure the CPU time and memory of voice detection.");
  of_vad.AddOption("FILE", vad->files, "Audio files to analyse").Required();
  of_vad.AddFlag("--json", vad->json, "Print JSON");
  of_vad.Footer("Why it never needs a GPU: docs/audio.md.");
  of_vad.OnChosen(Runs(chosen, vad, BenchVad));
}

}  // namespace headroom::cli
