#include "app/cli/live_view.h"

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "app/cli/terminal.h"
#include "base/text.h"
#include "memory/zones.h"

namespace headroom::cli {
namespace {

std::size_t Columns() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

// The end of a long text is the newest part.
std::string Tail(const std::string& text, std::size_t columns) {
  std::size_t shown = 0, at = text.size();
  while (at > 0 && shown < columns) {
    --at;
    if ((static_cast<unsigned char>(text[at]) & 0xC0) != 0x80) ++shown;
  }
  return at == 0 ? text : "…" + text.substr(at);
}

std::string Size(Bytes bytes) {
  return fmt::format("{} MB", bytes.n / 1'000'000);
}

std::string MemoryText(const net::MemoryUse& memory) {
  std::string text;
  if (memory.ram) text += "RAM " + Size(*memory.ram);
  if (memory.vram_used && memory.vram_total)
    text += fmt::format("  GPU {} of {}", Size(*memory.vram_used), Size(*memory.vram_total));
  return text + (text.empty() ? "" : "  ") + memory.zone;
}

}  // namespace

LiveView::LiveView() : on_terminal_(::isatty(STDERR_FILENO) != 0) {}

LiveView::~LiveView() {
  const MutexLock lock(mutex_);
  ClearLine();
}

void LiveView::ClearLine() {
  if (shown_) fmt::print(stderr, "\r\033[K");
  shown_ = false;
}

void LiveView::Print(const std::string& line) {
  ClearLine();
  fmt::print(stderr, "{}\n", line);
}

void LiveView::OnText(const net::TextDelivered& event) {
  committed_.clear();
  tentative_.clear();
  const std::string& text = event.text;
  if (text.empty()) return;
  ++utterances_;
  if (event.failure) ++undelivered_;
  words_ += static_cast<std::size_t>(std::ranges::count(text, ' ')) + 1;
  audio_ += event.audio;
  if (event.latency) latencies_.push_back(event.latency->count());
  if (std::ranges::find(tiers_, event.tier) == tiers_.end()) tiers_.push_back(event.tier);
  ClearLine();
  fmt::print("{}\n", Printable(text));
  std::fflush(stdout);
  if (!on_terminal_) return;
  const std::string after = event.latency
                                ? fmt::format("{:.2f} s after the last word, ",
                                              static_cast<double>(event.latency->count()) / 1000)
                                : "";
  fmt::print(stderr, "\033[2m  {}{}\033[0m\n", after, event.tier);
}

void LiveView::On(const app::Event& event) {
  const MutexLock lock(mutex_);
  const auto line = [this](const std::string& words)
                        REQUIRES(mutex_) { Print("headroom: " + Printable(words)); };
  const auto nothing_said = [this]() REQUIRES(mutex_) {
    committed_.clear();
    tentative_.clear();
  };
  std::visit(net::Visitor{
                 [this](const net::PartialText& e) REQUIRES(mutex_) {
                   committed_ = e.committed;
                   tentative_ = e.tentative;
                 },
                 [&](const net::SpeechBegan&) REQUIRES(mutex_) { nothing_said(); },
                 [&](const net::SpeechEnded&) REQUIRES(mutex_) { nothing_said(); },
                 [&](const net::SpeechDropped&) REQUIRES(mutex_) { nothing_said(); },
                 [this](const net::TextDelivered& e) REQUIRES(mutex_) { OnText(e); },
                 [&](const net::Warning& e) REQUIRES(mutex_) {
                   ++warnings_;
                   line(e.error.what);
                 },
                 [&](const net::Notice& e) REQUIRES(mutex_) { line(e.text); },
                 [&](const net::ActionTaken& e) REQUIRES(mutex_) {
                   if (e.action.kind == memory::ActionKind::kNotify) line(e.action.reason);
                 },
                 [this](const net::TierChanged& e) REQUIRES(mutex_) {
                   if (on_terminal_) Print("\033[2m  " + Printable(e.text) + "\033[0m");
                 },
                 [](const auto&) {},
             },
             event);
}

void LiveView::Show(const net::Status& status) {
  const MutexLock lock(mutex_);
  if (status.memory.ram && (!most_ram_ || *most_ram_ < *status.memory.ram))
    most_ram_ = status.memory.ram;
  if (status.memory.vram_used && (!most_vram_ || *most_vram_ < *status.memory.vram_used))
    most_vram_ = status.memory.vram_used;
  const auto zone = memory::ZoneFromName(status.memory.zone);
  if (zone && *zone > *memory::ZoneFromName(worst_)) worst_ = status.memory.zone;
  if (!on_terminal_) return;
  std::string left =
      fmt::format("{}  {}  {}", Name(status.phase), status.tier.empty() ? "no model" : status.tier,
                  MemoryText(status.memory));
  const std::size_t columns = Columns();
  std::string said = committed_ + tentative_;
  if (!said.empty()) {
    const std::size_t room = columns > left.size() + 6 ? columns - left.size() - 6 : 20;
    left += "  » " + Tail(said, room);
  }
  fmt::print(stderr, "\r\033[K{}", left);
  std::fflush(stderr);
  shown_ = true;
}

void LiveView::Summary() {
  const MutexLock lock(mutex_);
  ClearLine();
  std::string text =
      fmt::format("{}, {}, {:.1f} s of speech", CountOf(utterances_, "utterance"),
                  CountOf(words_, "word"), static_cast<double>(audio_.count()) / 1000);
  if (!latencies_.empty()) {
    std::ranges::sort(latencies_);
    text += fmt::format("; text {:.2f} s after the last word (median; worst {:.2f} s)",
                        static_cast<double>(latencies_[latencies_.size() / 2]) / 1000,
                        static_cast<double>(latencies_.back()) / 1000);
  }
  for (const std::string& tier : tiers_) text += "; " + tier;
  if (most_ram_) text += "; at most " + Size(*most_ram_) + " of RAM";
  if (most_vram_) text += ", " + Size(*most_vram_) + " of GPU memory";
  text += "; zone " + worst_;
  if (undelivered_ > 0) text += fmt::format("; {} not delivered", undelivered_);
  if (warnings_ > 0) text += "; " + CountOf(warnings_, "warning");
  fmt::print(stderr, "headroom: {}\n", text);
}

}  // namespace headroom::cli
