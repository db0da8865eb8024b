// headroom top [TARGET]: a live view, from a flight record or from its own samples.
#include <poll.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "app/cli/command.h"
#include "app/cli/screen.h"
#include "app/cli/terminal.h"
#include "base/duration.h"
#include "observe/probe/device_probe.h"
#include "observe/record/reader.h"
#include "observe/watch/top.h"

namespace headroom::cli {
namespace {

constexpr Milliseconds kHistory{600'000}, kFresh{30'000};

struct Options {
  std::string target, record, gpu = "all", interval = "1s", format = "text";
  bool once = false;
};

/// A source of samples.
class Feed {
 public:
  virtual ~Feed() = default;
  virtual void Fill(watch::TopModel& model) = 0;
};

class LiveFeed : public Feed {
 public:
  explicit LiveFeed(watch::WatchOptions of) : devices_({}), watcher_(std::move(of), devices_) {}
  void Fill(watch::TopModel& model) override {
    watch::Observation seen = watcher_.Look();
    for (const record::GpuName& gpu : seen.gpus) model.Know(gpu);
    for (record::Event& event : seen.events) model.Note(std::move(event));
    model.Owners(std::move(seen.owners));
    model.Add(std::move(seen.sample));
  }

 private:
  probe::DeviceProbe devices_;
  watch::Watcher watcher_;
};

class RecordFeed : public Feed {
 public:
  explicit RecordFeed(std::unique_ptr<record::Reader> reader) : reader_(std::move(reader)) {}
  void Fill(watch::TopModel& model) override {
    for (auto entry = reader_->Next(); entry; entry = reader_->Next()) {
      if (auto* sample = std::get_if<record::Sample>(&entry->what))
        model.Add(std::move(*sample));
      else
        model.Note(std::move(std::get<record::Event>(entry->what)));
    }
    for (const auto& [pci, gpu] : reader_->gpus()) model.Know(gpu);
  }

 private:
  std::unique_ptr<record::Reader> reader_;
};

// Whether a process is writing this record now.
bool Running(const std::filesystem::path& path) {
  const WallTime now = SystemClock().WallNow();
  auto reader = record::Reader::Open({path}, {.from = now - kFresh, .to = {}, .holds = false});
  return reader && (*reader)->Next();
}

Result<> Top(const Options& options) {
  TRY_ASSIGN(const Milliseconds interval, ParseDuration(options.interval));
  if (interval < Milliseconds(100))
    return Fail(Errc::kInvalid, "--interval: must be at least 100ms");
  TRY_ASSIGN(const watch::Target target, watch::ParseTarget(options.target));
  std::filesystem::path path = options.record;
  if (path.empty() && options.target.empty() && Running(record::DefaultPath()))
    path = record::DefaultPath();
  if (!path.empty() && !options.target.empty())
    return Fail(Errc::kInvalid, "give either TARGET, for a live view, or --record, for a file");

  std::unique_ptr<Feed> feed;
  std::string title = options.target.empty() ? "this machine" : options.target;
  if (!path.empty()) {
    // Shows the end of a record that is no longer written.
    record::ReadOptions range{.from = {}, .to = {}, .holds = false};
    if (Running(path)) range.from = SystemClock().WallNow() - kHistory;
    TRY_ASSIGN(auto reader, record::Reader::Open({path}, range));
    feed = std::make_unique<RecordFeed>(std::move(reader));
    title = path.string();
  } else {
    feed = std::make_unique<LiveFeed>(watch::WatchOptions{.target = target, .gpus = options.gpu});
  }
  watch::TopModel model(title);
  const CancelToken& interrupt = InterruptToken();
  const bool json = options.format == "json";
  const bool screenless = json || options.once || ::isatty(STDOUT_FILENO) != 1;
  feed->Fill(model);
  if (screenless) {
    while (true) {
      if (json) {
        fmt::print("{}\n", ToJson(model.state()));
      } else {
        for (const std::string& line : Render(model.state(), 100, 1000, /*colour=*/false))
          fmt::print("{}\n", line);
      }
      if (std::fflush(stdout) != 0) return Fail(Errc::kIo, "standard output is closed");
      if (options.once || !json) return {};
      pollfd ended{.fd = interrupt.fd(), .events = POLLIN, .revents = 0};
      ::poll(&ended, 1, static_cast<int>(interval.count()));
      if (interrupt.raised()) return {};
      feed->Fill(model);
    }
  }
  TRY_ASSIGN(const Screen screen, Screen::Open());
  MonoTime due = SystemClock().Now() + interval;
  while (true) {
    const Screen::Size size = Screen::size();
    screen.Draw(Render(model.state(), size.width, size.height, /*colour=*/true));
    const Screen::Wake wake = screen.Wait(due, interrupt);
    if (wake == Screen::Wake::kQuit) return {};
    if (wake != Screen::Wake::kTime) continue;
    feed->Fill(model);
    due = std::max(due + interval, SystemClock().Now());
  }
}

}  // namespace

void AddTop(Parser app, Action& chosen) {
  const auto options = std::make_shared<Options>();
  Parser top =
      app.Add("top", "Live view of memory and GPUs: zones, owners, time to the limit. q quits.");
  top.Footer("Targets: docs/flight-record.md.");
  top.AddOption("TARGET", options->target,
                "As for watch; default: the running service, else this machine");
  top.AddOption("--record", options->record, "Show a flight record instead");
  top.AddOption("--gpu", options->gpu,
                "all (default), none, or part of a GPU's name or PCI address");
  top.AddOption("--interval", options->interval, "Time between samples; default: 1s");
  top.AddFlag("--once", options->once, "Print the view once and exit");
  top.AddOption("--format", options->format, "text, or json: one object per line")
      .OneOf({"text", "json"});
  top.OnChosen([=, &chosen] {
    chosen = [=] {
      const Result<> done = Top(*options);
      return done ? kOk : Complain(done.error());
    };
  });
}

}  // namespace headroom::cli
