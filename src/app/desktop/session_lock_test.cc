#include "app/desktop/session_lock.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "base/file.h"
#include "base/testing/temp_folder.h"

namespace headroom::desktop {
namespace {

namespace fs = std::filesystem;

TEST(LockProgramRuns, FindsALockProgramOfThisUser) {
  const TempFolder proc;
  const auto process = [&](const std::string& pid, const std::string& name) {
    fs::create_directories(proc / pid);
    ASSERT_TRUE(WriteFileAtomic(proc / pid / "comm", name + "\n"));
  };
  EXPECT_FALSE(LockProgramRuns(proc / "missing"));
  process("1", "not-a-lock");
  process("17", "bash");
  process("self", "swaylock");
  EXPECT_FALSE(LockProgramRuns(proc.path()));
  process("200", "swaylock");
  EXPECT_TRUE(LockProgramRuns(proc.path()));
}

}  // namespace
}  // namespace headroom::desktop
