#include "models/formats/import_silero.h"

#include "models/formats/safetensors.h"

namespace headroom::models {
namespace {

using Shape = std::vector<std::int64_t>;

// Sizes of 1 are dropped on our side; nothing is transposed.
const struct {
  const char* from;
  Shape from_shape;
  const char* to;
  Shape to_shape;
} kTensors[] = {
    {"stft_conv.weight", {258, 1, 256}, "frontend.stft_basis", {258, 256}},
    {"conv1.weight", {128, 129, 3}, "enc.0.conv.weight", {128, 129, 3}},
    {"conv1.bias", {128}, "enc.0.conv.bias", {128}},
    {"conv2.weight", {64, 128, 3}, "enc.1.conv.weight", {64, 128, 3}},
    {"conv2.bias", {64}, "enc.1.conv.bias", {64}},
    {"conv3.weight", {64, 64, 3}, "enc.2.conv.weight", {64, 64, 3}},
    {"conv3.bias", {64}, "enc.2.conv.bias", {64}},
    {"conv4.weight", {128, 64, 3}, "enc.3.conv.weight", {128, 64, 3}},
    {"conv4.bias", {128}, "enc.3.conv.bias", {128}},
    {"lstm_cell.weight_ih", {512, 128}, "lstm.weight_ih", {512, 128}},
    {"lstm_cell.weight_hh", {512, 128}, "lstm.weight_hh", {512, 128}},
    {"lstm_cell.bias_ih", {512}, "lstm.bias_ih", {512}},
    {"lstm_cell.bias_hh", {512}, "lstm.bias_hh", {512}},
    {"final_conv.weight", {1, 128, 1}, "head.weight", {128}},
    {"final_conv.bias", {1}, "head.bias", {1}},
};

}  // namespace

Result<ImportPlan> PlanSilero(const ByteSource& source) {
  TRY_ASSIGN(const auto tensors, ReadSafetensorsHeader(source));
  ImportPlan plan;
  for (const auto& [from, from_shape, to, to_shape] : kTensors) {
    const auto it = tensors.find(from);
    if (it == tensors.end())
      return Fail(
          Errc::kUnsupported,
          "not Silero VAD: it has no {}; that is the only .safetensors that can be imported", from);
    const SafeTensor& tensor = it->second;
    if (tensor.shape != from_shape)
      return Fail(Errc::kUnsupported, "{} has the shape ({}); ({}) was expected", from,
                  fmt::join(tensor.shape, ", "), fmt::join(from_shape, ", "));
    PlannedTensor planned = Plan(to, GgmlType::kF32, to_shape);
    planned.offset = tensor.offset;
    if (tensor.dtype == "F16") {
      planned.type = NumberType::kF16;
    } else if (tensor.dtype == "BF16") {
      planned.type = NumberType::kBF16;
    } else if (tensor.dtype != "F32") {
      return Fail(Errc::kUnsupported, "{} is {}; F32, F16 or BF16 was expected", from,
                  tensor.dtype);
    }
    plan.tensors.push_back(std::move(planned));
  }
  if (tensors.size() != std::size(kTensors))
    return Fail(Errc::kUnsupported, "Silero VAD of an unknown version: {} tensors instead of {}",
                tensors.size(), std::size(kTensors));
  GgufKeys& keys = plan.keys;
  keys.SetText("general.architecture", "silero_vad");
  keys.SetText("general.type", "model");
  keys.SetText("general.name", "silero-vad-v6.2");
  keys.SetUnsigned("general.file_type", 0);
  keys.SetText("stt.variant", "silero-vad-v6.2");
  keys.SetUnsigned("stt.frontend.sample_rate", 16000);
  keys.SetUnsigned("stt.frontend.n_fft", 256);
  keys.SetUnsigned("stt.frontend.hop_length", 128);
  keys.SetUnsigned("stt.vad.frame_samples", 512);
  keys.SetUnsigned("stt.silero_vad.context_samples", 64);
  keys.SetUnsigned("stt.silero_vad.reflect_pad", 64);
  keys.SetUnsigned("stt.silero_vad.lstm_hidden", 128);
  keys.SetIntegers("stt.silero_vad.encoder_channels", {129, 128, 64, 64, 128});
  keys.SetIntegers("stt.silero_vad.encoder_strides", {1, 2, 2, 1});
  return plan;
}

}  // namespace headroom::models
