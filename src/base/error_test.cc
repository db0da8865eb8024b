#include "base/error.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace headroom {
namespace {

Result<int> Half(int n) {
  if (n % 2) return Fail(Errc::kInvalid, "{} is odd", n);
  return n / 2;
}
Result<int> Quarter(int n) {
  TRY_ASSIGN(const int half, Half(n));
  return Half(half);
}
Result<> BothHalve(int a, int b) {
  TRY(Half(a));
  TRY(Half(b));
  return {};
}

TEST(Result, PassesValuesAndErrorsUp) {
  EXPECT_EQ(Quarter(8).value(), 2);
  EXPECT_EQ(Quarter(6).error().what, "3 is odd");
  EXPECT_TRUE(BothHalve(2, 4));
  EXPECT_EQ(BothHalve(2, 5).error().what, "5 is odd");
}

TEST(Result, ContextGoesInFront) {
  auto failed = Half(7);
  const Error error = std::unexpected(Within(failed, "load {}", "x")).error();
  EXPECT_EQ(error.what, "load x: 7 is odd");
  EXPECT_EQ(error.code, Errc::kInvalid);
}

TEST(Errc, NamesAreAnInverse) {
  for (int i = 0; i <= static_cast<int>(Errc::kInternal); ++i) {
    const auto code = static_cast<Errc>(i);
    EXPECT_EQ(ErrcFromName(Name(code)), code);
  }
  EXPECT_EQ(ErrcFromName("no such code"), Errc::kInternal);
}

TEST(Errno, IsClassified) {
  EXPECT_EQ(Errno(ENOENT, "x").code, Errc::kNotFound);
  EXPECT_EQ(Errno(EROFS, "x").code, Errc::kPermission);
  EXPECT_EQ(Errno(ENOSPC, "x").code, Errc::kNoSpace);
  EXPECT_EQ(Errno(ENOENT, "open /x").what, "open /x: No such file or directory");
}

}  // namespace
}  // namespace headroom
