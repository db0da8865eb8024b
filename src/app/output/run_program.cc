#include "app/output/run_program.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/dirs.h"
#include "base/text.h"

namespace headroom::output {
namespace {

// A memory file instead of a pipe needs no refilling and causes no SIGPIPE when it is not read.
Result<Fd> InputFile(std::string_view text) {
  Fd fd(::memfd_create("headroom-input", MFD_CLOEXEC));
  if (!fd) return FailErrno(errno, "make shared memory");
  TRY(WriteAll(fd.get(), text));
  ::lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

struct Stream {
  Fd fd;
  std::string* text;
};

/// Reads what is available.
Result<> Take(Stream& stream, const Program& program) {
  std::array<std::byte, 16 << 10> block;
  while (stream.fd) {
    auto count = ReadSome(stream.fd.get(), block);
    if (!count) return {};  // nothing available
    if (*count == 0) stream.fd.Reset();
    stream.text->append(reinterpret_cast<const char*>(block.data()), *count);
    if (std::ssize(*stream.text) > program.most_output.n)
      return Fail(Errc::kNoMemory, "{} printed more than {}", program.argv[0],
                  FormatBinary(program.most_output));
  }
  return {};
}

}  // namespace

Result<Ran> RunProgram(const Program& program) {
  const Clock& clock = SystemClock();
  const MonoTime deadline = clock.Now() + program.deadline;
  TRY_ASSIGN(const Fd input, InputFile(program.input));
  TRY_ASSIGN(Pipe out, MakePipe());
  TRY_ASSIGN(Pipe err, MakePipe());
  auto child = Child::Spawn({.argv = program.argv,
                             .fds = {{0, input.get()}, {1, out.write.get()}, {2, err.write.get()}},
                             .environment = program.environment});
  if (!child && child.error().code == Errc::kNotFound)
    return Fail(Errc::kNotFound, "{} is not installed", program.argv[0]);
  if (!child) return Fail(std::move(child.error()));
  out.write.Reset();
  err.write.Reset();
  Ran ran;
  std::array<Stream, 2> streams{Stream{std::move(out.read), &ran.out},
                                Stream{std::move(err.read), &ran.err}};
  for (Stream& stream : streams) ::fcntl(stream.fd.get(), F_SETFL, O_NONBLOCK);

  bool over = false;
  while (!over) {
    const auto left = std::chrono::ceil<Milliseconds>(deadline - clock.Now());
    if (left <= Milliseconds(0))
      return Fail(Errc::kTimeout, "{} did not end within {:g} s and was stopped", program.argv[0],
                  static_cast<double>(program.deadline.count()) / 1000);
    pollfd waits[] = {{child->pidfd(), POLLIN, 0},
                      {streams[0].fd.get(), POLLIN, 0},
                      {streams[1].fd.get(), POLLIN, 0}};
    ::poll(waits, 3, static_cast<int>(std::min<std::int64_t>(left.count(), 1 << 30)));
    over = waits[0].revents != 0;
    for (Stream& stream : streams) TRY(Take(stream, program));
  }
  TRY_ASSIGN(ran.exit, child->Wait());
  return ran;
}

Result<Ran> RunWell(const Program& program) {
  TRY_ASSIGN(Ran ran, RunProgram(program));
  if (ran.exit.ok()) return ran;
  const std::string said = Printable(Trim(std::string_view(ran.err).substr(0, ran.err.find('\n'))));
  return Fail(Errc::kIo, "{} {}{}{}", program.argv[0], Describe(ran.exit), said.empty() ? "" : ": ",
              said.substr(0, 200));
}

bool HaveProgram(const std::string& name) {
  return std::ranges::any_of(Split(Environment("PATH"), ':'), [&](const std::string& folder) {
    return !folder.empty() && ::access((folder + "/" + name).c_str(), X_OK) == 0;
  });
}

}  // namespace headroom::output
