#include "net/server/query.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headroom::net {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(Query, IsDecoded) {
  EXPECT_THAT(*ParseQuery("/v1/events"), IsEmpty());
  EXPECT_THAT(*ParseQuery("/v1/events?"), IsEmpty());
  EXPECT_THAT(*ParseQuery("/a?only=text,partial&x"),
              ElementsAre(Pair("only", "text,partial"), Pair("x", "")));
  EXPECT_THAT(*ParseQuery("/a?k%65y=a%20b+c%3D&&y=1=2"),
              ElementsAre(Pair("key", "a b c="), Pair("y", "1=2")));
  EXPECT_THAT(*ParseQuery(std::string_view("/a?x=yes\177").substr(0, 8)),
              ElementsAre(Pair("x", "yes")));
  EXPECT_THAT(*ParseQuery("/a?w=Gr%C3%BC%C3%9Fe"), ElementsAre(Pair("w", "Grüße")));
}

TEST(Query, WhatIsNotOneIsRefused) {
  for (const char* target : {"/a?x=%", "/a?x=%2", "/a?x=%zz", "/a?x=a b", "/a?x=\"", "/a?x=%00",
                             "/a?%0a=1", "/a?x=\xff", "/a?x=#"})
    EXPECT_FALSE(ParseQuery(target)) << target;
  EXPECT_FALSE(ParseQuery(std::string_view("/a?x=a\0b", 8)));
  EXPECT_EQ(PathOf("/a/b?c?d"), "/a/b");
  EXPECT_EQ(PathOf(""), "");
}

}  // namespace
}  // namespace headroom::net
