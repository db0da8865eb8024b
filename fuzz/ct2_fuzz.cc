// Any bytes as CTranslate2's model.bin, down to the plan for its tensors.
#include <cstdint>
#include <span>

#include "models/formats/ct2_tensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace headroom::models;
  const MemorySource source(std::as_bytes(std::span(data, size)));
  const auto model = ReadCt2Model(source);
  if (!model) return 0;
  const auto planned = PlanCt2Tensors(*model, source);
  if (!planned) return 0;
  for (const PlannedTensor& tensor : planned->tensors) {
    const auto bytes = TensorBytes(tensor.tensor.type, tensor.tensor.ne);
    if (!bytes) __builtin_trap();
    const std::int64_t end =
        tensor.offset + tensor.tensor.elements() * static_cast<std::int64_t>(BytesOf(tensor.type));
    if (tensor.offset < 0 || end > source.size()) __builtin_trap();
    const auto divided = static_cast<std::int64_t>(tensor.divisors.size()) * tensor.per_divisor;
    if (!tensor.divisors.empty() && divided < tensor.tensor.elements()) __builtin_trap();
  }
  return 0;
}
