// Anything a worker or a supervisor could be sent: bytes to CBOR to every message type.
#include <cstdint>
#include <span>

#include "asr/client/channel.h"
#include "asr/client/protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace headroom::asr;
  const auto body = ParseMessage(std::as_bytes(std::span(data, size)));
  if (!body) return 0;
  (void)ParseHello(*body);
  (void)ParseLoadRequest(*body);
  (void)ParseModelTraits(*body);
  (void)ParseRecognitionOptions(*body);
  (void)ParseBatchRequest(*body);
  (void)ParseBatchResult(*body);
  (void)ParseWorkerStats(*body);
  (void)ParseError(*body);
  if (const auto result = ParseRunResult(*body)) {
    // What was understood must survive the way back.
    const auto again = ParseRunResult(ToJson(*result));
    if (!again || ToJson(*again) != ToJson(*result)) __builtin_trap();
  }
  return 0;
}
