// The subcommands of 'headroom models', one function per source file.
#pragma once

#include "app/cli/command.h"

namespace headroom::cli {

void AddModelsList(CLI::App& models, Action& chosen);     // list, info
void AddModelsGet(CLI::App& models, Action& chosen);      // pull, import, quantize, bundle
void AddModelsFiles(CLI::App& models, Action& chosen);    // verify, rm, path
void AddModelsRunning(CLI::App& models, Action& chosen);  // load, unload

}  // namespace headroom::cli
