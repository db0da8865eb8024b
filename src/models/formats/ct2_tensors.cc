#include "models/formats/ct2_tensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/text.h"

namespace headroom::models {
namespace {

constexpr std::int64_t kMostLayers = 64;
constexpr std::uint8_t kGelu = 3;  // CTranslate2's ActivationType::GELU

NumberType Numbers(Ct2Type type) {
  switch (type) {
    case Ct2Type::kI8:
      return NumberType::kI8;
    case Ct2Type::kI16:
      return NumberType::kI16;
    case Ct2Type::kF16:
      return NumberType::kF16;
    case Ct2Type::kBF16:
      return NumberType::kBF16;
    case Ct2Type::kF32:
    case Ct2Type::kI32:
      break;
  }
  return NumberType::kF32;
}

class Planner {
 public:
  Planner(const Ct2Model& model, const ByteSource& source) : model_(model), source_(source) {}

  Result<Ct2Tensors> Run() {
    TRY(CheckSettings());
    TRY(Measure());
    TRY(Tops());
    for (std::int64_t i = 0; i < shape().encoder_layers; ++i) TRY(EncoderLayer(i));
    for (std::int64_t i = 0; i < shape().decoder_layers; ++i) TRY(DecoderLayer(i));
    for (const auto& [name, variable] : model_.variables) {
      if (!used_.contains(name) && !variable.dims.empty() && name != "decoder/alignment_heads")
        return Fail(Errc::kUnsupported, "it has a weight that Whisper does not have: {}",
                    Printable(name));
    }
    return std::move(result_);
  }

 private:
  using Shape = std::vector<std::int64_t>;

  WhisperShape& shape() { return result_.shape; }

  Result<const Ct2Variable*> Find(const std::string& name) const {
    const auto it = model_.variables.find(name);
    if (it == model_.variables.end()) return Fail(Errc::kCorrupt, "the weight {} is missing", name);
    return &it->second;
  }

  // A number that is not an array; nullopt when absent.
  Result<std::optional<std::int64_t>> Setting(const std::string& name) const {
    const auto it = model_.variables.find(name);
    if (it == model_.variables.end()) return std::optional<std::int64_t>();
    const Ct2Variable& variable = it->second;
    std::int64_t value = 0;
    if (!variable.dims.empty() || variable.type == Ct2Type::kF32 ||
        variable.type == Ct2Type::kF16 || variable.type == Ct2Type::kBF16)
      return Fail(Errc::kCorrupt, "{} is not a whole number", name);
    std::byte raw[4]{};
    TRY(source_.ReadAt(variable.offset,
                       std::span(raw).first(static_cast<std::size_t>(variable.bytes))));
    std::int8_t small = 0;
    std::int16_t middle = 0;
    std::int32_t large = 0;
    if (variable.type == Ct2Type::kI8) std::memcpy(&small, raw, 1), value = small;
    if (variable.type == Ct2Type::kI16) std::memcpy(&middle, raw, 2), value = middle;
    if (variable.type == Ct2Type::kI32) std::memcpy(&large, raw, 4), value = large;
    return std::optional(value);
  }

  Result<> CheckSettings() const {
    if (model_.spec != "WhisperSpec")
      return Fail(Errc::kUnsupported, "a CTranslate2 model, and not Whisper: {}",
                  Printable(model_.spec));
    const struct {
      const char* name;
      std::int64_t must;
    } settings[] = {{"decoder/activation", kGelu}, {"decoder/alibi", 0},
                    {"decoder/pre_norm", 1},       {"decoder/scale_embeddings", 0},
                    {"encoder/activation", kGelu}, {"decoder/start_from_zero_embedding", 0}};
    for (const auto& [name, must] : settings) {
      TRY_ASSIGN(const auto value, Setting(name));
      if (value.value_or(must) != must)
        return Fail(Errc::kUnsupported, "{} is {}; Whisper's is {}", name, *value, must);
    }
    return {};
  }

  Result<> CheckShape(const std::string& name, const Ct2Variable& variable,
                      const Shape& shape) const {
    if (variable.dims == shape) return {};
    return Fail(Errc::kCorrupt, "{} has the shape ({}); ({}) was expected", name,
                fmt::join(variable.dims, ", "), fmt::join(shape, ", "));
  }

  Result<std::int64_t> Heads(const char* name) const {
    TRY_ASSIGN(const auto heads, Setting(name));
    const std::int64_t count = heads.value_or(result_.shape.width / 64);
    if (count < 1 || result_.shape.width % count != 0)
      return Fail(Errc::kCorrupt, "{} is {} for a width of {}", name, count, result_.shape.width);
    return count;
  }

  Result<std::int64_t> Dim(const std::string& name, std::size_t rank, std::size_t which,
                           std::int64_t most) const {
    TRY_ASSIGN(const Ct2Variable* variable, Find(name));
    if (variable->dims.size() != rank)
      return Fail(Errc::kCorrupt, "{} has {} dimensions, not {}", name, variable->dims.size(),
                  rank);
    const std::int64_t dim = variable->dims[which];
    if (dim > most) return Fail(Errc::kUnsupported, "{} is too large: {}", name, dim);
    return dim;
  }

  std::int64_t CountLayers(const char* stack) const {
    std::int64_t count = 0;
    while (count <= kMostLayers &&
           model_.variables.contains(fmt::format("{}/layer_{}/ffn/linear_0/weight", stack, count)))
      ++count;
    return count;
  }

  Result<> Measure() {
    WhisperShape& s = shape();
    TRY_ASSIGN(s.width, Dim("encoder/conv1/weight", 3, 0, 16384));
    TRY_ASSIGN(s.mels, Dim("encoder/conv1/weight", 3, 1, 1024));
    if (s.mels != 80 && s.mels != 128)
      return Fail(Errc::kUnsupported, "{} mel bands; Whisper has 80 or 128", s.mels);
    TRY_ASSIGN(s.audio_positions, Dim("encoder/position_encodings/encodings", 2, 0, 65536));
    TRY_ASSIGN(s.text_positions, Dim("decoder/position_encodings/encodings", 2, 0, 65536));
    TRY_ASSIGN(s.vocabulary, Dim("decoder/embeddings/weight", 2, 0, 1 << 20));
    s.encoder_layers = CountLayers("encoder");
    s.decoder_layers = CountLayers("decoder");
    for (const std::int64_t layers : {s.encoder_layers, s.decoder_layers}) {
      if (layers < 1 || layers > kMostLayers)
        return Fail(Errc::kCorrupt, "{} encoder and {} decoder layers", s.encoder_layers,
                    s.decoder_layers);
    }
    TRY_ASSIGN(s.encoder_heads, Heads("encoder/num_heads"));
    TRY_ASSIGN(s.decoder_heads, Heads("decoder/num_heads"));
    TRY_ASSIGN(s.encoder_ffn, Dim("encoder/layer_0/ffn/linear_0/weight", 2, 0, 1 << 17));
    TRY_ASSIGN(s.decoder_ffn, Dim("decoder/layer_0/ffn/linear_0/weight", 2, 0, 1 << 17));
    TRY_ASSIGN(const Ct2Variable* embedding, Find("decoder/embeddings/weight"));
    linear_ = NearestGgmlType(Numbers(embedding->type));
    result_.file_type = linear_ == GgmlType::kF32 ? 0 : linear_ == GgmlType::kF16 ? 1 : 32;
    return {};
  }

  // The scales beside a quantised weight: one, or one for each of its `rows`.
  Result<std::vector<float>> Scales(const std::string& weight, std::int64_t rows) {
    const std::string name = weight + "_scale";
    TRY_ASSIGN(const Ct2Variable* variable, Find(name));
    used_.insert(name);
    if (!variable->dims.empty()) TRY(CheckShape(name, *variable, {rows}));
    if (variable->type != Ct2Type::kF32 && variable->type != Ct2Type::kF16)
      return Fail(Errc::kUnsupported, "{} is neither float32 nor float16", name);
    std::vector<std::byte> raw(static_cast<std::size_t>(variable->bytes));
    TRY(source_.ReadAt(variable->offset, raw));
    std::vector<float> scales;
    Decode(Numbers(variable->type), raw, scales);
    for (const float scale : scales)
      if (!std::isfinite(scale) || scale == 0)
        return Fail(Errc::kCorrupt, "{} has a scale of {}", name, scale);
    scales.resize(static_cast<std::size_t>(rows), scales.front());
    return scales;
  }

  // Rows first .. first + rows of a variable become a tensor of the same rank.
  Result<> Rows(const std::string& from, const std::string& to, GgmlType type, const Shape& whole,
                std::int64_t first, std::int64_t rows) {
    TRY_ASSIGN(const Ct2Variable* variable, Find(from));
    used_.insert(from);
    TRY(CheckShape(from, *variable, whole));
    if (variable->type == Ct2Type::kI32)
      return Fail(Errc::kUnsupported, "{} holds 32-bit integers", from);
    Shape shape = whole;
    shape[0] = rows;
    PlannedTensor planned = Plan(to, type, shape);
    planned.type = Numbers(variable->type);
    const std::int64_t row_bytes = variable->bytes / whole[0];
    planned.offset = variable->offset + first * row_bytes;
    if (planned.type == NumberType::kI8 || planned.type == NumberType::kI16) {
      TRY_ASSIGN(std::vector<float> scales, Scales(from, whole[0]));
      planned.divisors.assign(scales.begin() + first, scales.begin() + first + rows);
      planned.per_divisor = row_bytes / static_cast<std::int64_t>(BytesOf(planned.type));
    }
    result_.tensors.push_back(std::move(planned));
    return {};
  }

  Result<> Whole(const std::string& from, const std::string& to, GgmlType type,
                 const Shape& shape) {
    return Rows(from, to, type, shape, 0, shape[0]);
  }

  Result<> Norm(const std::string& from, const std::string& to) {
    TRY(Whole(from + "/gamma", to + ".weight", GgmlType::kF32, {shape().width}));
    return Whole(from + "/beta", to + ".bias", GgmlType::kF32, {shape().width});
  }

  Result<> Linear(const std::string& from, const std::string& to, std::int64_t out,
                  std::int64_t in) {
    TRY(Whole(from + "/weight", to + ".weight", linear_, {out, in}));
    return Whole(from + "/bias", to + ".bias", GgmlType::kF32, {out});
  }

  // Part `index` of `parts` linear layers in one, stacked by rows.
  Result<> Part(const std::string& from, const std::string& to, int index, int parts, bool bias) {
    const std::int64_t width = shape().width;
    TRY(Rows(from + "/weight", to + ".weight", linear_, {parts * width, width}, index * width,
             width));
    if (bias)
      return Rows(from + "/bias", to + ".bias", GgmlType::kF32, {parts * width}, index * width,
                  width);
    return NoBias(from + "/bias", index, parts);
  }

  // Whisper's keys have no bias; where they are stacked with others, zeros are in its place.
  Result<> NoBias(const std::string& name, int index, int parts) {
    const std::int64_t width = shape().width;
    TRY_ASSIGN(const Ct2Variable* variable, Find(name));
    TRY(CheckShape(name, *variable, {parts * width}));
    std::vector<std::byte> raw(static_cast<std::size_t>(variable->bytes / parts));
    TRY(source_.ReadAt(variable->offset + index * static_cast<std::int64_t>(raw.size()), raw));
    // -0 is a zero too; its only bit is the last.
    const std::size_t each = raw.size() / static_cast<std::size_t>(width);
    for (std::size_t i = 0; i < raw.size(); ++i)
      if (raw[i] != std::byte{0} && !(i % each == each - 1 && raw[i] == std::byte{0x80}))
        return Fail(Errc::kUnsupported, "{} has a bias for the keys, which Whisper does not", name);
    return {};
  }

  Result<> SelfAttention(const std::string& from, const std::string& norm, const std::string& to) {
    TRY(Norm(from + "/layer_norm", norm));
    TRY(Part(from + "/linear_0", to + ".q", 0, 3, true));
    TRY(Part(from + "/linear_0", to + ".k", 1, 3, false));
    TRY(Part(from + "/linear_0", to + ".v", 2, 3, true));
    return Linear(from + "/linear_1", to + ".out", shape().width, shape().width);
  }

  Result<> CrossAttention(const std::string& from, const std::string& norm, const std::string& to) {
    TRY(Norm(from + "/layer_norm", norm));
    TRY(Linear(from + "/linear_0", to + ".q", shape().width, shape().width));
    TRY(Part(from + "/linear_1", to + ".k", 0, 2, false));
    TRY(Part(from + "/linear_1", to + ".v", 1, 2, true));
    return Linear(from + "/linear_2", to + ".out", shape().width, shape().width);
  }

  Result<> FeedForward(const std::string& from, const std::string& to, std::int64_t ffn) {
    TRY(Norm(from + "/layer_norm", to + ".norm_ffn"));
    TRY(Linear(from + "/linear_0", to + ".ffn.fc1", ffn, shape().width));
    return Linear(from + "/linear_1", to + ".ffn.fc2", shape().width, ffn);
  }

  Result<> Tops() {
    const WhisperShape& s = shape();
    // The engine's own files keep the convolutions in F32 at every quantisation.
    TRY(Whole("encoder/conv1/weight", "enc.conv.0.weight", GgmlType::kF32, {s.width, s.mels, 3}));
    TRY(Whole("encoder/conv1/bias", "enc.conv.0.bias", GgmlType::kF32, {s.width}));
    TRY(Whole("encoder/conv2/weight", "enc.conv.1.weight", GgmlType::kF32, {s.width, s.width, 3}));
    TRY(Whole("encoder/conv2/bias", "enc.conv.1.bias", GgmlType::kF32, {s.width}));
    TRY(Whole("encoder/position_encodings/encodings", "enc.pos_emb.weight", GgmlType::kF32,
              {s.audio_positions, s.width}));
    TRY(Norm("encoder/layer_norm", "enc.final_norm"));
    TRY(Whole("decoder/embeddings/weight", "dec.token_embd.weight", linear_,
              {s.vocabulary, s.width}));
    TRY(Whole("decoder/position_encodings/encodings", "dec.pos_emb.weight", GgmlType::kF32,
              {s.text_positions, s.width}));
    return Norm("decoder/layer_norm", "dec.final_norm");
  }

  Result<> EncoderLayer(std::int64_t i) {
    const std::string from = fmt::format("encoder/layer_{}", i);
    const std::string to = fmt::format("enc.blocks.{}", i);
    TRY(SelfAttention(from + "/self_attention", to + ".norm_attn", to + ".attn"));
    return FeedForward(from + "/ffn", to, shape().encoder_ffn);
  }

  Result<> DecoderLayer(std::int64_t i) {
    const std::string from = fmt::format("decoder/layer_{}", i);
    const std::string to = fmt::format("dec.blocks.{}", i);
    TRY(SelfAttention(from + "/self_attention", to + ".norm_self", to + ".self_attn"));
    TRY(CrossAttention(from + "/attention", to + ".norm_cross", to + ".cross_attn"));
    return FeedForward(from + "/ffn", to, shape().decoder_ffn);
  }

  const Ct2Model& model_;
  const ByteSource& source_;
  std::set<std::string, std::less<>> used_;  // variables that became tensors
  GgmlType linear_ = GgmlType::kF32;
  Ct2Tensors result_;
};

}  // namespace

Result<Ct2Tensors> PlanCt2Tensors(const Ct2Model& model, const ByteSource& source) {
  return Planner(model, source).Run();
}

}  // namespace headroom::models
