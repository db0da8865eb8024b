#include "models/store/names.h"

#include <gtest/gtest.h>

namespace headroom::models {
namespace {

TEST(Names, ASpecIsANameAndPerhapsAQuantisation) {
  auto spec = ParseSpec("whisper-tiny.en");
  ASSERT_TRUE(spec);
  EXPECT_EQ(spec->name, "whisper-tiny.en");
  EXPECT_EQ(spec->quantisation, "");
  spec = ParseSpec("parakeet-tdt_ctc-110m:q5_k_m");
  ASSERT_TRUE(spec);
  EXPECT_EQ(spec->quantisation, "Q5_K_M");
  EXPECT_EQ(ToString(*spec), "parakeet-tdt_ctc-110m:Q5_K_M");
}

TEST(Names, WhatCouldNotBeAFileNameIsRefused) {
  for (const char* bad : {"", ":", ":Q8_0", "a/b", "../x", "-x", ".x", "a b", "a\nb", "a:", "a:Q9",
                          "a:Q8_0:F16", "ä"}) {
    const auto spec = ParseSpec(bad);
    ASSERT_FALSE(spec) << bad;
    EXPECT_EQ(spec.error().code, Errc::kInvalid);
  }
  EXPECT_FALSE(ParseSpec(std::string(65, 'a')));
}

TEST(Names, Paths) {
  for (const char* path : {"./x", "/x", "x.gguf", "ggml-base.bin", "../a"})
    EXPECT_TRUE(LooksLikePath(path)) << path;
  EXPECT_FALSE(LooksLikePath("whisper-base:Q8_0"));
}

TEST(Names, FileNamesGoThereAndBack) {
  for (const std::string_view quantisation : QuantisationsByPreference()) {
    const ModelSpec spec{"whisper-large-v3-turbo", std::string(quantisation)};
    const auto back = ParseStoreFileName(StoreFileName(spec));
    ASSERT_TRUE(back) << quantisation;
    EXPECT_EQ(ToString(*back), ToString(spec));
  }
  EXPECT_EQ(StoreFileName({"whisper-base", "F16"}), "whisper-base-F16.gguf");
  for (const char* other : {"", ".gguf", "F16.gguf", "-F16.gguf", "a-f16.gguf", "a-F16.gguf.part",
                            "a-F16", "models.lock", "a b-F16.gguf"})
    EXPECT_FALSE(ParseStoreFileName(other)) << other;
}

}  // namespace
}  // namespace headroom::models
