#include "models/formats/ct2_whisper.h"

#include "models/formats/ct2_folder.h"
#include "models/formats/ct2_tensors.h"
#include "models/formats/import_mel.h"
#include "models/formats/tokenizer.h"
#include "models/formats/whisper_keys.h"

namespace headroom::models {

Result<ImportPlan> PlanCt2Whisper(const std::filesystem::path& folder, const ByteSource& source) {
  auto model = ReadCt2Model(source);
  if (!model) return Within(model, "{}", (folder / "model.bin").native());
  auto planned = PlanCt2Tensors(*model, source);
  if (!planned) return Within(planned, "{}", (folder / "model.bin").native());
  const WhisperShape& shape = planned->shape;
  TRY_ASSIGN(const Ct2Config config, ReadCt2Config(folder, shape.vocabulary));
  TRY_ASSIGN(const WhisperVocabulary vocabulary, ReadVocabulary(folder, shape.vocabulary));
  TRY_ASSIGN(std::vector<float> filters, ReadMelFilters(folder, shape.mels));

  ImportPlan plan;
  SetWhisperKeys(plan.keys, shape, vocabulary, config, planned->file_type);
  plan.tensors.push_back(
      Plan("frontend.mel_filterbank", GgmlType::kF32, {shape.mels, kWhisperBins}));
  plan.tensors.back().values = std::move(filters);
  plan.tensors.push_back(Plan("frontend.window", GgmlType::kF32, {kWhisperFft}));
  plan.tensors.back().values = HannWindow();
  for (PlannedTensor& tensor : planned->tensors) plan.tensors.push_back(std::move(tensor));
  return plan;
}

}  // namespace headroom::models
