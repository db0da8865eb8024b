#include "base/fd_passing.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <string>

namespace headroom {
namespace {

std::span<const std::byte> Bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

class FdPassing : public ::testing::Test {
 protected:
  FdPassing() : sockets(*MakeMessageSockets()), pipe(*MakePipe()) {}

  int a() const { return sockets.ours.get(); }
  int b() const { return sockets.theirs.get(); }
  Result<std::optional<PassedMessage>> Receive() { return TryReceiveMessage(b(), into); }
  std::string Text(const PassedMessage& message) const {
    return {reinterpret_cast<const char*>(into.data()), message.size};
  }
  // With our own end of the pipe closed, it ends only if no other process has one.
  bool OnlyWeCanWrite() {
    pipe.write.Reset();
    ::fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK);
    std::byte one[1];
    const auto n = ReadSome(pipe.read.get(), one);
    return n && *n == 0;
  }

  MessageSockets sockets;
  Pipe pipe;
  std::array<std::byte, 16> into{};
};

TEST_F(FdPassing, OneSendIsOneReceive) {
  EXPECT_TRUE(TrySendMessage(a(), Bytes("one"), {}).value());
  EXPECT_TRUE(TrySendMessage(a(), Bytes("and another"), {}).value());
  auto message = Receive();
  ASSERT_TRUE(message && *message);
  EXPECT_EQ(Text(**message), "one");
  EXPECT_TRUE((*message)->fds.empty());
  message = Receive();
  ASSERT_TRUE(message && *message);
  EXPECT_EQ(Text(**message), "and another");
  message = Receive();
  ASSERT_TRUE(message) << message.error().what;
  EXPECT_FALSE(*message);
}

TEST_F(FdPassing, DescriptorsComeInTheirOrderClosedOnExecAndOwned) {
  EXPECT_TRUE(::fcntl(a(), F_GETFD) & FD_CLOEXEC);
  EXPECT_TRUE(::fcntl(b(), F_GETFD) & FD_CLOEXEC);
  const int fds[kMaxPassed] = {pipe.read.get(), pipe.write.get(), pipe.write.get(),
                               pipe.write.get()};
  ASSERT_TRUE(TrySendMessage(a(), Bytes("x"), fds).value());
  {
    auto message = Receive();
    ASSERT_TRUE(message && *message);
    ASSERT_EQ((*message)->fds.size(), kMaxPassed);
    for (const Fd& fd : (*message)->fds) EXPECT_TRUE(::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC);
    ASSERT_TRUE(WriteAll((*message)->fds[1].get(), "y"));
    std::byte one[1];
    EXPECT_EQ(ReadFull((*message)->fds[0].get(), one).value(), 1U);
  }
  EXPECT_TRUE(OnlyWeCanWrite());
}

TEST_F(FdPassing, AFullSocketIsNoError) {
  Result<bool> sent = true;
  for (int i = 0; i < 10'000 && sent && *sent; ++i) sent = TrySendMessage(a(), Bytes("x"), {});
  ASSERT_TRUE(sent) << sent.error().what;
  EXPECT_FALSE(*sent);
  ASSERT_TRUE(Receive());
  EXPECT_TRUE(TrySendMessage(a(), Bytes("x"), {}).value());
}

TEST_F(FdPassing, AClosedEndIsLost) {
  sockets.theirs.Reset();
  EXPECT_EQ(TrySendMessage(a(), Bytes("x"), {}).error().code, Errc::kWorkerLost);
  EXPECT_EQ(SendFd(a(), pipe.read.get()).error().code, Errc::kWorkerLost);
  EXPECT_EQ(TryReceiveMessage(a(), into).error().code, Errc::kWorkerLost);
  EXPECT_EQ(ReceiveFd(a()).error().code, Errc::kWorkerLost);
}

TEST_F(FdPassing, MoreDescriptorsThanAllowedAreNotSent) {
  const std::vector<int> fds(kMaxPassed + 1, pipe.read.get());
  EXPECT_EQ(TrySendMessage(a(), Bytes("x"), fds).error().code, Errc::kInternal);
  EXPECT_FALSE(Receive()->has_value());
}

TEST_F(FdPassing, AMessageThatDoesNotFitIsAnErrorAndItsDescriptorsAreClosed) {
  const int fds[] = {pipe.write.get()};
  ASSERT_TRUE(TrySendMessage(a(), Bytes("sixteen bytes..."), fds).value());
  EXPECT_TRUE(Receive());
  ASSERT_TRUE(TrySendMessage(a(), Bytes("seventeen bytes.."), fds).value());
  EXPECT_EQ(Receive().error().code, Errc::kProtocol);
  EXPECT_TRUE(OnlyWeCanWrite());
}

TEST_F(FdPassing, SomeOfTheDescriptorsAreAnErrorAndAreClosed) {
  const int fds[] = {pipe.write.get(), pipe.write.get()};
  ASSERT_TRUE(TrySendMessage(a(), Bytes("x"), fds).value());
  const int next = ::dup(a());
  ASSERT_GE(next, 0);
  ::close(next);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit room_for_one{.rlim_cur = static_cast<rlim_t>(next) + 1, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &room_for_one), 0);
  const auto message = Receive();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_FALSE(message);
  EXPECT_EQ(message.error().code, Errc::kProtocol);
  EXPECT_TRUE(OnlyWeCanWrite());
}

TEST_F(FdPassing, OneDescriptor) {
  ASSERT_TRUE(SendFd(a(), pipe.read.get()));
  const auto fd = ReceiveFd(b());
  ASSERT_TRUE(fd) << fd.error().what;
  EXPECT_TRUE(::fcntl(fd->get(), F_GETFD) & FD_CLOEXEC);
  ASSERT_TRUE(WriteAll(pipe.write.get(), "x"));
  std::byte one[1];
  EXPECT_EQ(ReadFull(fd->get(), one).value(), 1U);
}

TEST_F(FdPassing, AnythingButOneDescriptorIsAProtocolError) {
  ASSERT_TRUE(TrySendMessage(a(), Bytes("x"), {}).value());
  EXPECT_EQ(ReceiveFd(b()).error().code, Errc::kProtocol);
  const int fds[] = {pipe.write.get(), pipe.write.get()};
  ASSERT_TRUE(TrySendMessage(a(), Bytes("x"), fds).value());
  EXPECT_EQ(ReceiveFd(b()).error().code, Errc::kProtocol);
  EXPECT_TRUE(OnlyWeCanWrite());
}

}  // namespace
}  // namespace headroom
