// Any bytes as whisper.cpp's .bin.
#include <cstdint>
#include <span>

#include "models/formats/inspect_source.h"
#include "models/formats/whisper_bin.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace headroom::models;
  const MemorySource source(std::as_bytes(std::span(data, size)));
  const auto header = ReadWhisperBinHeader(source);
  (void)InspectSource(source);
  if (!header) return 0;
  for (const GgufTensor& tensor : header->tensors)
    if (tensor.offset + tensor.bytes > source.size() || tensor.elements() < 1) __builtin_trap();
  return 0;
}
