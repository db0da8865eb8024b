// The engine's spoken sample, 11 s, as the tests feed it to a worker.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/dirs.h"
#include "base/file.h"

namespace headroom::asr {

/// 16 kHz mono in -1..1. ./test says in HEADROOM_TEST_ENGINE where the engine is.
inline std::vector<float> Jfk() {
  const std::string bytes =
      ReadFile(Environment("HEADROOM_TEST_ENGINE") + "/samples/jfk.wav").value();
  std::vector<float> samples((bytes.size() - 44) / 2);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    std::int16_t value = 0;
    std::memcpy(&value, bytes.data() + 44 + 2 * i, 2);
    samples[i] = static_cast<float>(value) / 32768.0F;
  }
  return samples;
}

/// `length` of the sample, again and again.
inline std::vector<float> Speech(Milliseconds length) {
  static const std::vector<float> jfk = Jfk();
  std::vector<float> samples(static_cast<std::size_t>(length.count()) * 16);
  for (std::size_t i = 0; i < samples.size(); ++i) samples[i] = jfk[i % jfk.size()];
  return samples;
}

}  // namespace headroom::asr
