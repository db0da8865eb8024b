// What the families put together; skeleton.cc chooses the types and writes the file.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "models/formats/gguf.h"
#include "models/formats/gguf_writer.h"

namespace headroom::models {

struct SkeletonParts {
  std::uint32_t file_type = 0;  // in: for general.file_type
  GgufKeys keys;
  std::vector<GgufTensor> tensors;  // names and shapes; types come later

  /// Dimensions fastest first.
  void Tensor(std::string name, std::initializer_list<std::int64_t> ne);
  /// name.weight and name.bias
  void Linear(const std::string& name, std::int64_t in, std::int64_t out);
  /// The same for one number per channel.
  void Norm(const std::string& name, std::int64_t width);
};

/// The 25 European languages of canary-1b-v2 and parakeet-tdt-0.6b-v3, ISO 639-1.
const std::vector<std::string>& European25();

/// Whether a model is of this family, in a few comparisons.
bool IsWhisper(std::string_view model);
bool IsCanary(std::string_view model);
bool IsParakeet(std::string_view model);

/// False for a model that is not of this family.
bool AddWhisper(std::string_view model, SkeletonParts& parts);
bool AddCanary(std::string_view model, SkeletonParts& parts);
bool AddParakeet(std::string_view model, SkeletonParts& parts);

}  // namespace headroom::models
