// Makes a subcommand's action from a function that runs it.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "app/cli/command.h"
#include "app/cli/terminal.h"
#include "base/error.h"

namespace headroom::cli {

/// For Parser::OnChosen: makes `run` the chosen action; prints its error on standard error.
inline std::function<void()> Runs(Action& chosen, std::function<Result<int>()> run) {
  return [&chosen, run = std::move(run)] {
    chosen = [run] {
      const Result<int> code = run();
      return code ? *code : Complain(code.error());
    };
  };
}

template <class Options>
std::function<void()> Runs(Action& chosen, const std::shared_ptr<Options>& options,
                           Result<int> (*what)(const Options&)) {
  return Runs(chosen, [options, what] { return what(*options); });
}

}  // namespace headroom::cli
