// What headroom doctor looks at, a check a function. Each takes some seconds at most and changes
// nothing.
#pragma once

#include <string>
#include <vector>

#include "app/config/config.h"

namespace headroom::cli {

enum class Health { kOk, kWarn, kFail };

struct Finding {
  Health health = Health::kOk;
  std::string topic;  // "microphone"
  std::string what;   // one line
  std::string next;   // what to do; "" when there is nothing
};

using Findings = std::vector<Finding>;

struct DoctorContext {
  app::Config config;  // the defaults where the file has mistakes
  std::string socket;  // "" : the configured one
};

Findings CheckConfig(DoctorContext& context);  // also reads it
Findings CheckMicrophone(const DoctorContext& context);
Findings CheckModels(const DoctorContext& context);
Findings CheckPrograms(const DoctorContext& context);
Findings CheckGpus(const DoctorContext& context);
Findings CheckGpuWorkers(const DoctorContext& context);
Findings CheckDisk(const DoctorContext& context);
Findings CheckLimits(const DoctorContext& context);
Findings CheckOutput(const DoctorContext& context);
Findings CheckShortcut(const DoctorContext& context);
Findings CheckService(const DoctorContext& context);
Findings CheckDaemon(const DoctorContext& context);

/// Where a unit of this name lies, the user's own first; "" : nowhere.
std::string FindUserUnit(const std::string& name);

}  // namespace headroom::cli
