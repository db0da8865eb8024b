#include "net/server/local_socket.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

namespace headroom::net {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class LocalSocketTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/headroom_socket.XXXXXX";
    folder_ = ::mkdtemp(name.data());
    path_ = folder_ / "run" / "control.sock";
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path folder_, path_;
};

TEST_F(LocalSocketTest, IsOnlyForItsUser) {
  const auto socket = LocalSocket::Listen(path_);
  ASSERT_TRUE(socket) << socket.error().what;
  struct stat status{};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  ASSERT_EQ(::stat(path_.parent_path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700u);
  const auto listener = ListenerAt(path_);
  ASSERT_TRUE(listener);
  EXPECT_EQ(listener->pid, ::getpid());
  EXPECT_EQ(listener->uid, ::geteuid());
  EXPECT_TRUE(MayConnect(::geteuid()));
  EXPECT_TRUE(MayConnect(0));
  EXPECT_FALSE(MayConnect(::geteuid() + 12345));
}

TEST_F(LocalSocketTest, IsRemovedAtTheEnd) {
  {
    const auto socket = LocalSocket::Listen(path_);
  }
  EXPECT_FALSE(fs::exists(path_));
  EXPECT_TRUE(LocalSocket::Listen(path_));
}

TEST_F(LocalSocketTest, TheSecondIsToldWhoIsFirst) {
  const auto first = LocalSocket::Listen(path_);
  const auto second = LocalSocket::Listen(path_);
  EXPECT_EQ(second.error().code, Errc::kBusy);
  EXPECT_THAT(second.error().what, HasSubstr(fmt::format("already running, pid {}", ::getpid())));
  EXPECT_TRUE(ListenerAt(path_)) << "the first one goes on";
}

// A listener that holds no lock, as another program would be.
TEST_F(LocalSocketTest, AForeignListenerIsLeftAlone) {
  fs::create_directories(path_.parent_path());
  fs::permissions(path_.parent_path(), fs::perms::owner_all);
  const Fd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, path_.c_str());
  ASSERT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(::listen(fd.get(), 0), 0);
  EXPECT_EQ(LocalSocket::Listen(path_).error().code, Errc::kBusy);
  // Also when its queue is full and no connection is accepted.
  std::vector<Fd> waiting;
  for (int i = 0; i < 4; ++i) {
    waiting.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    (void)::connect(waiting.back().get(), reinterpret_cast<sockaddr*>(&address), sizeof(address));
  }
  EXPECT_EQ(LocalSocket::Listen(path_).error().code, Errc::kBusy);
}

TEST_F(LocalSocketTest, WhatADeadProcessLeftIsReplaced) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto socket = LocalSocket::Listen(path_);
    ::_exit(socket ? 0 : 1);  // without removing it, as after a kill
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  ASSERT_TRUE(fs::exists(path_));
  const auto socket = LocalSocket::Listen(path_);
  ASSERT_TRUE(socket) << socket.error().what;
  EXPECT_EQ(ListenerAt(path_)->pid, ::getpid());
}

TEST_F(LocalSocketTest, WhatIsNoSocketIsNotRemoved) {
  fs::create_directories(path_.parent_path());
  fs::permissions(path_.parent_path(), fs::perms::owner_all);
  std::ofstream(path_) << "a thesis";
  EXPECT_EQ(LocalSocket::Listen(path_).error().code, Errc::kExists);
  EXPECT_EQ(fs::file_size(path_), 8u);
}

TEST_F(LocalSocketTest, AFolderForEveryoneIsRefused) {
  fs::create_directories(path_.parent_path());
  fs::permissions(path_.parent_path(), fs::perms::all);
  EXPECT_EQ(LocalSocket::Listen(path_).error().code, Errc::kPermission);
}

TEST_F(LocalSocketTest, APathCanBeTooLong) {
  const auto socket = LocalSocket::Listen(folder_ / std::string(120, 'x'));
  EXPECT_EQ(socket.error().code, Errc::kInvalid);
  EXPECT_FALSE(ListenerAt(folder_ / std::string(120, 'x')));
}

}  // namespace
}  // namespace headroom::net
