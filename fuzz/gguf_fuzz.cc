// Any bytes as a GGUF file.
#include <cstdint>
#include <span>

#include "models/formats/gguf.h"
#include "models/formats/inspect_source.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace headroom::models;
  const MemorySource source(std::as_bytes(std::span(data, size)));
  const auto header = ReadGgufHeader(source);
  (void)InspectSource(source);
  if (!header) return 0;
  // What was accepted lies in the file, in order.
  std::int64_t last = header->data_offset;
  for (const GgufTensor& tensor : header->tensors) {
    if (tensor.offset < last || tensor.bytes < 1) __builtin_trap();
    last = tensor.offset + tensor.bytes;
    if (last > source.size() || tensor.elements() < 1) __builtin_trap();
  }
  return 0;
}
