// Writes the unit tests' tiny models as seeds: model_seeds FOLDER makes FOLDER/gguf_fuzz/… and so
// on.
#include <filesystem>
#include <fstream>

#include "models/testing/import_fixtures.h"

int main(int count, char** arguments) {
  using namespace headroom::models;
  if (count != 2) return 2;
  const std::filesystem::path folder = arguments[1];
  const auto write = [&](const char* kind, const char* name, const std::string& bytes) {
    std::filesystem::create_directories(folder / kind);
    std::ofstream(folder / kind / name, std::ios::binary) << bytes;
  };
  write("gguf_fuzz", "tiny", TinyGguf());
  for (const std::uint8_t type :
       {std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{2}, std::uint8_t{4}})
    write("ct2_fuzz", std::to_string(type).c_str(), EncodeCt2(TinyWhisper(type, 10)));
  write("ct2_fuzz", "two",
        EncodeCt2({{"a", {2, 3}, 4, std::string(12, 'x')}, {"b", {}, 1, "\x03"}}));
  write("safetensors_fuzz", "tiny", TinySafetensors());
  write("safetensors_fuzz", "silero", TinySilero());
  write("whisper_bin_fuzz", "tiny", TinyWhisperBin());
  return 0;
}
