// headroom transcribe FILE…
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "app/cli/command.h"
#include "app/cli/daemon_client.h"
#include "app/cli/daemon_recognizer.h"
#include "app/cli/exit_code.h"
#include "app/cli/runs.h"
#include "app/cli/terminal.h"
#include "asr/client/file_transcription.h"
#include "asr/client/recognizer.h"
#include "asr/planner/cpu_order.h"
#include "base/cancel.h"
#include "base/dirs.h"
#include "base/file.h"
#include "base/text.h"
#include "models/store/store.h"

namespace headroom::cli {
namespace {

namespace fs = std::filesystem;
using speech::TranscriptFormat;

struct Options {
  std::vector<std::string> files;
  std::string model, format = "text", language, translate_to, vocabulary, prompt, output, worker;
  std::string socket;
  bool words = false, translate = false, unpunctuated = false, alone = false;
  int threads = 0;
};

constexpr Milliseconds kStatusWithin{3'000};

// "de-DE", "de_DE.UTF-8" and "DE" all become "de"; names such as "German" are not looked up.
std::string LanguageCode(const std::string& given) {
  std::string code = given.substr(0, given.find_first_of("-_."));
  std::transform(code.begin(), code.end(), code.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return code == "auto" ? "" : code;
}

// Reads a file with one entry per line, or a comma-separated list.
Result<std::vector<std::string>> ReadVocabulary(const std::string& given) {
  std::string text = given;
  char separator = ',';
  if (std::error_code none; fs::is_regular_file(given, none)) {
    TRY_ASSIGN(text, ReadFile(given, MiB(1)));
    separator = '\n';
  }
  std::vector<std::string> words;
  for (const std::string& entry : Split(text, separator)) {
    const std::string word = Printable(Trim(entry));
    if (!word.empty()) words.push_back(word);
  }
  return words;
}

class Command {
 public:
  explicit Command(const Options& options) : options_(options) {}

  Result<int> Run() {
    TRY_ASSIGN(format_, speech::ParseTranscriptFormat(options_.format));
    TRY(CheckOutput());
    TRY_ASSIGN(const fs::path vad, models::ResolveVad());
    TRY_ASSIGN(request_.vocabulary, ReadVocabulary(options_.vocabulary));
    request_.prompt = options_.prompt;
    request_.language = LanguageCode(options_.language);
    request_.translate_to = options_.translate ? "en" : LanguageCode(options_.translate_to);
    request_.unpunctuated = options_.unpunctuated;
    TRY_ASSIGN(detector_, speech::VoiceDetector::Load(vad));
    TRY(ChooseRecognizer());

    int code = kOk;
    for (const std::string& file : options_.files) {
      auto outcome = One(file);
      int this_code = kOk;
      if (!outcome && outcome.error().code == Errc::kCancelled) {
        Note("interrupted; the text recognised so far was written");
        return kInterrupted;
      }
      if (!outcome) this_code = Complain(outcome.error());
      if (outcome && !outcome->complete) this_code = kIncomplete;
      if (code == kOk) code = this_code;
      if (fatal_) return code;
    }
    return code;
  }

 private:
  Result<asr::FileOutcome> One(const std::string& file) {
    TRY_ASSIGN(const auto media, audio::MediaReader::Open(file, &InterruptToken()));
    TRY(Prepare());
    TRY_ASSIGN(speech::TextSink sink, OpenSink(file));
    const auto writer = speech::MakeTranscriptWriter(format_, std::move(sink));
    progress_.emplace(file == "-" ? "standard input" : fs::path(file).filename().string());
    const MonoTime begin = SystemClock().Now();
    asr::FileJob job{.name = file, .options = request_, .on_progress = {}};
    job.on_progress = [this, begin](const asr::FileProgress& progress) { Show(progress, begin); };
    detector_->Reset();
    auto outcome =
        asr::TranscribeFile(job, *media, *detector_, *recognizer_, *writer, &InterruptToken());
    progress_.reset();
    if (outcome) {
      for (const std::string& warning : outcome->warnings) Note(file + ": " + warning);
    }
    return outcome;
  }

  // Uses the running service's model unless the options ask for another.
  Result<> ChooseRecognizer() {
    const bool may_share = !options_.alone && options_.model.empty() && options_.threads == 0;
    if (may_share) {
      const net::ControlClient daemon = Daemon(options_.socket);
      const auto status = daemon.Ask("GET", "/v1/status", nullptr, kStatusWithin);
      if (status && status->value("version", "") == HEADROOM_VERSION) {
        const std::string tier = status->value("tier", "");
        Note(fmt::format("using the running service{}; --alone starts a separate worker",
                         tier.empty() ? "" : ", " + tier));
        recognizer_ = std::make_unique<DaemonRecognizer>(daemon, [this](const std::string& line) {
          if (progress_) progress_->Clear();
          Note(line);
        });
        return {};
      }
      if (!options_.socket.empty() && !status) return Fail(Error(status.error()));
    }
    TRY_ASSIGN(const fs::path model, options_.model.empty()
                                         ? models::ResolveDefault(planner::FastestOnCpu())
                                         : models::Resolve(options_.model));
    model_name_ = model.stem();
    auto own = std::make_unique<asr::Recognizer>(
        asr::WorkerOptions{.program = options_.worker},
        asr::LoadRequest{.path = fs::absolute(model), .threads = options_.threads});
    own_ = own.get();
    recognizer_ = std::move(own);
    return {};
  }

  // Loads the model when the first readable file is open, and checks the options against it.
  Result<> Prepare() {
    if (prepared_) return {};
    if (!own_) {  // the service knows which of its tiers can do this
      request_.word_times = options_.words;
      request_.segment_times = format_ != TranscriptFormat::kText;
      prepared_ = true;
      return {};
    }
    fatal_ = true;  // a failure from here on affects every file
    TRY(own_->Start(&InterruptToken()));
    const asr::ModelTraits& traits = own_->traits();
    TRY(ChooseLanguage(traits));
    TRY(CheckTranslation(traits));
    if (request_.unpunctuated && !traits.punctuation)
      Note(model_name_ +
           " always punctuates; ignoring --no-punctuation (canary models support it)");
    if (!request_.vocabulary.empty() && !traits.vocabulary) {
      Note(model_name_ + " does not support a vocabulary; ignoring --vocabulary");
      request_.vocabulary.clear();
    }
    if (!request_.prompt.empty() && !traits.prompt) {
      Note(model_name_ + " does not support a prompt; ignoring --prompt");
      request_.prompt.clear();
    }
    if (options_.words && !traits.word_times)
      Note(model_name_ + " has no word times; ignoring --words (parakeet models have them)");
    request_.word_times = options_.words && traits.word_times;
    // Plain text needs no times: without them the model writes fewer tokens and has its published
    // accuracy.
    request_.segment_times = traits.segment_times && format_ != TranscriptFormat::kText;
    fatal_ = false;
    prepared_ = true;
    return {};
  }

  Result<> CheckTranslation(const asr::ModelTraits& traits) const {
    const std::string& to = request_.translate_to;
    if (to.empty() || to == request_.language) return {};
    if (traits.translates_to.empty())
      return Fail(Errc::kUnsupported, "{} cannot translate; whisper-base can", model_name_);
    if (std::ranges::find(traits.translates_to, to) != traits.translates_to.end()) return {};
    return Fail(Errc::kUnsupported, "{} cannot translate into \"{}\"; it supports {}", model_name_,
                to, fmt::join(traits.translates_to, ", "));
  }

  Result<> ChooseLanguage(const asr::ModelTraits& traits) {
    const auto& known = traits.languages;
    const auto knows = [&](const std::string& code) {
      return std::find(known.begin(), known.end(), code) != known.end();
    };
    if (!request_.language.empty()) {
      if (known.empty() || knows(request_.language)) return {};
      std::string list;
      for (const std::string& code : known) list += (list.empty() ? "" : ", ") + code;
      return Fail(Errc::kUnsupported, "{} does not know the language \"{}\"; it knows {}",
                  model_name_, request_.language, list);
    }
    if (traits.detects_language || known.size() <= 1) return {};
    // The model needs a language: the user's own if it knows that, else English.
    const std::string own = LanguageCode(Environment("LANG"));
    request_.language = knows(own) ? own : "en";
    Note(fmt::format("{} cannot detect the language; assuming \"{}\" (--language CODE overrides)",
                     model_name_, request_.language));
    return {};
  }

  Result<> CheckOutput() {
    std::error_code none;
    folder_ = !options_.output.empty() &&
              (options_.output.ends_with('/') || fs::is_directory(options_.output, none));
    if (options_.files.size() > 1 && !options_.output.empty() && !folder_)
      return Fail(Errc::kInvalid, "--output {}: several files need a folder; use {}/",
                  options_.output, options_.output);
    if (options_.files.size() > 1 && options_.output.empty() &&
        (format_ == TranscriptFormat::kSrt || format_ == TranscriptFormat::kVtt ||
         format_ == TranscriptFormat::kTsv))
      return Fail(Errc::kInvalid,
                  "{} of several files cannot share one output; use --output FOLDER/",
                  options_.format);
    return {};
  }

  Result<speech::TextSink> OpenSink(const std::string& file) {
    int fd = STDOUT_FILENO;
    if (!options_.output.empty()) {
      fs::path path = options_.output;
      if (folder_) {
        TRY(MakeDirectories(path));
        const std::string name = file == "-" ? "stdin" : fs::path(file).filename().string();
        path /= name + "." + std::string(speech::Extension(format_));
      }
      TRY_ASSIGN(output_, Open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666));
      fd = output_.get();
    } else if (options_.files.size() > 1 && format_ == TranscriptFormat::kText) {
      TRY(WriteAll(fd, fmt::format("{}==> {} <==\n", first_ ? "" : "\n", Printable(file))));
    }
    first_ = false;
    const std::string where = options_.output.empty() ? "standard output" : options_.output;
    return [this, fd, where](std::string_view text) -> Result<> {
      if (progress_) progress_->Clear();
      auto written = WriteAll(fd, text);
      if (!written) return Within(written, "{}", where);
      return {};
    };
  }

  void Show(const asr::FileProgress& progress, MonoTime begin) {
    const auto clock = [](Milliseconds t) {
      const auto s = t.count() / 1000;
      return s >= 3600 ? fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
                       : fmt::format("{}:{:02}", s / 60, s % 60);
    };
    const double elapsed = std::chrono::duration<double>(SystemClock().Now() - begin).count();
    const double done = std::chrono::duration<double>(progress.done).count();
    const std::string speed = elapsed > 0.5 ? fmt::format(", {:.1f}x", done / elapsed) : "";
    std::optional<double> fraction;
    std::string detail = clock(progress.done);
    if (progress.total && progress.total->count() > 0) {
      fraction = done / std::chrono::duration<double>(*progress.total).count();
      detail += " of " + clock(*progress.total);
    }
    progress_->Show(fraction, detail + speed);
  }

  const Options& options_;
  TranscriptFormat format_ = TranscriptFormat::kText;
  std::string model_name_;
  speech::RecognitionOptions request_;
  std::unique_ptr<speech::VoiceDetector> detector_;
  std::unique_ptr<asr::ChunkRecognizer> recognizer_;
  asr::Recognizer* own_ = nullptr;  // recognizer_, when it is not the service's
  std::optional<Progress> progress_;
  Fd output_;
  bool folder_ = false;    // --output names a folder
  bool first_ = true;      // no file was written yet
  bool prepared_ = false;  // the model is loaded and the options fit it
  bool fatal_ = false;     // the last error was not about one file
};

}  // namespace

void AddTranscribe(Parser app, Action& chosen) {
  const auto options = std::make_shared<Options>();
  options->worker = "headroom-worker-cpu";
  Parser command = app.Add(
      "transcribe",
      "Turn audio files into text. Reads any format that FFmpeg reads; - is standard input.");
  command.AddOption("FILE", options->files, "Audio or video files").Required();
  command.AddOption("-m,--model", options->model,
                    "Name (whisper-base, whisper-base:Q8_0; see 'headroom models list') or path; "
                    "default: the running service's, else whisper-base if installed, else "
                    "whisper-tiny.en");
  command.AddOption("-f,--format", options->format, "Format of the text")
      .TypeName("text|json|srt|vtt|tsv")
      .ShowDefault();
  command.AddOption("-l,--language", options->language,
                    "Spoken language, e.g. de; default: detected where the model can");
  Option translate = command.AddFlag("--translate", options->translate,
                                     "Translate into English, where the model can");
  command
      .AddOption("--translate-to", options->translate_to,
                 "Translate into this language, e.g. de, where the model can (Canary)")
      .Excludes(translate);
  command.AddFlag("--no-punctuation", options->unpunctuated,
                  "Write lower case without punctuation, where the model can (Canary)");
  command.AddFlag("--words", options->words, "Add word times to JSON, where the model has them");
  command.AddOption(
      "--vocabulary", options->vocabulary,
      "Names and terms to expect: a comma-separated list, or a file with one per line");
  command.AddOption("--prompt", options->prompt, "Text that precedes the audio");
  command.AddOption("-o,--output", options->output,
                    "File to write, or a folder (ending in /) for one text per audio file");
  command.AddOption("-t,--threads", options->threads, "Default: one per core").InRange(0, 256);
  command.AddFlag("--alone", options->alone,
                  "Use a separate worker even when the service is running; --model and --threads "
                  "imply this");
  AddSocketOption(command, options->socket);
  command.OnChosen(Runs(chosen, [options] {
    InterruptToken();
    return Command(*options).Run();
  }));
}

}  // namespace headroom::cli
