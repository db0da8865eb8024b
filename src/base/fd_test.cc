#include "base/fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <vector>

namespace headroom {
namespace {

TEST(SealedMemory, RoundTripsAndCannotBeWritten) {
  const std::string text = "sixteen kilohertz";
  auto fd = MakeSealedMemory("test", std::as_bytes(std::span(text)));
  ASSERT_TRUE(fd);
  EXPECT_FALSE(WriteAll(fd->get(), "more"));
  auto mapping = Mapping::OfSealed(fd->get(), 100);
  ASSERT_TRUE(mapping);
  EXPECT_EQ(
      std::string(reinterpret_cast<const char*>(mapping->bytes().data()), mapping->bytes().size()),
      text);
}

TEST(SealedMemory, RefusesUnsealedAndTooLarge) {
  const Fd open(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_EQ(Mapping::OfSealed(open.get(), 100).error().code, Errc::kProtocol);
  auto sealed = MakeSealedMemory("test", std::vector<std::byte>(101));
  EXPECT_EQ(Mapping::OfSealed(sealed->get(), 100).error().code, Errc::kProtocol);
  EXPECT_TRUE(Mapping::OfSealed(sealed->get(), 101));
}

TEST(SealedMemory, EmptyIsFine) {
  auto fd = MakeSealedMemory("test", {});
  ASSERT_TRUE(fd);
  EXPECT_TRUE(Mapping::OfSealed(fd->get(), 0)->bytes().empty());
}

TEST(Fd, MovesOwnership) {
  auto pipe = MakePipe();
  const int number = pipe->read.get();
  Fd other = std::move(pipe->read);
  EXPECT_EQ(other.get(), number);
  other.Reset();
  EXPECT_EQ(::fcntl(number, F_GETFD), -1);
}

TEST(Read, StopsAtTheEndOfTheStream) {
  auto pipe = MakePipe();
  ASSERT_TRUE(WriteAll(pipe->write.get(), "abc"));
  pipe->write.Reset();
  std::vector<std::byte> into(10);
  EXPECT_EQ(ReadFull(pipe->read.get(), into).value(), 3u);
}

}  // namespace
}  // namespace headroom
