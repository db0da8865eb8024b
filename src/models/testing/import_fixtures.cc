#include "models/testing/import_fixtures.h"

#include <fmt/format.h>

#include <algorithm>

#include "models/formats/gguf_writer.h"
#include "models/formats/import_numbers.h"
#include "models/formats/whisper_bin.h"

namespace headroom::models {
namespace {

std::string Numbers(std::uint8_t type, std::size_t count) {
  std::string data;
  for (std::size_t i = 0; i < count; ++i) {
    const int value = static_cast<int>(i % 7) - 3;
    switch (type) {
      case 0:
        Put(data, static_cast<float>(value));
        break;
      case 1:
        Put(data, static_cast<std::int8_t>(value));
        break;
      case 2:
        Put(data, static_cast<std::int16_t>(value));
        break;
      case 3:
        Put(data, static_cast<std::int32_t>(value));
        break;
      case 4:
        Put(data, FloatToHalf(static_cast<float>(value)));
        break;
      default:
        Put(data, static_cast<std::uint16_t>(
                      std::bit_cast<std::uint32_t>(static_cast<float>(value)) >> 16));
    }
  }
  return data;
}

void PutText16(std::string& to, const std::string& text) {
  Put(to, static_cast<std::uint16_t>(text.size() + 1));
  to += text;
  to += '\0';
}

class WhisperBuilder {
 public:
  WhisperBuilder(std::uint8_t type, std::uint32_t width) : type_(type), width_(width) {}

  void Weight(const std::string& name, std::vector<std::uint32_t> dims, bool linear) {
    const bool quantised = type_ == 1 || type_ == 2;
    const std::uint8_t type = quantised && !linear ? 0 : type_;
    std::size_t count = 1;
    for (const std::uint32_t dim : dims) count *= dim;
    variables.push_back({name, dims, type, Numbers(type, count)});
    if (!quantised || !linear) return;
    // One scale a row for 8 bits, one for all for 16.
    std::string scales;
    const std::uint32_t rows = type_ == 1 ? dims[0] : 1;
    for (std::uint32_t i = 0; i < rows; ++i) Put(scales, 2.0F);
    variables.push_back({name + "_scale",
                         type_ == 1 ? std::vector{rows} : std::vector<std::uint32_t>(), 0, scales});
  }
  void Setting(const std::string& name, std::uint8_t type, int value) {
    std::string data;
    if (type == 1) Put(data, static_cast<std::int8_t>(value));
    if (type == 2) Put(data, static_cast<std::int16_t>(value));
    variables.push_back({name, {}, type, data});
  }
  void Norm(const std::string& at) {
    Weight(at + "/gamma", {width_}, false);
    Weight(at + "/beta", {width_}, false);
  }
  // `keys`: which stacked part is the keys', without a bias; -1: none.
  void Linear(const std::string& at, std::uint32_t out, std::uint32_t in, int keys = -1) {
    Weight(at + "/weight", {out, in}, true);
    Weight(at + "/bias", {out}, false);
    if (keys < 0) return;
    std::string& data = variables.back().data;
    const std::size_t each = data.size() / out * width_;
    std::fill_n(data.begin() + static_cast<std::ptrdiff_t>(each * static_cast<std::size_t>(keys)),
                each, '\0');
  }
  void Layer(const std::string& at, bool decoder) {
    Norm(at + "/self_attention/layer_norm");
    Linear(at + "/self_attention/linear_0", 3 * width_, width_, 1);
    Linear(at + "/self_attention/linear_1", width_, width_);
    if (decoder) {
      Norm(at + "/attention/layer_norm");
      Linear(at + "/attention/linear_0", width_, width_);
      Linear(at + "/attention/linear_1", 2 * width_, width_, 0);
      Linear(at + "/attention/linear_2", width_, width_);
    }
    Norm(at + "/ffn/layer_norm");
    Linear(at + "/ffn/linear_0", 4 * width_, width_);
    Linear(at + "/ffn/linear_1", width_, 4 * width_);
  }

  std::vector<Ct2Fixture> variables;

 private:
  std::uint8_t type_;
  std::uint32_t width_;
};

}  // namespace

std::string TinyGguf() {
  GgufKeys keys;
  keys.SetText("general.architecture", "whisper");
  keys.SetText("stt.variant", "whisper-test");
  keys.SetUnsigned("general.file_type", 1);
  keys.SetFloat("some.number", 0.5F);
  keys.SetBool("some.flag", true);
  keys.SetTexts("general.languages", {"en", "de"});
  keys.SetIntegers("some.numbers", {1, -2, 3});
  std::vector<GgufTensor> tensors(3);
  tensors[0] = {.name = "a", .rank = 2, .ne = {3, 2, 1, 1}, .type = GgmlType::kF32};
  tensors[1] = {.name = "b", .rank = 1, .ne = {5, 1, 1, 1}, .type = GgmlType::kF16};
  tensors[2] = {.name = "c", .rank = 2, .ne = {32, 2, 1, 1}, .type = GgmlType::kQ8_0};
  std::string file = EncodeGgufHeader(keys, tensors);
  for (const GgufTensor& tensor : tensors)
    file.append(static_cast<std::size_t>(tensor.bytes + GgufPadding(tensor.bytes)), '\x01');
  return file;
}

std::string EncodeCt2(const std::vector<Ct2Fixture>& variables, const std::string& spec) {
  std::string file;
  Put(file, std::uint32_t{6});
  PutText16(file, spec);
  Put(file, std::uint32_t{3});
  Put(file, static_cast<std::uint32_t>(variables.size()));
  for (const Ct2Fixture& variable : variables) {
    PutText16(file, variable.name);
    Put(file, static_cast<std::uint8_t>(variable.dims.size()));
    for (const std::uint32_t dim : variable.dims) Put(file, dim);
    Put(file, variable.type);
    Put(file, static_cast<std::uint32_t>(variable.data.size()));
    file += variable.data;
  }
  Put(file, std::uint32_t{1});
  PutText16(file, "decoder/projection/weight");
  PutText16(file, variables.front().name);
  return file;
}

std::vector<Ct2Fixture> TinyWhisper(std::uint8_t type, std::uint32_t vocabulary,
                                    std::uint32_t width) {
  WhisperBuilder builder(type, width);
  builder.Weight("decoder/embeddings/weight", {vocabulary, width}, true);
  builder.Setting("decoder/activation", 1, 3);
  builder.Setting("decoder/alignment_layer", 2, -1);
  builder.Setting("decoder/num_heads", 2, 1);
  builder.Setting("encoder/num_heads", 2, 1);
  builder.Setting("decoder/pre_norm", 1, 1);
  builder.Weight("encoder/conv1/weight", {width, 80, 3}, false);
  builder.Weight("encoder/conv1/bias", {width}, false);
  builder.Weight("encoder/conv2/weight", {width, width, 3}, false);
  builder.Weight("encoder/conv2/bias", {width}, false);
  builder.Weight("encoder/position_encodings/encodings", {4, width}, false);
  builder.Norm("encoder/layer_norm");
  builder.Weight("decoder/position_encodings/encodings", {3, width}, false);
  builder.Norm("decoder/layer_norm");
  builder.Layer("encoder/layer_0", false);
  builder.Layer("decoder/layer_0", true);
  return builder.variables;
}

std::string TinySafetensors() {
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},)"
      R"("b":{"dtype":"F16","shape":[],"data_offsets":[8,10]}})";
  std::string file;
  Put(file, static_cast<std::uint64_t>(header.size()));
  return file + header + std::string(10, '\x02');
}

std::string TinySilero() {
  const std::vector<std::pair<std::string, std::vector<int>>> tensors{
      {"stft_conv.weight", {258, 1, 256}},
      {"conv1.weight", {128, 129, 3}},
      {"conv1.bias", {128}},
      {"conv2.weight", {64, 128, 3}},
      {"conv2.bias", {64}},
      {"conv3.weight", {64, 64, 3}},
      {"conv3.bias", {64}},
      {"conv4.weight", {128, 64, 3}},
      {"conv4.bias", {128}},
      {"lstm_cell.weight_ih", {512, 128}},
      {"lstm_cell.weight_hh", {512, 128}},
      {"lstm_cell.bias_ih", {512}},
      {"lstm_cell.bias_hh", {512}},
      {"final_conv.weight", {1, 128, 1}},
      {"final_conv.bias", {1}}};
  std::string header = "{";
  std::size_t at = 0;
  for (const auto& [name, shape] : tensors) {
    std::size_t end = 4;
    for (const int dim : shape) end *= static_cast<std::size_t>(dim);
    end += at;
    header += fmt::format(R"({}"{}":{{"dtype":"F32","shape":[{}],"data_offsets":[{},{}]}})",
                          at == 0 ? "" : ",", name, fmt::join(shape, ","), at, end);
    at = end;
  }
  header += "}";
  std::string file;
  Put(file, static_cast<std::uint64_t>(header.size()));
  return file + header + std::string(at, '\0');
}

std::string TinyWhisperBin() {
  std::string file;
  Put(file, kWhisperBinMagic);
  for (const std::int32_t field : {51864, 4, 2, 1, 1, 3, 2, 1, 1, 80, 1}) Put(file, field);
  Put(file, std::int32_t{80});
  Put(file, std::int32_t{201});
  file.append(80 * 201 * sizeof(float), '\0');
  Put(file, std::int32_t{2});
  for (const std::string token : {"a", "bc"}) {
    Put(file, static_cast<std::uint32_t>(token.size()));
    file += token;
  }
  for (int i = 0; i < 11 + 15 + 24; ++i) {
    const std::string name = fmt::format("tensor.{}", i);
    Put(file, std::int32_t{2});
    Put(file, static_cast<std::int32_t>(name.size()));
    Put(file, std::int32_t{i % 2});
    Put(file, std::int32_t{3});
    Put(file, std::int32_t{2});
    file += name;
    file.append(i % 2 == 0 ? 24 : 12, '\x01');
  }
  return file;
}

std::vector<std::string> PlainTokens(std::int64_t size) {
  std::vector<std::string> tokens;
  const std::int64_t text = size - (size == 51866 ? 1609 : 1608);
  for (std::int64_t i = 0; i < text; ++i) tokens.push_back(fmt::format("t{}", i));
  return tokens;
}

}  // namespace headroom::models
