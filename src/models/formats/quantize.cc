#include "models/formats/quantize.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "base/child.h"
#include "base/dirs.h"
#include "base/file.h"
#include "base/text.h"
#include "models/formats/import_output.h"

namespace headroom::models {
namespace {

namespace fs = std::filesystem;

constexpr int kPollMs = 200;

Result<std::string> KnownPreset(std::string_view preset) {
  std::string upper(preset);
  std::ranges::transform(upper, upper.begin(), [](unsigned char c) { return std::toupper(c); });
  for (const char* known : {"Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M"})
    if (upper == known) return upper;
  return Fail(Errc::kInvalid, "{}: no such quantisation; Q8_0, Q6_K, Q5_K_M and Q4_K_M are there",
              Printable(preset));
}

Result<ModelHeader> CheckInput(const fs::path& in) {
  TRY_ASSIGN(ModelHeader header, Inspect(in));
  if (header.format != ModelFormat::kGguf)
    return Fail(Errc::kUnsupported, "{}: a {}; only GGUF models can be quantised", in.native(),
                Name(header.format));
  if (header.architecture == "silero_vad")
    return Fail(Errc::kUnsupported, "{}: {} has 1 MB and stays as it is", in.native(),
                header.variant);
  if (header.quantisation != "F32" && header.quantisation != "F16" && header.quantisation != "BF16")
    return Fail(Errc::kUnsupported, "{}: is {} already; quantise the F16 or F32 model instead",
                in.native(), header.quantisation);
  return header;
}

// Weights of every preset take at most 8.5 bits; what stays F32 is a few per cent.
Bytes LargestOutput(const ModelHeader& in) {
  return std::min(Bytes(in.size.n * 2), Bytes(in.parameters / 16 * 17) + MiB(16));
}

// What the child last said, for when it fails.
std::string LastLine(int fd) {
  char tail[4096];
  struct stat status{};
  if (::fstat(fd, &status) != 0) return "";
  const std::int64_t from =
      std::max<std::int64_t>(0, status.st_size - static_cast<std::int64_t>(sizeof tail));
  const auto n = ReadFullAt(fd, std::as_writable_bytes(std::span(tail)), from);
  const std::vector<std::string> lines = Split(Trim(std::string_view(tail, n.value_or(0))), '\n');
  return lines.empty() ? "" : Printable(lines.back());
}

Result<> Failed(const Exit& exit, int said, const fs::path& out) {
  const auto free = FreeSpace(out.parent_path());
  if (free && *free < MiB(1))
    return Fail(Errc::kNoSpace, "quantise {}: the disk is full", out.native());
  if (exit.signal == SIGKILL)
    return Fail(Errc::kNoMemory,
                "quantise {}: the quantiser was killed, probably for want of memory (it holds the "
                "whole model)",
                out.native());
  return Fail(Errc::kIo, "quantise {}: the quantiser {}: {}", out.native(), Describe(exit),
              LastLine(said));
}

Result<Exit> WaitFor(Child& child, const PendingFile& file, Bytes expected,
                     const OnImportProgress& progress, CancelToken* cancel) {
  while (true) {
    pollfd waits[2] = {{child.pidfd(), POLLIN, 0}, {cancel ? cancel->fd() : -1, POLLIN, 0}};
    const int n = ::poll(waits, 2, kPollMs);
    if (n < 0 && errno != EINTR) return FailErrno(errno, "wait for the quantiser");
    if (cancel != nullptr && cancel->raised()) {
      child.Kill();
      return Fail(Errc::kCancelled, "quantising stopped");
    }
    if (n > 0 && waits[0].revents != 0) return child.Wait();
    struct stat status{};
    if (progress && ::fstat(file.fd(), &status) == 0)
      progress({std::min(Bytes(status.st_size), expected), expected});
  }
}

Result<ModelHeader> CheckOutput(const PendingFile& file, const ModelHeader& in,
                                const std::string& preset) {
  TRY_ASSIGN(ModelHeader header, Inspect(file.path()));
  if (header.quantisation != preset || header.tensors != in.tensors ||
      header.parameters != in.parameters || header.architecture != in.architecture)
    return Fail(Errc::kInternal, "the quantiser wrote {} tensors as {}; {} as {} were expected",
                header.tensors, header.quantisation, in.tensors, preset);
  return header;
}

}  // namespace

Result<ModelHeader> Quantize(const fs::path& in, const fs::path& out, std::string_view preset,
                             const OnImportProgress& progress, CancelToken* cancel) {
  TRY_ASSIGN(const std::string known, KnownPreset(preset));
  TRY_ASSIGN(const ModelHeader header, CheckInput(in));
  TRY_ASSIGN(const fs::path program, FindProgram("headroom-quantize"));
  const Bytes expected = LargestOutput(header);
  TRY_ASSIGN(PendingFile file, PendingFile::Make(out, expected));
  const Fd said(::memfd_create("quantiser", MFD_CLOEXEC));
  if (!said) return FailErrno(errno, "quantise");
  // Absolute, so that no path looks like an option.
  TRY_ASSIGN(Child child,
             Child::Spawn({.argv = {program.native(), fs::absolute(in).native(),
                                    fs::absolute(file.path()).native(), "--quant", known},
                           .fds = {{2, said.get()}},
                           .environment = {}}));
  TRY_ASSIGN(const Exit exit, WaitFor(child, file, expected, progress, cancel));
  if (!exit.ok()) {
    TRY(Failed(exit, said.get(), out));
  }
  auto checked = CheckOutput(file, header, known);
  if (!checked) return Within(checked, "quantise {}", out.native());
  TRY(file.Commit());
  if (progress) progress({checked->size, checked->size});
  return checked;
}

}  // namespace headroom::models
