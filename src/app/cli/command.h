// How a subcommand plugs in: its Add function declares it on the parser and, when the user calls
// it, sets `chosen`. main() runs `chosen` and returns its exit code.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace headroom::cli {

using Action = std::function<int()>;

void AddBench(CLI::App& app, Action& chosen);
void AddCalibrate(CLI::App& app, Action& chosen);
void AddCompletion(CLI::App& app, Action& chosen);  // completion, man: hidden
void AddConfig(CLI::App& app, Action& chosen);
void AddDaemon(CLI::App& app, Action& chosen);
void AddDevices(CLI::App& app, Action& chosen);
void AddDictate(CLI::App& app, Action& chosen);
void AddDoctor(CLI::App& app, Action& chosen);
void AddDrain(CLI::App& app, Action& chosen);
void AddGovernor(CLI::App& app, Action& chosen);
void AddHistory(CLI::App& app, Action& chosen);
void AddInstallService(CLI::App& app, Action& chosen);
void AddListen(CLI::App& app, Action& chosen);  // listen, finish, toggle, cancel, reload
void AddModels(CLI::App& app, Action& chosen);
void AddPlan(CLI::App& app, Action& chosen);
void AddStatus(CLI::App& app, Action& chosen);
void AddReport(CLI::App& app, Action& chosen);
void AddRun(CLI::App& app, Action& chosen);
void AddToken(CLI::App& app, Action& chosen);
void AddTop(CLI::App& app, Action& chosen);
void AddTranscribe(CLI::App& app, Action& chosen);
void AddWatch(CLI::App& app, Action& chosen);
void AddYield(CLI::App& app, Action& chosen);

}  // namespace headroom::cli
