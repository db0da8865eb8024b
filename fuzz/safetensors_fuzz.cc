// Any bytes as a .safetensors file.
#include <cstdint>
#include <span>

#include "models/formats/import_silero.h"
#include "models/formats/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace headroom::models;
  const MemorySource source(std::as_bytes(std::span(data, size)));
  const auto tensors = ReadSafetensorsHeader(source);
  (void)PlanSilero(source);
  if (!tensors) return 0;
  for (const auto& [name, tensor] : *tensors)
    if (tensor.offset < 0 || tensor.bytes < 0 || tensor.offset + tensor.bytes > source.size())
      __builtin_trap();
  return 0;
}
