#include "net/server/client_audio.h"

#include <openssl/evp.h>
#include <speex/speex_resampler.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"

namespace headroom::net {
namespace {

constexpr int kRate = 16'000;
constexpr int kQuality = 8;  // of 10; 80 dB of stop band and 5 ms of delay
constexpr std::size_t kPiece = 4096;

constexpr std::array<bool, 256> kIsBase64 = [] {
  std::array<bool, 256> is{};
  for (int c = 'a'; c <= 'z'; ++c) is[static_cast<std::size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) is[static_cast<std::size_t>(c)] = true;
  for (int c = '0'; c <= '9'; ++c) is[static_cast<std::size_t>(c)] = true;
  is['+'] = is['/'] = true;
  return is;
}();

std::size_t Padding(std::string_view text) {
  return text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
}

// G.711 section 3: eight segments of sixteen steps, each segment twice as coarse as the one before.
float Ulaw(std::uint8_t code) {
  const unsigned bits = ~static_cast<unsigned>(code) & 0xffU;
  const int size = static_cast<int>((((bits & 15U) << 3) + 132U) << ((bits >> 4) & 7U)) - 132;
  return static_cast<float>((bits & 0x80U) != 0 ? -size : size) / 32768.0F;
}
float Alaw(std::uint8_t code) {
  const unsigned bits = code ^ 0x55U;
  const unsigned segment = (bits >> 4) & 7U;
  unsigned size = ((bits & 15U) << 4) + 8U;
  if (segment > 0) size = (size + 256U) << (segment - 1);
  return ((bits & 0x80U) != 0 ? 1.0F : -1.0F) * static_cast<float>(size) / 32768.0F;
}

using Table = std::array<float, 256>;
Table TableOf(float (*of)(std::uint8_t)) {
  Table table{};
  for (std::size_t code = 0; code < table.size(); ++code)
    table[code] = of(static_cast<std::uint8_t>(code));
  return table;
}

float Pcm16(int low, int high) {
  return static_cast<float>(static_cast<std::int16_t>(low | (high << 8))) / 32768.0F;
}

}  // namespace

Result<std::size_t> CheckBase64(std::string_view text) {
  if (text.size() % 4 != 0)
    return Fail(Errc::kInvalid, "{} characters are no base64: it comes in groups of four",
                text.size());
  const std::size_t padding = Padding(text);
  const std::string_view digits = text.substr(0, text.size() - padding);
  const auto wrong = std::ranges::find_if_not(
      digits, [](char c) { return kIsBase64[static_cast<std::uint8_t>(c)]; });
  if (wrong != digits.end())
    return Fail(Errc::kInvalid, "the character at {} is not base64", wrong - digits.begin());
  return text.size() / 4 * 3 - padding;
}

std::vector<std::uint8_t> DecodeBase64(std::string_view text) {
  std::vector<std::uint8_t> bytes(text.size() / 4 * 3);
  if (text.empty()) return bytes;
  const int length =
      EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char*>(text.data()),
                      static_cast<int>(text.size()));
  CHECK(std::cmp_equal(length, bytes.size()));
  bytes.resize(bytes.size() - Padding(text));
  return bytes;
}

class AudioDecoder::Resampler {
 public:
  explicit Resampler(int rate) : rate_(rate) {
    int error = RESAMPLER_ERR_SUCCESS;
    state_.reset(speex_resampler_init(1, static_cast<spx_uint32_t>(rate), kRate, kQuality, &error));
    CHECK(state_ && error == RESAMPLER_ERR_SUCCESS);
    speex_resampler_skip_zeros(state_.get());
  }

  void Feed(std::span<const float> in, std::vector<float>& out) {
    taken_ += static_cast<std::int64_t>(in.size());
    const std::size_t before = out.size();
    Run(in, out);
    given_ += static_cast<std::int64_t>(out.size() - before);
  }

  // What the filter holds, up to the sample that the last one taken reaches.
  void Finish(std::vector<float>& out) {
    const std::size_t before = out.size();
    const std::int64_t due = (taken_ * kRate + rate_ - 1) / rate_ - given_;
    const auto behind = static_cast<std::size_t>(speex_resampler_get_input_latency(state_.get()));
    Run(std::vector<float>(behind + 2), out);
    out.resize(before + static_cast<std::size_t>(std::max<std::int64_t>(due, 0)));
    Clear();
  }

  void Clear() {
    speex_resampler_reset_mem(state_.get());
    speex_resampler_skip_zeros(state_.get());
    taken_ = given_ = 0;
  }

 private:
  struct Destroy {
    void operator()(SpeexResamplerState* state) const { speex_resampler_destroy(state); }
  };

  void Run(std::span<const float> in, std::vector<float>& out) {
    std::array<float, kPiece> piece;
    while (!in.empty()) {
      auto used = static_cast<spx_uint32_t>(std::min(in.size(), kPiece));
      auto made = static_cast<spx_uint32_t>(piece.size());
      speex_resampler_process_float(state_.get(), 0, in.data(), &used, piece.data(), &made);
      CHECK(used > 0 || made > 0);
      out.insert(out.end(), piece.begin(), piece.begin() + made);
      in = in.subspan(used);
    }
  }

  std::int64_t rate_;
  std::int64_t taken_ = 0, given_ = 0;  // samples since the begin
  std::unique_ptr<SpeexResamplerState, Destroy> state_;
};

AudioDecoder::AudioDecoder(ClientFormat format) : format_(format) {
  CHECK(std::ranges::find(kClientRates, format.rate) != std::end(kClientRates));
  if (format.rate != kRate) resampler_ = std::make_unique<Resampler>(format.rate);
}
AudioDecoder::~AudioDecoder() = default;
AudioDecoder::AudioDecoder(AudioDecoder&&) noexcept = default;
AudioDecoder& AudioDecoder::operator=(AudioDecoder&&) noexcept = default;

std::vector<float> AudioDecoder::Take(std::span<const std::uint8_t> bytes) {
  std::vector<float> samples;
  if (format_.coding == ClientFormat::Coding::kPcm16) {
    samples.reserve(bytes.size() / 2 + 1);
    for (const std::uint8_t byte : bytes) {
      if (half_ < 0) {
        half_ = byte;
      } else {
        samples.push_back(Pcm16(half_, byte));
        half_ = -1;
      }
    }
  } else {
    static const Table ulaw = TableOf(Ulaw);
    static const Table alaw = TableOf(Alaw);
    const Table& table = format_.coding == ClientFormat::Coding::kUlaw ? ulaw : alaw;
    samples.reserve(bytes.size());
    for (const std::uint8_t byte : bytes) samples.push_back(table[byte]);
  }
  if (!resampler_) return samples;
  std::vector<float> resampled;
  resampled.reserve(samples.size() * kRate / static_cast<std::size_t>(format_.rate) + 2);
  resampler_->Feed(samples, resampled);
  return resampled;
}

std::vector<float> AudioDecoder::Finish() {
  half_ = -1;
  std::vector<float> rest;
  if (resampler_) resampler_->Finish(rest);
  return rest;
}

void AudioDecoder::Clear() {
  half_ = -1;
  if (resampler_) resampler_->Clear();
}

}  // namespace headroom::net
