// The subcommands of 'headroom models', one function per source file.
#pragma once

#include "app/cli/command.h"

namespace headroom::cli {

void AddModelsList(Parser models, Action& chosen);     // list, info
void AddModelsGet(Parser models, Action& chosen);      // pull, import, quantize, bundle
void AddModelsFiles(Parser models, Action& chosen);    // verify, rm, path
void AddModelsRunning(Parser models, Action& chosen);  // load, unload

}  // namespace headroom::cli
