// Any text as a catalogue: what is accepted has only names that are safe on a command line and as
// file names.
#include <cstdint>
#include <string_view>

#include "models/store/catalogue.h"
#include "models/store/names.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace headroom::models;
  const auto catalogue =
      ParseCatalogue(std::string_view(reinterpret_cast<const char*>(data), size), "catalogue");
  if (!catalogue) return 0;
  for (const Model& model : catalogue->models) {
    if (!IsModelName(model.name)) __builtin_trap();
    for (const PublishedFile& file : model.files)
      if (!IsModelName(file.file)) __builtin_trap();
    if (!model.package) continue;
    for (const PackageFile& file : model.package->files)
      for (const PackagePart& part : file.parts)
        if (part.package.starts_with('-') || part.package.find(' ') != std::string::npos)
          __builtin_trap();
  }
  return 0;
}
