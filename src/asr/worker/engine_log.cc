#include "asr/worker/engine_log.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <ggml.h>

#include <cstdio>
#include <cstdlib>
#include <exception>

#include "asr/worker/transcribe_results.h"

namespace headroom::worker {
namespace {

constexpr std::size_t kKept = 4;  // a CUDA error is three lines

[[noreturn]] void EndWithReason() {
  std::string what = "none";
  try {
    if (const std::exception_ptr thrown = std::current_exception()) std::rethrow_exception(thrown);
  } catch (const std::exception& error) {
    what = error.what();
  } catch (...) {
    what = "of an unknown type";
  }
  fmt::print(stderr, "uncaught exception: {}\n", what);
  std::fflush(stderr);
  std::abort();
}

}  // namespace

EngineLog& EngineLog::Install() {
  static EngineLog& log = *[] {
    auto* made = new EngineLog;
    transcribe_log_set(Receive, made);
    std::set_terminate(EndWithReason);
    ggml_set_abort_callback([](const char* message) {
      const std::string recent = Install().recent();
      fmt::print(stderr, "{}{}{}\n", recent, recent.empty() ? "" : "; ", message);
      std::fflush(stderr);
    });
    return made;
  }();
  return log;
}

void EngineLog::Receive(transcribe_log_level level, const char* message, void* self) {
  if (level != TRANSCRIBE_LOG_LEVEL_ERROR || !message) return;
  auto* log = static_cast<EngineLog*>(self);
  const MutexLock lock(log->mutex_);
  log->lines_.push_back(TextOf(message));
  if (log->lines_.size() > kKept) log->lines_.pop_front();
}

void EngineLog::Clear() {
  const MutexLock lock(mutex_);
  lines_.clear();
}

std::string EngineLog::last() const {
  const MutexLock lock(mutex_);
  return lines_.empty() ? "" : lines_.back();
}

std::string EngineLog::recent() const {
  const MutexLock lock(mutex_);
  return fmt::format("{}", fmt::join(lines_, "; "));
}

}  // namespace headroom::worker
