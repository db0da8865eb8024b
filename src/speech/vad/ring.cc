#include "speech/vad/ring.h"

#include <algorithm>

namespace headroom::speech {

void SampleRing::Append(std::span<const float> samples) {
  const auto capacity = static_cast<std::int64_t>(samples_.size());
  if (const auto size = static_cast<std::int64_t>(samples.size()); size > capacity) {
    end_ += size - capacity;
    samples = samples.last(samples_.size());
  }
  const auto at = static_cast<std::size_t>(end_ % capacity);
  const auto before_wrap = samples.first(std::min(samples.size(), samples_.size() - at));
  std::ranges::copy(before_wrap, samples_.begin() + static_cast<std::ptrdiff_t>(at));
  std::ranges::copy(samples.subspan(before_wrap.size()), samples_.begin());
  end_ += static_cast<std::int64_t>(samples.size());
  first_ = std::max(first_, end_ - capacity);
}

Result<std::vector<float>> SampleRing::Read(std::int64_t begin, std::int64_t end) const {
  if (begin < first_ || begin > end || end > end_)
    return Fail(Errc::kNotFound, "samples {} to {} are not held, only {} to {}", begin, end, first_,
                end_);
  const auto at = static_cast<std::ptrdiff_t>(begin % static_cast<std::int64_t>(samples_.size()));
  const auto size = end - begin;
  const auto before_wrap = std::min(size, static_cast<std::int64_t>(samples_.size()) - at);
  std::vector<float> read(samples_.begin() + at, samples_.begin() + at + before_wrap);
  read.insert(read.end(), samples_.begin(), samples_.begin() + (size - before_wrap));
  return read;
}

}  // namespace headroom::speech
