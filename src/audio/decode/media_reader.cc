#include "audio/decode/media_reader.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace headroom::audio {
namespace {

constexpr Milliseconds kFilePatience = std::chrono::seconds(30);

struct Source {
  Fd fd;
  bool live = false;  // a pipe, socket or device: it may be silent for as long as it likes
};

Result<Source> Classify(Fd fd, const std::string& name) {
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return FailErrno(errno, "{}", name);
  if (S_ISDIR(info.st_mode)) return Fail(Errc::kInvalid, "{}: a folder, not a file", name);
  if (S_ISBLK(info.st_mode)) return Fail(Errc::kInvalid, "{}: a disk, not a file", name);
  if (S_ISREG(info.st_mode) && info.st_size == 0) return Fail(Errc::kCorrupt, "{}: 0 bytes", name);
  return Source{std::move(fd), !S_ISREG(info.st_mode)};
}

// A named pipe is opened without waiting for its writer, which could not be cancelled; poll does
// the waiting. Linux reports no hang-up on it before there was a writer.
Result<> WaitForWriter(int fd, const std::string& name, CancelToken* cancel) {
  struct stat info{};
  if (::fstat(fd, &info) == 0 && S_ISFIFO(info.st_mode)) {
    pollfd waits[] = {{fd, POLLIN, 0}, {cancel ? cancel->fd() : -1, POLLIN, 0}};
    while (::poll(waits, 2, -1) < 0 && errno == EINTR) {
    }
    if (waits[1].revents != 0) return Fail(Errc::kCancelled, "{}: cancelled", name);
  }
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) & ~O_NONBLOCK);
  return {};
}

Result<Source> OpenSource(const std::string& path, const std::string& name, CancelToken* cancel) {
  if (path == "-") {
    Fd own(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
    if (!own) return FailErrno(errno, "{}", name);
    return Classify(std::move(own), name);
  }
  auto opened = headroom::Open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!opened) {
    // headroom::Open names the path as it is; the name shown is safe for a terminal.
    const std::string& what = opened.error().what;
    const std::string why = what.starts_with(path) ? what.substr(path.size()) : ": " + what;
    return Fail(opened.error().code, "{}{}", name, why);
  }
  TRY_ASSIGN(Source source, Classify(std::move(*opened), name));
  TRY(WaitForWriter(source.fd.get(), name, cancel));
  return source;
}

}  // namespace

Result<std::unique_ptr<MediaReader>> MediaReader::Open(const std::string& path,
                                                       CancelToken* cancel) {
  const std::string name = path == "-" ? "standard input" : OneLine(path);
  TRY_ASSIGN(Source source, OpenSource(path, name, cancel));
  const auto patience = source.live ? std::nullopt : std::optional(kFilePatience);
  return Start(name, std::move(source.fd), cancel, patience);
}

Result<std::unique_ptr<MediaReader>> MediaReader::Open(const std::string& path, CancelToken* cancel,
                                                       std::optional<Milliseconds> patience) {
  const std::string name = path == "-" ? "standard input" : OneLine(path);
  TRY_ASSIGN(Source source, OpenSource(path, name, cancel));
  return Start(name, std::move(source.fd), cancel, patience);
}

Result<std::unique_ptr<MediaReader>> MediaReader::Open(Fd input, const std::string& name,
                                                       CancelToken* cancel,
                                                       WaitingDecoder* waiting) {
  TRY_ASSIGN(Source source, Classify(std::move(input), name));
  return Start(name, std::move(source.fd), cancel, kFilePatience, waiting);
}

Result<std::unique_ptr<MediaReader>> MediaReader::Start(const std::string& name, Fd input,
                                                        CancelToken* cancel,
                                                        std::optional<Milliseconds> patience,
                                                        WaitingDecoder* waiting) {
  std::optional<Decoder> decoder;
  if (waiting) decoder = waiting->Take(input.get());
  if (!decoder) {
    auto started = StartDecoder(input.get());
    if (!started) return Within(started, "{}", name);
    decoder = std::move(*started);
  }
  std::unique_ptr<MediaReader> reader(new MediaReader(name, cancel, patience, std::move(*decoder)));
  TRY(reader->WaitForBegin());
  return reader;
}

MediaReader::MediaReader(std::string name, CancelToken* cancel,
                         std::optional<Milliseconds> patience, Decoder decoder)
    : name_(std::move(name)),
      cancel_(cancel),
      patience_(patience),
      child_(std::move(decoder.child)),
      pcm_(std::move(decoder.pcm)),
      status_(std::move(decoder.status)) {}

Result<MediaReader::Ready> MediaReader::Wait() {
  const Clock& clock = SystemClock();
  const MonoTime deadline = clock.Now() + patience_.value_or(Milliseconds(0));
  pollfd waits[] = {{pcm_.get(), POLLIN, 0},  // poll skips negative descriptors
                    {status_.get(), POLLIN, 0},
                    {cancel_ ? cancel_->fd() : -1, POLLIN, 0}};
  while (true) {
    int timeout = -1;
    if (patience_) {
      const auto left = std::chrono::ceil<Milliseconds>(deadline - clock.Now()).count();
      timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, 1 << 30));
    }
    const int n = ::poll(waits, 3, timeout);
    if (n < 0 && errno != EINTR) return FailErrno(errno, "{}: wait for the decoder", name_);
    if (cancel_ && cancel_->raised()) return Fail(Errc::kCancelled, "{}: cancelled", name_);
    // Status first: a child may send no more of it than fits while we only take PCM.
    if (n > 0 && waits[1].revents != 0) return Ready::kStatus;
    if (n > 0 && waits[0].revents != 0) return Ready::kPcm;
    if (n == 0 && clock.Now() >= deadline)
      return Fail(Errc::kTimeout, "{}: the decoder gave no sign for {:g} s and was stopped", name_,
                  static_cast<double>(patience_->count()) / 1000);
  }
}

Result<> MediaReader::TakeStatus() {
  std::array<std::byte, kMaxStatusLine> buffer;
  TRY_ASSIGN(const std::size_t n, ReadSome(status_.get(), buffer));
  if (n == 0) {
    status_.Reset();
    return {};
  }
  pending_.append(reinterpret_cast<const char*>(buffer.data()), n);
  while (true) {
    const std::size_t newline = pending_.find('\n');
    if (newline == std::string::npos) break;
    auto status = ParseDecodeStatus(std::string_view(pending_).substr(0, newline));
    if (!status) return Within(status, "{}", name_);
    pending_.erase(0, newline + 1);
    TRY(Take(std::move(*status)));
  }
  if (pending_.size() > kMaxStatusLine)
    return Fail(Errc::kProtocol, "{}: the decoder sent a status line without an end", name_);
  return {};
}

Result<> MediaReader::Take(DecodeStatus status) {
  if (ended_) return Fail(Errc::kProtocol, "{}: the decoder spoke after its end", name_);
  if (const auto* begin = std::get_if<DecodeBegin>(&status)) {
    begun_ = true;
    duration_ = begin->duration;
  } else if (auto* warning = std::get_if<DecodeWarning>(&status)) {
    if (report_.warnings.size() < kMaxWarnings)
      report_.warnings.push_back(std::move(warning->text));
  } else if (auto* end = std::get_if<DecodeEnd>(&status)) {
    ended_ = true;
    report_.samples = end->samples;
    report_.non_finite = end->non_finite;
    report_.truncated = end->truncated;
    report_.detail = std::move(end->detail);
  } else {
    ended_ = true;
    error_ = std::get<Error>(std::move(status)).Within(name_);
  }
  return {};
}

Result<> MediaReader::WaitForBegin() {
  while (!begun_) {
    if (error_) return Fail(*error_);
    if (!status_) return Died();
    TRY_ASSIGN(const Ready ready, Wait());
    if (ready == Ready::kPcm) {
      // Only the end of a child that never spoke may come before "begin".
      if (!status_) return Died();
      pollfd status{status_.get(), POLLIN, 0};
      if (::poll(&status, 1, 1000) == 0)
        return Fail(Errc::kProtocol, "{}: the decoder sent sound before its header", name_);
    }
    TRY(TakeStatus());
  }
  return {};
}

std::unexpected<Error> MediaReader::Died() {
  const MonoTime soon = SystemClock().Now() + std::chrono::seconds(5);
  auto exit = child_.WaitUntil(soon);
  if (!exit) return Within(exit, "{}", name_);
  if (!*exit)
    return Fail(Errc::kTimeout, "{}: the decoder closed its pipes and did not end", name_);
  return Fail(Errc::kWorkerLost, "{}: the decoder {} before it was done; the file may be damaged",
              name_, Describe(**exit));
}

Result<std::size_t> MediaReader::Read(std::span<float> into) {
  if (!pcm_ && error_) return Fail(*error_);
  auto n = ReadUnlessFailed(into);
  if (!n) {
    error_ = n.error();
    pcm_.Reset();
    child_.Kill();
  }
  return n;
}

Result<std::size_t> MediaReader::ReadUnlessFailed(std::span<float> into) {
  if (into.empty()) return Fail(Errc::kInvalid, "{}: no room to read into", name_);
  while (pcm_) {
    TRY_ASSIGN(const Ready ready, Wait());
    if (ready == Ready::kStatus) {
      TRY(TakeStatus());
      continue;
    }
    const std::span<std::byte> bytes = std::as_writable_bytes(into);
    std::copy_n(partial_.begin(), partial_bytes_, bytes.begin());
    TRY_ASSIGN(const std::size_t n, ReadSome(pcm_.get(), bytes.subspan(partial_bytes_)));
    if (n == 0) {
      pcm_.Reset();
      break;
    }
    const std::size_t have = partial_bytes_ + n;
    const std::size_t whole = have / sizeof(float);
    partial_bytes_ = have % sizeof(float);
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(have - partial_bytes_), partial_bytes_,
                partial_.begin());
    if (whole == 0) continue;
    for (const float sample : into.first(whole)) {
      if (!std::isfinite(sample))
        return Fail(Errc::kProtocol, "{}: the decoder sent what is not sound", name_);
    }
    samples_ += static_cast<std::int64_t>(whole);
    return whole;
  }
  TRY(Finish());
  return 0;
}

Result<> MediaReader::Finish() {
  while (status_) {
    TRY(Wait());
    TRY(TakeStatus());
  }
  if (error_) return Fail(*error_);
  if (!ended_) return Died();
  if (partial_bytes_ != 0 || report_.samples != samples_)
    return Fail(Errc::kProtocol, "{}: the decoder says {} samples and sent {}", name_,
                report_.samples, samples_);
  return {};
}

}  // namespace headroom::audio
