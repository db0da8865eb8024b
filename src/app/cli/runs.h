// Makes a subcommand's action from a function of its options.
#pragma once

#include <functional>
#include <memory>

#include "app/cli/command.h"
#include "app/cli/terminal.h"
#include "base/error.h"

namespace headroom::cli {

/// For Parser::OnChosen: makes `what` the chosen action; prints its error on standard error.
template <class Options>
std::function<void()> Runs(Action& chosen, const std::shared_ptr<Options>& options,
                           Result<int> (*what)(const Options&)) {
  return [&chosen, options, what] {
    chosen = [options, what] {
      const Result<int> code = what(*options);
      return code ? *code : Complain(code.error());
    };
  };
}

}  // namespace headroom::cli
