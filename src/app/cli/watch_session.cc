#include "app/cli/watch_session.h"

#include <cctype>

#include "app/cli/terminal.h"
#include "base/duration.h"

namespace headroom::cli {

std::string FileNameOf(std::string_view text) {
  std::string name;
  for (const char c : text) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_';
    if (plain)
      name += c;
    else if (!name.empty() && name.back() != '-')
      name += '-';
    if (name.size() >= 80) break;
  }
  while (!name.empty() && (name.back() == '-' || name.back() == '.')) name.pop_back();
  return name.empty() || name.front() == '.' ? "record" + name : name;
}

WatchSession::WatchSession(std::unique_ptr<record::Writer> writer, watch::WatchOptions of)
    : writer_(std::move(writer)),
      devices_({}),
      watcher_(std::move(of), devices_),
      began_(SystemClock().Now()) {}

Result<std::unique_ptr<WatchSession>> WatchSession::Begin(record::WriterOptions to,
                                                          watch::WatchOptions of) {
  to.version = HEADROOM_VERSION;
  TRY_ASSIGN(std::unique_ptr<record::Writer> writer, record::Writer::Open(std::move(to)));
  writer->Flush(Milliseconds(30'000));
  const record::WriterStatus status = writer->status();
  if (!status.recording) return Fail(status.code.value_or(Errc::kTimeout), "{}", status.trouble);
  if (status.set_aside > 0)
    Note("the file was damaged; kept it as .damaged-N and started a new one");
  return std::unique_ptr<WatchSession>(new WatchSession(std::move(writer), std::move(of)));
}

watch::Observation WatchSession::Look(MonoTime due) {
  watch::Observation seen = watcher_.Look(due);
  for (const record::GpuName& gpu : seen.gpus) {
    if (auto& known = described_[gpu.gpu]; known != gpu) writer_->Describe(known = gpu);
  }
  writer_->Add(seen.sample);
  for (const record::Event& event : seen.events) writer_->Note(event);
  if (seen.trouble != warning_) {
    warning_ = seen.trouble;
    if (!warning_.empty()) Note(warning_);
  }
  ++peaks_.looks;
  peaks_.ram = std::max(peaks_.ram, seen.sample.service.ram.value_or(Bytes()));
  peaks_.swap = std::max(peaks_.swap, seen.sample.service.swap.value_or(Bytes()));
  Bytes gpus;
  for (const record::GpuSample& gpu : seen.sample.gpus) gpus += gpu.own.value_or(Bytes());
  peaks_.gpu = std::max(peaks_.gpu, gpus);
  return seen;
}

std::string WatchSession::Summary() const {
  const auto took = std::chrono::duration_cast<std::chrono::seconds>(SystemClock().Now() - began_);
  return fmt::format("{}, {}; at most {} of memory, {} of swap, {} of GPU memory",
                     FormatDuration(took), CountOf(peaks_.looks, "sample"),
                     FormatBinary(peaks_.ram), FormatBinary(peaks_.swap), FormatBinary(peaks_.gpu));
}

}  // namespace headroom::cli
