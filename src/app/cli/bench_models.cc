// headroom bench models: measures one model after the other, each in its own worker.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "app/cli/bench.h"
#include "app/cli/terminal.h"
#include "app/evaluation/measured.h"
#include "app/evaluation/word_errors.h"
#include "asr/client/worker.h"
#include "asr/planner/plan_maker.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

namespace headroom::cli {
namespace {

namespace fs = std::filesystem;
using evaluation::Measured;
using planner::PlanTarget;

constexpr Milliseconds kLongestClip{30'000};
constexpr std::array<Milliseconds, 4> kLengths = {Milliseconds(3000), Milliseconds(7000),
                                                  Milliseconds(15'000), Milliseconds(30'000)};
constexpr Milliseconds kStatsWithin{10'000};

struct Clip {
  std::string name, text;
  std::vector<float> samples;
};

double Since(MonoTime began) {
  return std::chrono::duration<double>(SystemClock().Now() - began).count();
}

double SecondsOf(std::size_t samples) {
  return static_cast<double>(samples) / audio::kSampleRate;
}

Result<std::vector<Clip>> ReadClips(const std::string& folder) {
  std::vector<fs::path> paths;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(folder, failed))
    if (entry.path().extension() == ".wav") paths.push_back(entry.path());
  if (failed) return Fail(Errc::kNotFound, "--clips {}: {}", folder, failed.message());
  std::ranges::sort(paths);
  std::vector<Clip> clips;
  for (const fs::path& path : paths) {
    fs::path text = path;
    text.replace_extension(".txt");
    if (!fs::exists(text)) {
      Note(fmt::format("{}: skipped, {} not found", path.string(), text.filename().string()));
      continue;
    }
    Clip clip{.name = path.stem(), .text = {}, .samples = {}};
    TRY_ASSIGN(clip.text, ReadFile(text, KiB(64)));
    TRY_ASSIGN(clip.samples, ReadSound(path, kLongestClip));
    if (!clip.samples.empty()) clips.push_back(std::move(clip));
  }
  if (clips.empty())
    return Fail(Errc::kNotFound, "--clips {}: no NAME.wav with a NAME.txt found", folder);
  return clips;
}

// Concatenates the clips, repeated until `length` is reached.
std::vector<float> Speech(const std::vector<Clip>& clips, Milliseconds length) {
  const auto wanted = static_cast<std::size_t>(length.count()) * audio::kSampleRate / 1000;
  std::vector<float> samples;
  for (std::size_t i = 0; samples.size() < wanted; i = (i + 1) % clips.size())
    samples.insert(samples.end(), clips[i].samples.begin(), clips[i].samples.end());
  samples.resize(wanted);
  return samples;
}

class Bench {
 public:
  Bench(const BenchModelsOptions& options, std::vector<Clip> clips)
      : options_(options), clips_(std::move(clips)) {}

  Result<int> Run() {
    TRY_ASSIGN(store_, models::Store::Open());
    TRY_ASSIGN(auto maker,
               planner::PlanMaker::Make(
                   {.chunks = {kLongestClip}, .chunk = kLongestClip, .gpu = GiB(64), .cpu = true}));
    TRY_ASSIGN(const std::vector<PlanTarget> targets, Targets());
    std::vector<Measured> rows;
    std::size_t failed = 0;
    {
      Progress progress("bench");
      for (const PlanTarget& target : targets) {
        progress.Show(static_cast<double>(rows.size()) / static_cast<double>(targets.size()),
                      target.spec.name + " " + target.spec.quantisation);
        rows.push_back(Plan(maker, target));
        if (target.source != planner::PlanSource::kFile) continue;
        if (auto measured = Measure(target, rows.back()); !measured) {
          if (measured.error().code == Errc::kCancelled) return Fail(measured.error());
          rows.back().error = measured.error().what;
          ++failed;
        }
      }
    }
    TRY(Write(rows));
    if (failed > 0 && failed == rows.size()) return Fail(Errc::kInvalid, "{}", rows[0].error);
    return failed > 0 ? kIncomplete : kOk;
  }

 private:
  Result<std::vector<PlanTarget>> Targets() const {
    std::vector<PlanTarget> targets;
    for (const std::string& model : options_.models) {
      TRY_ASSIGN(targets.emplace_back(), planner::FindPlanTarget(*store_, model));
    }
    for (PlanTarget& target : planner::AllPlanTargets(*store_)) {
      const bool here = target.source == planner::PlanSource::kFile;
      const models::Model* model = store_->catalogue().Find(target.spec.name);
      const bool usual = model && model->default_quantisation == target.spec.quantisation;
      if (here ? options_.models.empty() : options_.published && usual)
        targets.push_back(std::move(target));
    }
    if (targets.empty())
      return Fail(Errc::kNotFound, "no model is installed; run: headroom models pull whisper-base");
    return targets;
  }

  Measured Plan(const planner::PlanMaker& maker, const PlanTarget& target) const {
    Measured row;
    row.model = target.spec.name;
    row.quantisation = target.spec.quantisation;
    row.size = target.size;
    if (const auto made = maker.Plan(target))
      row.plan = planner::OnCpu(made->plan, made->counted).HostPeak(kLongestClip);
    const models::Model* model = store_->catalogue().Find(target.spec.name);
    const models::PublishedFile* file = model ? model->FileFor(target.spec.quantisation) : nullptr;
    if (file && file->wer_percent) {
      row.wer = file->wer_percent;
      row.published = true;
    }
    return row;
  }

  Result<> Measure(const PlanTarget& target, Measured& row) {
    const MonoTime began = SystemClock().Now();
    TRY_ASSIGN(const auto worker, asr::Worker::Spawn({}));
    const asr::LoadRequest load{.path = fs::absolute(target.file), .threads = options_.threads};
    TRY(worker->Load(load, asr::LoadDeadline(target.file), &InterruptToken()));
    row.load_seconds = Since(began);
    if (!clips_.empty()) {
      TRY(Transcribe(*worker, Speech(clips_, kLengths[0])));  // memory and caches are warm now
      TRY(MeasureLatencies(*worker, row));
      TRY(MeasureErrors(*worker, row));
    }
    TRY_ASSIGN(const asr::WorkerStats stats, worker->Stats(kStatsWithin));
    row.peak = stats.peak_rss;
    TRY(worker->Stop(kStatsWithin));
    return {};
  }

  Result<std::string> Transcribe(asr::Worker& worker, std::span<const float> samples) const {
    speech::RecognitionOptions request;
    request.language = options_.language;
    const auto audio = Milliseconds(static_cast<std::int64_t>(1000 * SecondsOf(samples.size())));
    TRY_ASSIGN(const asr::RunResult result,
               worker.Run(request, samples, asr::RunDeadline(audio, kSlowest), &InterruptToken()));
    std::string text;
    for (const auto& segment : result.transcript.segments) text += segment.text + " ";
    return text;
  }

  Result<> MeasureLatencies(asr::Worker& worker, Measured& row) const {
    for (const Milliseconds length : kLengths) {
      const std::vector<float> speech = Speech(clips_, length);
      std::optional<double> least;
      for (int i = 0; i < options_.runs; ++i) {
        const MonoTime began = SystemClock().Now();
        TRY(Transcribe(worker, speech));
        least = std::min(least.value_or(Since(began)), Since(began));
      }
      row.latencies.push_back({length, *least});
    }
    return {};
  }

  Result<> MeasureErrors(asr::Worker& worker, Measured& row) const {
    evaluation::WordErrors errors;
    double taken = 0, audio = 0;
    for (const Clip& clip : clips_) {
      const MonoTime began = SystemClock().Now();
      TRY_ASSIGN(const std::string text, Transcribe(worker, clip.samples));
      taken += Since(began);
      audio += SecondsOf(clip.samples.size());
      errors += evaluation::CompareWords(clip.text, text);
    }
    row.rate = taken / audio;
    row.wer = errors.percent();
    row.published = false;
    return {};
  }

  Result<> Write(const std::vector<Measured>& rows) const {
    evaluation::Conditions run{.clips = clips_.size(),
                               .threads = options_.threads,
                               .longest = kLongestClip,
                               .wer_source = store_->catalogue().wer_source};
    if (run.threads == 0) run.threads = static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN));
    for (const Clip& clip : clips_) {
      run.words += evaluation::SpokenWords(clip.text).size();
      run.seconds += SecondsOf(clip.samples.size());
    }
    const std::string text = options_.format == "json"   ? ShowJson(rows, run).dump(2) + "\n"
                             : options_.format == "html" ? ShowPage(rows, run)
                                                         : ShowText(rows, run);
    if (options_.output.empty()) return WriteAll(STDOUT_FILENO, text);
    return WriteFileAtomic(options_.output, text);
  }

  static constexpr double kSlowest = 10;  // seconds of computing for one of audio

  const BenchModelsOptions& options_;
  const std::vector<Clip> clips_;
  std::optional<models::Store> store_;
};

}  // namespace

Result<int> BenchModels(const BenchModelsOptions& options) {
  std::vector<Clip> clips;
  if (options.clips.empty()) {
    Note("without --clips, only loading is measured and word errors are the published ones");
  } else {
    TRY_ASSIGN(clips, ReadClips(options.clips));
  }
  return Bench(options, std::move(clips)).Run();
}

}  // namespace headroom::cli
