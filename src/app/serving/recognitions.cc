#include "app/serving/recognitions.h"

#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "audio/format/finite_audio.h"

namespace headroom::app {
namespace {

Result<audio::FiniteAudio> ReadSamples(const Fd& audio) {
  constexpr std::size_t kSample = sizeof(float);
  TRY_ASSIGN(const Mapping mapping, Mapping::OfSealed(audio.get(), asr::kMaxRunSamples * kSample));
  const auto bytes = mapping.bytes();
  if (bytes.empty() || bytes.size() % kSample != 0)
    return Fail(Errc::kInvalid, "{} bytes are no samples of {} bytes each", bytes.size(), kSample);
  std::vector<float> samples(bytes.size() / kSample);
  std::memcpy(samples.data(), bytes.data(), bytes.size());
  return audio::FiniteAudio(std::move(samples));
}

}  // namespace

void Recognitions::Begin(net::RecognitionId id, net::RecognizeRequest request, net::Answer answer) {
  if (clients_.size() >= kMost)
    return answer(Fail(Errc::kBusy, "{} recordings are being recognised; come again", kMost));
  auto samples = ReadSamples(request.audio);
  if (!samples) return answer(Fail(std::move(samples.error())));
  const auto shared = std::make_shared<net::Answer>(std::move(answer));
  auto client = scheduler_.Connect(
      asr::Urgency::kFile, {.on_decoded = [shared](const asr::Decoded& decoded) {
        if (!decoded.result) return (*shared)(Fail(decoded.result.error()));
        (*shared)(nlohmann::json{{"result", asr::ToJson(*decoded.result)}, {"tier", decoded.tier}});
      }});
  const auto submitted =
      client->Submit({.id = 1, .options = request, .audio = std::move(*samples)});
  if (!submitted) return (*shared)(Fail(submitted.error()));
  clients_.emplace(id, std::move(client));
}

}  // namespace headroom::app
