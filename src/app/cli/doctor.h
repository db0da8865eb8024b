// The checks of headroom doctor, one function each. A check takes a few seconds at most and changes
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
  std::string next;   // what to do; "" when nothing is needed
};

using Findings = std::vector<Finding>;

struct DoctorContext {
  app::Config config;  // the defaults when the file has mistakes
  std::string socket;  // "": the configured one
};

Findings CheckConfig(DoctorContext& context);  // also fills context.config
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

/// The path of the unit, the user's own first; "" when there is none.
std::string FindUserUnit(const std::string& name);

}  // namespace headroom::cli
