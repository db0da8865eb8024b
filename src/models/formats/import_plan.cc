#include "models/formats/import_plan.h"

#include <algorithm>

#include "base/check.h"
#include "models/formats/import_output.h"

namespace headroom::models {
namespace {

constexpr std::int64_t kBlock = 512 * 1024;  // numbers held at once

class PlanWriter {
 public:
  PlanWriter(const ByteSource& source, PendingFile& file, Bytes total,
             const OnImportProgress& progress, CancelToken* cancel)
      : source_(source), file_(file), total_(total), progress_(progress), cancel_(cancel) {}

  Result<> Header(std::string_view header) {
    TRY(Put(std::as_bytes(std::span(header))));
    return {};
  }

  Result<> Tensor(const PlannedTensor& planned) {
    const GgufTensor& tensor = planned.tensor;
    for (std::int64_t at = 0; at < tensor.elements(); at += kBlock) {
      if (cancel_ != nullptr && cancel_->raised()) return Fail(Errc::kCancelled, "import stopped");
      auto done = Block(planned, at, std::min(kBlock, tensor.elements() - at));
      if (!done) return Within(done, "{}", tensor.name);
    }
    const std::vector<std::byte> padding(static_cast<std::size_t>(GgufPadding(tensor.bytes)));
    return Put(padding);
  }

 private:
  Result<> Put(std::span<const std::byte> bytes) {
    if (bytes.empty()) return {};
    TRY(file_.Write(bytes));
    done_ += Bytes(static_cast<std::int64_t>(bytes.size()));
    if (progress_ && (done_ - reported_ >= MiB(4) || done_ == total_)) {
      progress_({done_, total_});
      reported_ = done_;
    }
    return {};
  }

  Result<> Block(const PlannedTensor& planned, std::int64_t first, std::int64_t count) {
    const GgmlType to = planned.tensor.type;
    encoded_.clear();
    if (!planned.values.empty()) {
      TRY(Encode(to,
                 std::span(planned.values)
                     .subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count)),
                 encoded_));
      return Put(encoded_);
    }
    const auto each = static_cast<std::int64_t>(BytesOf(planned.type));
    raw_.resize(static_cast<std::size_t>(count * each));
    TRY(source_.ReadAt(planned.offset + first * each, raw_));
    const GgmlType as = NearestGgmlType(planned.type);
    const bool integer = planned.type == NumberType::kI8 || planned.type == NumberType::kI16;
    if (!integer && !AllFinite(as, raw_))
      return Fail(Errc::kCorrupt, "not every weight is a finite number");
    if (as == to && !integer && planned.divisors.empty()) return Put(raw_);
    numbers_.clear();
    Decode(planned.type, raw_, numbers_);
    if (!planned.divisors.empty()) {
      for (std::int64_t i = 0; i < count; ++i)
        numbers_[static_cast<std::size_t>(i)] /=
            planned.divisors[static_cast<std::size_t>((first + i) / planned.per_divisor)];
    }
    TRY(Encode(to, numbers_, encoded_));
    return Put(encoded_);
  }

  const ByteSource& source_;
  PendingFile& file_;
  const Bytes total_;
  const OnImportProgress& progress_;
  CancelToken* const cancel_;  // may be null
  Bytes done_, reported_;
  std::vector<std::byte> raw_, encoded_;
  std::vector<float> numbers_;
};

}  // namespace

PlannedTensor Plan(std::string name, GgmlType type, const std::vector<std::int64_t>& shape) {
  CHECK(shape.size() <= 4);
  PlannedTensor planned;
  planned.tensor.name = std::move(name);
  planned.tensor.type = type;
  planned.tensor.rank = static_cast<int>(shape.size());
  std::ranges::reverse_copy(shape, planned.tensor.ne.begin());
  return planned;
}

Result<> WritePlan(ImportPlan plan, const ByteSource& source,
                   const std::filesystem::path& destination, const OnImportProgress& progress,
                   CancelToken* cancel) {
  std::vector<GgufTensor> tensors;
  for (const PlannedTensor& planned : plan.tensors) tensors.push_back(planned.tensor);
  const std::string header = EncodeGgufHeader(plan.keys, tensors);
  Bytes total(static_cast<std::int64_t>(header.size()));
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    plan.tensors[i].tensor = tensors[i];
    total += Bytes(tensors[i].bytes + GgufPadding(tensors[i].bytes));
  }
  TRY_ASSIGN(PendingFile file, PendingFile::Make(destination, total));
  PlanWriter writer(source, file, total, progress, cancel);
  TRY(writer.Header(header));
  for (const PlannedTensor& planned : plan.tensors) TRY(writer.Tensor(planned));
  return file.Commit();
}

}  // namespace headroom::models
