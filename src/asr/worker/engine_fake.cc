// A scripted engine for tests of what supervises a worker. The "path" that is loaded is the
// script, words separated by spaces:
//
//   slow=MS       every run takes this long; Cancel ends it early
//   deaf          runs ignore Cancel
//   load-slow=MS  loading takes this long
//   fail-load     loading fails with kCorrupt
//   abort         a run ends the process as ggml does, with last words
//   abort-if=FILE the same, if there is such a file, which is then removed
//   exit=N        a run ends the process with that code
//   hang          a run never ends
//   truncated     results are marked as truncated
//   reads         the text is, for each 100 ms, a thousand times its first sample
//   long=N        the text is N bytes long
//   english       the model knows only English
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "asr/worker/engine.h"
#include "audio/format/format.h"
#include "base/text.h"

namespace headroom::worker {
namespace {

class FakeEngine : public Engine {
 public:
  std::string Backend() const override { return "fake"; }
  std::string Version() const override { return "fake 1"; }

  Result<asr::ModelTraits> Load(const asr::LoadRequest& request) override {
    script_ = Split(request.path, ' ');
    Sleep(Number("load-slow"), nullptr);
    if (Has("fail-load")) return Fail(Errc::kCorrupt, "not a model");
    asr::ModelTraits traits;
    traits.architecture = "fake";
    traits.variant = "fake";
    traits.languages =
        Has("english") ? std::vector<std::string>{"en"} : std::vector<std::string>{"en", "de"};
    traits.segment_times = traits.word_times = true;
    return traits;
  }

  Result<asr::RunResult> Run(const speech::RecognitionOptions& options,
                             std::span<const float> samples) override {
    stop_ = false;
    if (Has("abort") || (Has("abort-if") && ::unlink(Text("abort-if").c_str()) == 0)) {
      std::fputs("ggml: some warning\nCUDA error: unspecified launch failure\n", stderr);
      std::abort();
    }
    if (Has("exit")) ::_exit(Number("exit"));
    while (Has("hang")) ::pause();
    Sleep(Number("slow"), Has("deaf") ? nullptr : &stop_);
    if (stop_) return Fail(Errc::kCancelled, "cancelled");
    asr::RunResult result;
    const auto duration = audio::DurationOf(static_cast<std::int64_t>(samples.size()));
    std::string text = fmt::format("{} samples in {}", samples.size(), options.language);
    if (Has("reads")) {
      text.clear();
      for (std::size_t at = 0; at < samples.size(); at += 1600)
        text += fmt::format("{}{}", text.empty() ? "" : " ", std::lround(samples[at] * 1000));
    }
    if (const int length = Number("long"))
      text = std::string(static_cast<std::size_t>(length), 'x');
    result.transcript.language = options.language;
    result.transcript.segments = {{Milliseconds(0), duration, text, {}}};
    result.truncated = Has("truncated");
    return result;
  }

  void Cancel() override { stop_ = true; }

 private:
  bool Has(std::string_view word) const {
    for (const std::string& entry : script_) {
      if (entry.substr(0, entry.find('=')) == word) return true;
    }
    return false;
  }
  std::string Text(std::string_view word) const {
    for (const std::string& entry : script_) {
      const std::size_t equals = entry.find('=');
      if (equals != std::string::npos && entry.substr(0, equals) == word)
        return entry.substr(equals + 1);
    }
    return "";
  }
  int Number(std::string_view word) const { return std::atoi(Text(word).c_str()); }
  static void Sleep(int ms, const std::atomic<bool>* until) {
    for (int slept = 0; slept < ms && !(until && *until); ++slept)
      std::this_thread::sleep_for(Milliseconds(1));
  }

  std::vector<std::string> script_;
  std::atomic<bool> stop_{false};
};

}  // namespace

std::unique_ptr<Engine> MakeFakeEngine() {
  return std::make_unique<FakeEngine>();
}

}  // namespace headroom::worker
