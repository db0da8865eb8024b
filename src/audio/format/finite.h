// Samples from the outside may hold anything; what goes on inside is finite.
#pragma once

#include <cstddef>
#include <span>

namespace headroom::audio {

/// Louder than this is not audio but damage. Float files legitimately exceed full scale a little.
inline constexpr float kLoudestSample = 16.0F;

/// NaN and infinities become 0, magnitudes above kLoudestSample are clipped to it (their squares
/// would overflow further on). Returns how many samples were changed.
std::size_t MakeFinite(std::span<float> samples);
/// Whether that would change nothing.
bool IsFinite(std::span<const float> samples);

/// A view of samples that are finite, so that no one looks at them again.
class FiniteSpan {
 public:
  /// Makes them finite.
  explicit FiniteSpan(std::span<float> samples) : samples_(samples) { MakeFinite(samples); }
  /// Of samples that are finite by what made them: MakeFinite, or a Source.
  static FiniteSpan OfFinite(std::span<const float> samples) {
    FiniteSpan span;
    span.samples_ = samples;
    return span;
  }

  std::span<const float> samples() const { return samples_; }

 private:
  FiniteSpan() = default;
  std::span<const float> samples_;
};

}  // namespace headroom::audio
