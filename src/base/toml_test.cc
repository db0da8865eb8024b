#include "base/toml.h"

#include <gtest/gtest.h>

namespace headroom {
namespace {

struct Reader : TomlReader {
  explicit Reader(const std::string& origin) : TomlReader(origin) {}
  using TomlReader::OnlyKeys;
  using TomlReader::Wrong;
};

TEST(Toml, WhatIsNoneSaysInWhichLine) {
  EXPECT_EQ(ParseToml("a = 1\n", "x.toml")->size(), 1U);
  const auto broken = ParseToml("a = 1\nb = \n", "x.toml");
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, Errc::kInvalid);
  EXPECT_TRUE(broken.error().what.starts_with("x.toml:2: ")) << broken.error().what;
  EXPECT_EQ(broken.error().what.find('\n'), std::string::npos);
}

TEST(Toml, AnUnknownKeyIsNamedWithItsLineAndTheKnownOnes) {
  const std::string origin = "x.toml";
  const Reader reader(origin);
  const auto file = ParseToml("a = 1\nb = 2\n", origin);
  EXPECT_TRUE(reader.OnlyKeys(*file, {"a", "b", "c"}));
  const auto unknown = reader.OnlyKeys(*file, {"a", "c"});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Errc::kInvalid);
  EXPECT_EQ(unknown.error().what, "x.toml:2: unknown key \"b\"; known here: a, c");
  EXPECT_EQ(reader.Wrong(*file->get("b"), "too small").error().what, "x.toml:2: too small");
}

}  // namespace
}  // namespace headroom
