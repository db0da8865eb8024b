#include "models/formats/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "models/formats/gguf.h"
#include "models/formats/import_numbers.h"
#include "models/testing/import_fixtures.h"

namespace headroom::models {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Importing : public testing::Test {
 protected:
  void SetUp() override {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(testing::TempDir()) / "import" / info->name();
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "model");
  }

  fs::path Write(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return folder_ / name;
  }
  void WriteModel(const std::vector<Ct2Fixture>& variables, std::int64_t vocabulary = 51864) {
    Write("model/model.bin", EncodeCt2(variables));
    Write("model/config.json", R"({"suppress_ids": [1, 2], "suppress_ids_begin": [220]})");
    std::string tokens;
    for (const std::string& token : PlainTokens(vocabulary)) tokens += token + "\n";
    Write("model/vocabulary.txt", tokens);
  }
  Result<ModelHeader> Run(const fs::path& source, CancelToken* cancel = nullptr) {
    return Import(source, out(), {}, cancel);
  }
  // The numbers of a tensor in the imported file.
  std::vector<float> Numbers(const std::string& name) {
    const auto source = FileSource::Open(out());
    const auto header = ReadGgufHeader(*source);
    for (const GgufTensor& tensor : header->tensors) {
      if (tensor.name != name) continue;
      std::vector<std::byte> raw(static_cast<std::size_t>(tensor.bytes));
      EXPECT_TRUE(source->ReadAt(tensor.offset, raw));
      std::vector<float> numbers;
      const NumberType type = tensor.type == GgmlType::kF32   ? NumberType::kF32
                              : tensor.type == GgmlType::kF16 ? NumberType::kF16
                                                              : NumberType::kBF16;
      Decode(type, raw, numbers);
      return numbers;
    }
    ADD_FAILURE() << "no " << name;
    return {};
  }
  // Files in the destination's folder: nothing may be left behind by a failure.
  std::ptrdiff_t FilesOut() const {
    if (!fs::exists(folder_ / "out")) return 0;
    return std::distance(fs::directory_iterator(folder_ / "out"), fs::directory_iterator());
  }

  fs::path out() const { return folder_ / "out/model.gguf"; }
  fs::path folder_;
};

TEST_F(Importing, WhisperKeepsItsNumbers) {
  for (const std::uint8_t type : std::initializer_list<std::uint8_t>{0, 1, 2, 4, 5}) {
    WriteModel(TinyWhisper(type));
    const auto header = Run(folder_ / "model");
    ASSERT_TRUE(header) << header.error().what;
    EXPECT_EQ(header->architecture, "whisper");
    EXPECT_EQ(header->variant, "whisper.en");
    EXPECT_EQ(header->quantisation, type == 0 ? "F32" : type == 5 ? "BF16" : "F16");
    EXPECT_EQ(header->tensors, 2 + 11 + 15 + 24);
    EXPECT_EQ(header->languages, (std::vector<std::string>{"en"}));
    // Numbers go -3, -2, …, 3, -3, …; the stacked keys begin at the fifth, the values at the ninth.
    const float by = type == 1 || type == 2 ? 2 : 1;
    EXPECT_EQ(Numbers("enc.blocks.0.attn.k.weight"),
              (std::vector<float>{1 / by, 2 / by, 3 / by, -3 / by}));
    EXPECT_EQ(Numbers("enc.blocks.0.attn.v.weight"),
              (std::vector<float>{-2 / by, -1 / by, 0, 1 / by}));
    EXPECT_EQ(Numbers("enc.blocks.0.attn.v.bias"), (std::vector<float>{1, 2}));
    EXPECT_EQ(Numbers("dec.token_embd.weight").size(), 51864U * 2);
    EXPECT_EQ(Numbers("enc.conv.0.weight").size(), 2U * 80 * 3);
    EXPECT_EQ(Numbers("frontend.window").size(), 400U);
  }
}

TEST_F(Importing, KeysSayWhatTheEngineAsks) {
  WriteModel(TinyWhisper(4, 51865), 51865);
  ASSERT_TRUE(Run(folder_ / "model/model.bin"));
  const auto header = ReadGgufHeader(*FileSource::Open(out()));
  EXPECT_EQ(header->Unsigned("stt.whisper.decoder.vocab_size"), 51865U);
  EXPECT_EQ(header->Unsigned("stt.whisper.decoder_start_token_id"), 50258U);
  EXPECT_EQ(header->Unsigned("stt.whisper.translate_token_id"), 50358U);
  EXPECT_EQ(header->Unsigned("stt.frontend.num_mels"), 80U);
  EXPECT_EQ(std::get<bool>(header->values.at("stt.capability.lang_detect")), true);
  EXPECT_EQ(header->Texts("general.languages").size(), 99U);
}

TEST_F(Importing, TakesMelFiltersThatCome) {
  WriteModel(TinyWhisper(4));
  nlohmann::json filters = nlohmann::json::array();
  for (int mel = 0; mel < 80; ++mel)
    filters.push_back(std::vector<float>(201, static_cast<float>(mel)));
  Write("model/preprocessor_config.json",
        nlohmann::json{{"feature_size", 80}, {"mel_filters", filters}}.dump());
  ASSERT_TRUE(Run(folder_ / "model"));
  EXPECT_EQ(Numbers("frontend.mel_filterbank").back(), 79);
  Write("model/preprocessor_config.json", R"({"feature_size": 128})");
  EXPECT_EQ(Run(folder_ / "model").error().code, Errc::kCorrupt);
  filters[3].push_back(1);
  Write("model/preprocessor_config.json", nlohmann::json{{"mel_filters", filters}}.dump());
  EXPECT_EQ(Run(folder_ / "model").error().code, Errc::kCorrupt);
}

TEST_F(Importing, RefusesWeightsThatAreNotFinite) {
  std::vector<Ct2Fixture> variables = TinyWhisper(4);
  variables.back().data[1] = 0x7c;  // an infinity
  variables.back().data[0] = 0;
  WriteModel(variables);
  const auto refused = Run(folder_ / "model");
  EXPECT_EQ(refused.error().code, Errc::kCorrupt);
  EXPECT_THAT(refused.error().what, HasSubstr("not every weight is a finite number"));
  EXPECT_EQ(FilesOut(), 0);
}

TEST_F(Importing, NeedsTheFilesBesideTheModel) {
  WriteModel(TinyWhisper(4));
  fs::remove(folder_ / "model/vocabulary.txt");
  EXPECT_THAT(Run(folder_ / "model").error().what, HasSubstr("no tokenizer.json, vocabulary.json"));
  WriteModel(TinyWhisper(4));
  fs::remove(folder_ / "model/config.json");
  EXPECT_EQ(Run(folder_ / "model").error().code, Errc::kNotFound);
  Write("model/config.json", R"({"suppress_ids": [99999], "suppress_ids_begin": []})");
  EXPECT_EQ(Run(folder_ / "model").error().code, Errc::kCorrupt);
  Write("model/config.json", "{");
  EXPECT_EQ(Run(folder_ / "model").error().code, Errc::kCorrupt);
}

TEST_F(Importing, ReadsVocabularyJson) {
  WriteModel(TinyWhisper(4));
  fs::remove(folder_ / "model/vocabulary.txt");
  Write("model/vocabulary.json", nlohmann::json(PlainTokens(51864)).dump());
  EXPECT_TRUE(Run(folder_ / "model"));
  Write("model/vocabulary.json", "[1, 2]");
  EXPECT_EQ(Run(folder_ / "model").error().code, Errc::kCorrupt);
}

TEST_F(Importing, Silero) {
  const auto header = Run(Write("silero.safetensors", TinySilero()));
  ASSERT_TRUE(header) << header.error().what;
  EXPECT_EQ(header->architecture, "silero_vad");
  EXPECT_EQ(header->parameters, 309633);
  EXPECT_EQ(header->size.n, 1240032);
}

TEST_F(Importing, GgufAndBinAreCopiedByteForByte) {
  for (const std::string& bytes : {TinyGguf(), TinyWhisperBin()}) {
    std::string finite = bytes;
    const fs::path source = Write("source", finite);
    ASSERT_TRUE(Run(source)) << Run(source).error().what;
    EXPECT_EQ(ReadFile(out()).value(), bytes);
  }
}

TEST_F(Importing, ChecksTheWeightsOfWhatItCopies) {
  std::string bytes = TinyGguf();
  const auto header = ReadGgufHeader(SourceOf(bytes));
  const float bad = std::nanf("");
  std::memcpy(bytes.data() + header->tensors[0].offset + 4, &bad, 4);
  EXPECT_THAT(Run(Write("source", bytes)).error().what, HasSubstr("a: not every weight"));
  EXPECT_EQ(FilesOut(), 0);
}

TEST_F(Importing, ACutSourceLeavesNothing) {
  WriteModel(TinyWhisper(4));
  const std::string whole = ReadFile(folder_ / "model/model.bin").value();
  for (std::size_t length = 0; length < whole.size(); length += 9973) {
    Write("model/model.bin", whole.substr(0, length));
    ASSERT_FALSE(Run(folder_ / "model")) << length;
    ASSERT_EQ(FilesOut(), 0) << length;
  }
  const std::string gguf = TinyGguf();
  for (std::size_t length = 0; length < gguf.size() - 32; length += 7) {
    ASSERT_FALSE(Run(Write("cut.gguf", gguf.substr(0, length)))) << length;
    ASSERT_EQ(FilesOut(), 0) << length;
  }
}

TEST_F(Importing, StopsWhenAskedAndKeepsTheOldFile) {
  WriteModel(TinyWhisper(4));
  ASSERT_TRUE(Run(folder_ / "model"));
  const std::string before = ReadFile(out()).value();
  CancelToken cancel;
  cancel.Raise();
  EXPECT_EQ(Run(folder_ / "model", &cancel).error().code, Errc::kCancelled);
  EXPECT_EQ(Run(Write("source.gguf", TinyGguf()), &cancel).error().code, Errc::kCancelled);
  EXPECT_EQ(ReadFile(out()).value(), before);
  EXPECT_EQ(FilesOut(), 1);
}

TEST_F(Importing, ReportsHowFarItIs) {
  WriteModel(TinyWhisper(0));
  Bytes last, total;
  const auto header = Import(
      folder_ / "model", out(),
      [&](const ImportProgress& progress) {
        EXPECT_GT(progress.done, last);
        last = progress.done;
        total = progress.total;
      },
      nullptr);
  ASSERT_TRUE(header);
  EXPECT_EQ(last, header->size);
  EXPECT_EQ(total, header->size);
}

TEST_F(Importing, SaysWhyAFolderIsNone) {
  EXPECT_EQ(Run(folder_ / "model").error().code, Errc::kNotFound);
  Write("model/model.safetensors", "x");
  EXPECT_THAT(Run(folder_ / "model").error().what, HasSubstr("ct2-transformers-converter"));
  EXPECT_THAT(Run(Write("page.gguf", "<html>404</html>")).error().what, HasSubstr("a web page"));
  EXPECT_EQ(Import(Write("a.gguf", TinyGguf()), folder_, {}, nullptr).error().code, Errc::kInvalid);
}

}  // namespace
}  // namespace headroom::models
