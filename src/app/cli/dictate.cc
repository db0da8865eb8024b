// headroom dictate: runs the service in this terminal and prints the text here.
#include <stdlib.h>
#include <sys/resource.h>

#include <algorithm>

#include "app/cli/command.h"
#include "app/cli/exit_code.h"
#include "app/cli/live_view.h"
#include "app/cli/runs.h"
#include "app/cli/terminal.h"
#include "app/daemon/service.h"
#include "audio/capture/devices.h"
#include "base/dirs.h"
#include "base/file.h"

namespace headroom::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::vector<std::string> files, fallback, settings, models;
  std::string language, device;
  bool fast = false;
};

/// A temporary state folder for played files; removed by the destructor.
class Scratch {
 public:
  static Result<Scratch> Make() {
    std::string path = (fs::temp_directory_path() / "headroom-dictate-XXXXXX").native();
    if (::mkdtemp(path.data()) == nullptr) return FailErrno(errno, "make {}", path);
    return Scratch(path);
  }
  explicit Scratch(fs::path path) : path_(std::move(path)) {}
  Scratch(Scratch&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  Scratch& operator=(Scratch&& other) noexcept {
    std::swap(path_, other.path_);
    return *this;
  }
  ~Scratch() {
    std::error_code none;
    if (!path_.empty()) fs::remove_all(path_, none);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

std::vector<std::string> FileNames(const std::vector<std::string>& paths) {
  std::vector<std::string> names;
  for (const fs::path path : paths) names.push_back(path.filename().string());
  return names;
}

std::string Quoted(const std::string& text) {
  return nlohmann::json(text).dump();
}

/// Whether there is a source other than the monitor of an output.
bool HaveMicrophone() {
  const auto devices = audio::ListDevices();
  return devices &&
         std::ranges::any_of(*devices, [](const audio::Device& one) { return !one.monitor; });
}

Result<int> Run(Options options) {
  const rlimit no_core{0, 0};  // spoken text is in memory
  ::setrlimit(RLIMIT_CORE, &no_core);
  if (options.files.empty() && !options.fallback.empty() && !HaveMicrophone()) {
    options.files = options.fallback;
    Note(fmt::format("no microphone found; playing {} instead",
                     fmt::join(FileNames(options.files), ", ")));
  }
  app::ServiceOptions service_options;
  service_options.config_file = app::ConfigPath();
  service_options.settings = {"speech.mode=hands_free", "output.targets=[]"};
  auto& settings = service_options.settings;
  if (!options.models.empty()) {
    std::string list;
    for (const std::string& model : options.models)
      list += (list.empty() ? "" : ",") + Quoted(model);
    settings.push_back("models.tiers=[" + list + "]");
  }
  if (!options.language.empty()) settings.push_back("speech.language=" + Quoted(options.language));
  if (!options.device.empty()) settings.push_back("audio.device=" + Quoted(options.device));
  Scratch scratch{fs::path()};
  service_options.state = StateDir();
  if (!options.files.empty()) {
    std::string list;
    for (const std::string& file : options.files) {
      std::error_code none;
      list += (list.empty() ? "" : ",") + Quoted(fs::absolute(file, none).native());
    }
    settings.push_back("audio.source=file");
    settings.push_back("audio.files=[" + list + "]");
    if (options.fast) settings.push_back("audio.real_time=false");
    settings.push_back("history.on=false");
    // Runs beside a running service and leaves no trace in its history.
    TRY_ASSIGN(scratch, Scratch::Make());
    service_options.state = scratch.path();
    service_options.control = service_options.recording = false;
    service_options.end_with_source = true;
  }
  settings.insert(settings.end(), options.settings.begin(), options.settings.end());

  LiveView view;
  service_options.also = [&view](const app::Event& event) { view.On(event); };
  CancelToken& stop = InterruptToken();
  TRY_ASSIGN(auto service, app::Service::Make(std::move(service_options)));
  if (options.files.empty()) Note("listening; press Ctrl-C to stop");
  service->Run(stop, [&] { view.Show(service->Status()); });
  service->Drain(Milliseconds(10'000));
  service.reset();
  view.Summary();
  return kOk;
}

}  // namespace

void AddDictate(Parser app, Action& chosen) {
  auto options = std::make_shared<Options>();
  Parser command = app.Add(
      "dictate", "Dictate in this terminal, from the microphone or, to try it, from files.");
  command.AddOption("files", options->files,
                    "Audio files to play in real time instead of the microphone");
  command.AddOption("-m,--model", options->models, "Model to use, best first (repeatable)")
      .OneValueEach();
  command.AddOption("-l,--language", options->language, "Spoken language");
  command.AddOption("--device", options->device, "Microphone, by name or description");
  command
      .AddOption("--fallback", options->fallback,
                 "Audio file to play when there is no microphone (repeatable)")
      .OneValueEach();
  command.AddFlag("--fast", options->fast, "Play files as fast as they are recognised");
  command.AddOption("--set", options->settings, "Override a setting (repeatable)").OneValueEach();
  command.OnChosen(Runs(chosen, [options] { return Run(*options); }));
}

}  // namespace headroom::cli
