#include "app/desktop/notify.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "base/fd.h"
#include "base/testing/temp_folder.h"

namespace headroom::desktop {
namespace {

using ::testing::StartsWith;

class NotifyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string path = folder_ / "socket";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path.c_str());
    fd_.Reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0));
    ASSERT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }
  void TearDown() override {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) ::unsetenv(name);
  }
  std::string Said() const {
    char text[1024];
    const ssize_t size = ::recv(fd_.get(), text, sizeof(text), 0);
    return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : "";
  }
  const TempFolder folder_;
  Fd fd_;
};

TEST_F(NotifyTest, SendsStateChangesToTheManager) {
  NotifyReady("listening\nWATCHDOG=trigger");
  EXPECT_EQ(Said(), "READY=1\nSTATUS=listening WATCHDOG=trigger");
  NotifyStatus("speech");
  EXPECT_EQ(Said(), "STATUS=speech");
  NotifyReloading();
  EXPECT_THAT(Said(), StartsWith("RELOADING=1\nMONOTONIC_USEC="));
  NotifyWatchdog();
  EXPECT_EQ(Said(), "WATCHDOG=1");
  NotifyStopping("bye");
  EXPECT_EQ(Said(), "STOPPING=1\nSTATUS=bye");
}

TEST_F(NotifyTest, TheWatchdogIntervalIsAThirdOfTheManagersTimeout) {
  EXPECT_FALSE(WatchdogInterval());
  ::setenv("WATCHDOG_USEC", "30000000", 1);
  EXPECT_EQ(WatchdogInterval(), Milliseconds(10'000));
  ::setenv("WATCHDOG_PID", "1", 1);  // meant for another process
  EXPECT_FALSE(WatchdogInterval());
}

TEST_F(NotifyTest, DoesNothingWithoutAManager) {
  ::unsetenv("NOTIFY_SOCKET");
  NotifyReady("x");
  ::setenv("NOTIFY_SOCKET", "/does/not/exist", 1);
  NotifyReady("x");
  EXPECT_EQ(Said(), "");
}

}  // namespace
}  // namespace headroom::desktop
