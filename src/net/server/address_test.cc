#include "net/server/address.h"

#include <gmock/gmock.h>

namespace headroom::net {
namespace {

using ::testing::HasSubstr;

bool In(const char* range, const char* address) {
  return ParseIpRange(range)->Contains(*ParseIpAddress(address));
}

TEST(Address, RangesHoldTheirAddresses) {
  EXPECT_TRUE(In("192.168.1.0/24", "192.168.1.255"));
  EXPECT_FALSE(In("192.168.1.0/24", "192.168.2.1"));
  EXPECT_TRUE(In("192.168.1.77/24", "192.168.1.1"));  // the bits after the prefix do not matter
  EXPECT_TRUE(In("10.0.0.0/9", "10.127.255.255"));
  EXPECT_FALSE(In("10.0.0.0/9", "10.128.0.0"));
  EXPECT_TRUE(In("10.0.0.7", "10.0.0.7"));
  EXPECT_FALSE(In("10.0.0.7", "10.0.0.6"));
  EXPECT_TRUE(In("fd00::/8", "fdff::1"));
  EXPECT_FALSE(In("fd00::/8", "fe80::1"));
  EXPECT_TRUE(In("::/0", "10.0.0.1"));
  EXPECT_FALSE(In("0.0.0.0/0", "fe80::1"));  // every IPv4 address and no other
  EXPECT_TRUE(In("10.0.0.0/8", "::ffff:10.1.2.3"));
}

TEST(Address, WhatIsNoRangeIsSaid) {
  for (const char* wrong : {"", "/8", "10.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1",
                            "fd00::/129", "10.0.0.0/8 ", "home.lan", "10.0.0.0/8x"})
    EXPECT_FALSE(ParseIpRange(wrong)) << wrong;
  EXPECT_THAT(ParseIpRange("10.0.0.0/33").error().what, HasSubstr("0 to 32"));
}

TEST(Address, WhereToListen) {
  EXPECT_TRUE(ParseListenAddress("127.0.0.1:10300")->address.is_loopback());
  EXPECT_EQ(ParseListenAddress("127.0.0.1:10300")->port, 10300);
  EXPECT_TRUE(ParseListenAddress("[::1]:1")->address.is_loopback());
  EXPECT_TRUE(ParseListenAddress("localhost:1")->address.is_loopback());
  EXPECT_FALSE(ParseListenAddress("0.0.0.0:1")->address.is_loopback());
  EXPECT_FALSE(ParseListenAddress("[::]:1")->address.is_loopback());
  EXPECT_EQ(ToText(ParseListenAddress("[fe80:0::7]:1")->address), "fe80::7");
  EXPECT_EQ(ToText(ParseListenAddress("192.168.1.2:1")->address), "192.168.1.2");
  for (const char* wrong : {"", ":", "10300", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
                            "127.0.0.1:-1", "::1:10300", "[::1]", "[::1:10300", "*:10300"})
    EXPECT_FALSE(ParseListenAddress(wrong)) << wrong;
}

}  // namespace
}  // namespace headroom::net
