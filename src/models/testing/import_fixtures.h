// Tiny model files, made byte by byte: for the unit tests, and as seeds for the fuzzers.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "models/formats/import_source.h"

namespace headroom::models {

inline MemorySource SourceOf(const std::string& bytes) {
  return MemorySource(std::as_bytes(std::span(bytes)));
}

template <class T>
void Put(std::string& to, T value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

/// Two keys of each sort, three tensors.
std::string TinyGguf();

struct Ct2Fixture {
  std::string name;
  std::vector<std::uint32_t> dims;
  std::uint8_t type = 0;  // as in the file: 0 F32, 1 I8, 2 I16, 3 I32, 4 F16, 5 BF16
  std::string data;
};
std::string EncodeCt2(const std::vector<Ct2Fixture>& variables,
                      const std::string& spec = "WhisperSpec");
/// A Whisper with one layer on each side, `width` wide, with weights of `type`; linear weights of
/// type 1 and 2 come with scales. Numbers are small whole ones.
std::vector<Ct2Fixture> TinyWhisper(std::uint8_t type, std::uint32_t vocabulary = 51864,
                                    std::uint32_t width = 2);

/// The complete header of Silero VAD with zeros for weights.
std::string TinySilero();
/// Two tensors.
std::string TinySafetensors();

/// A Whisper with one layer on each side and a vocabulary of two tokens that claims to be 51864.
std::string TinyWhisperBin();

/// "token 0", …: enough for a vocabulary of `size` tokens up to the special ones.
std::vector<std::string> PlainTokens(std::int64_t size);

}  // namespace headroom::models
