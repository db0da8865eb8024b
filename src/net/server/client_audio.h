// Audio as clients send it (PCM16, µ-law, A-law, as bytes or base64) to the one format of this
// program: 16 kHz mono floats from -1 to 1. Pure; one thread.
//
// G.711 is ITU-T Recommendation G.711; base64 is RFC 4648 section 4. Rates are changed by a
// windowed sinc (speexdsp).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace headroom::net {

struct ClientFormat {
  enum class Coding { kPcm16, kUlaw, kAlaw };  // PCM16 is little-endian
  Coding coding = Coding::kPcm16;
  int rate = 24'000;  // one of kClientRates; 8000 for µ-law and A-law

  friend bool operator==(const ClientFormat&, const ClientFormat&) = default;
};
inline constexpr int kClientRates[] = {8'000, 16'000, 24'000, 44'100, 48'000};

/// The length in bytes of what this is the base64 of, with padding and without white space.
/// kInvalid: it is none.
Result<std::size_t> CheckBase64(std::string_view text);
/// Of text that CheckBase64 found good, or of a part of it that begins and ends at a multiple of
/// four characters.
std::vector<std::uint8_t> DecodeBase64(std::string_view text);

class AudioDecoder {
 public:
  explicit AudioDecoder(ClientFormat format);
  ~AudioDecoder();
  AudioDecoder(AudioDecoder&&) noexcept;
  AudioDecoder& operator=(AudioDecoder&&) noexcept;

  const ClientFormat& format() const { return format_; }
  /// However the bytes are divided among calls, and within a sample too, the samples are the same.
  /// They lag by a few milliseconds, which the filter needs.
  std::vector<float> Take(std::span<const std::uint8_t> bytes);
  /// The rest of what was taken, as if silence followed; then it starts over. Half of a sample is
  /// forgotten.
  std::vector<float> Finish();
  /// Forgets the rest and starts over.
  void Clear();

 private:
  class Resampler;
  ClientFormat format_;
  int half_ = -1;  // the first byte of a sample whose second has not come; -1: none
  std::unique_ptr<Resampler> resampler_;  // none: the rate is right
};

}  // namespace headroom::net
