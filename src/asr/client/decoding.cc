#include "asr/client/decoding.h"

#include <algorithm>
#include <array>

#include "audio/format/format.h"

namespace headroom::asr {
namespace {

constexpr std::size_t kFrame = 512;  // 32 ms
constexpr Milliseconds kShortestLongest{4'000};
constexpr Milliseconds kOverlap{2'000};
constexpr std::size_t kPauseFrames = 3;  // shorter dips lie inside words
// A pause is this much quieter than speech, and not much louder than the quietest tenth.
constexpr float kBelowSpeech = 0.05F;
constexpr float kAboveFloor = 3.0F;
// Below this a truncated result is taken as it is: there is nothing left to cut.
constexpr std::size_t kShortestPiece = std::size_t{4} * audio::kSampleRate;

std::size_t SamplesOf(Milliseconds time) {
  return static_cast<std::size_t>(audio::SamplesIn(time));
}

std::vector<float> Energies(std::span<const float> samples) {
  std::vector<float> energies;
  for (std::size_t at = 0; at < samples.size(); at += kFrame) {
    const auto frame = samples.subspan(at, std::min(kFrame, samples.size() - at));
    float sum = 0;
    for (const float sample : frame) sum += sample * sample;
    energies.push_back(sum / static_cast<float>(frame.size()));
  }
  return energies;
}

// The energy up to which a frame belongs to a pause.
float PauseLevel(std::vector<float> energies) {
  std::ranges::sort(energies);
  const float floor = energies[energies.size() / 10];
  const float speech = energies[energies.size() * 8 / 10];
  return std::min(speech * kBelowSpeech, std::max(floor * kAboveFloor, 1e-7F));
}

// The middle of the longest pause in frames [from, to); nullopt: none is long enough. Among equals
// the last one, for pieces as long as they may be.
std::optional<std::size_t> LongestPause(std::span<const float> energies, float level,
                                        std::size_t from, std::size_t to) {
  std::optional<std::size_t> middle;
  std::size_t longest = kPauseFrames - 1;
  for (std::size_t i = from; i < to;) {
    std::size_t end = i;
    while (end < to && energies[end] <= level) ++end;
    if (end - i >= std::max(longest, kPauseFrames)) longest = end - i, middle = i + longest / 2;
    i = std::max(end, i + 1);
  }
  return middle;
}

void Append(RunResult& to, RunResult&& piece) {
  if (to.transcript.language.empty()) to.transcript.language = piece.transcript.language;
  to.truncated = to.truncated || piece.truncated;
  to.timings.mel_ms += piece.timings.mel_ms;
  to.timings.encode_ms += piece.timings.encode_ms;
  to.timings.decode_ms += piece.timings.decode_ms;
}

}  // namespace

std::deque<Decoding::Piece> Decoding::Cut(std::span<const float> samples, Milliseconds longest) {
  const std::size_t most = SamplesOf(std::max(longest, kShortestLongest)) / kFrame * kFrame;
  if (samples.size() <= most) return {{.begin = 0, .end = samples.size()}};
  const std::vector<float> energies = Energies(samples);
  const float level = PauseLevel(energies);
  std::deque<Piece> pieces;
  Piece piece;
  while (samples.size() - piece.begin > most) {
    // The later half of what may be taken, in frames.
    const std::size_t from = (piece.begin + most / 2) / kFrame;
    const std::size_t to = (piece.begin + most) / kFrame;
    const auto pause = LongestPause(energies, level, from, to);
    const std::size_t quietest = static_cast<std::size_t>(
        std::ranges::min_element(energies.begin() + static_cast<std::ptrdiff_t>(from),
                                 energies.begin() + static_cast<std::ptrdiff_t>(to)) -
        energies.begin());
    piece.forced = !pause;
    piece.end = (pause ? *pause : quietest + 1) * kFrame;
    pieces.push_back(piece);
    const std::size_t back = pause ? 0 : std::min(SamplesOf(kOverlap), most / 4);
    piece = {.begin = piece.end - back, .end = 0, .overlaps = !pause};
  }
  piece.end = samples.size();
  pieces.push_back(piece);
  return pieces;
}

std::size_t QuietestCut(std::span<const float> samples) {
  constexpr std::size_t kWindow = 1024;  // 64 ms
  const std::size_t begin = samples.size() / 4;
  const std::size_t end = samples.size() - samples.size() / 4;
  if (end - begin < kWindow) return samples.size() / 2;
  double energy = 0;
  for (std::size_t i = begin; i < begin + kWindow; ++i) energy += samples[i] * samples[i];
  double least = energy;
  std::size_t quietest = begin;
  for (std::size_t i = begin + 1; i + kWindow <= end; ++i) {
    const double out = samples[i - 1], in = samples[i + kWindow - 1];
    energy += in * in - out * out;
    if (energy < least) least = energy, quietest = i;
  }
  return quietest + kWindow / 2;
}

Decoding::Decoding(audio::FiniteAudio audio, Milliseconds longest)
    : audio_(std::move(audio)), pieces_(Cut(audio_.samples(), longest)) {}

std::optional<Clip> Decoding::Next() const {
  if (pieces_.empty()) return std::nullopt;
  const Piece& piece = pieces_.front();
  return Clip{audio_, piece.begin, piece.end - piece.begin};
}

void Decoding::Add(RunResult result) {
  const Piece piece = pieces_.front();
  pieces_.pop_front();
  const std::size_t count = piece.end - piece.begin;
  if (result.truncated && count >= kShortestPiece) {
    const std::size_t cut = piece.begin + QuietestCut(audio_.samples().subspan(piece.begin, count));
    pieces_.push_front({.begin = cut, .end = piece.end, .forced = piece.forced});
    pieces_.push_front({.begin = piece.begin, .end = cut, .overlaps = piece.overlaps});
    return;
  }
  const Milliseconds offset = audio::DurationOf(static_cast<std::int64_t>(piece.begin));
  for (speech::Segment& segment : result.transcript.segments) {
    segment.start += offset;
    segment.end += offset;
    for (speech::Word& word : segment.words) word.start += offset, word.end += offset;
  }
  auto ready = stitcher_.Add(std::move(result.transcript.segments), piece.overlaps, piece.forced);
  std::ranges::move(ready, std::back_inserter(whole_.transcript.segments));
  Append(whole_, std::move(result));
}

RunResult Decoding::Finish() {
  std::ranges::move(stitcher_.Finish(), std::back_inserter(whole_.transcript.segments));
  return std::move(whole_);
}

Milliseconds Decoding::left() const {
  std::size_t samples = 0;
  for (const Piece& piece : pieces_) samples += piece.end - piece.begin;
  return audio::DurationOf(static_cast<std::int64_t>(samples));
}

}  // namespace headroom::asr
