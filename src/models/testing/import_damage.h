// What every reader has to survive: its file cut at every length, and with every byte changed.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "models/testing/import_fixtures.h"

namespace headroom::models {

/// `read` takes a ByteSource. A file cut anywhere is refused, in words with its length in them.
template <class Read>
void RefusesEveryCut(const std::string& whole, Read read, std::size_t step = 1) {
  ASSERT_TRUE(read(SourceOf(whole)));
  for (std::size_t length = 0; length < whole.size(); length += step) {
    const std::string cut = whole.substr(0, length);
    const auto result = read(SourceOf(cut));
    ASSERT_FALSE(result) << "at " << length;
    ASSERT_EQ(result.error().code, Errc::kCorrupt) << length << ": " << result.error().what;
    ASSERT_NE(result.error().what.find(std::to_string(length)), std::string::npos)
        << length << ": " << result.error().what;
  }
}

/// Whatever `read` makes of it, it must not crash, and its errors must be one line of typed text.
template <class Read>
void SurvivesEveryFlip(const std::string& whole, Read read, std::size_t step = 1) {
  for (std::size_t at = 0; at < whole.size(); at += step) {
    for (const int with : {0x01, 0x80, 0xff}) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ with);
      const auto result = read(SourceOf(damaged));
      if (result) continue;
      ASSERT_NE(result.error().code, Errc::kInternal) << at;
      ASSERT_FALSE(result.error().what.empty()) << at;
      ASSERT_EQ(result.error().what.find('\n'), std::string::npos) << at;
      ASSERT_LT(result.error().what.size(), 2500U) << at;
    }
  }
}

}  // namespace headroom::models
