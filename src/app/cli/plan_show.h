// Formats plans as text and as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "asr/planner/plan_maker.h"
#include "memory/fit.h"

namespace headroom::cli {

using planner::MadePlan;
using planner::PlanSettings;
using planner::PlanTarget;

struct JudgedPlan {
  MadePlan made;
  memory::FitResult fit;
};

/// "exact" when the numbers were counted, else "estimated".
std::string_view Exactness(const MadePlan& made);

/// Resident and workspace as parts of the GPU's memory, 40 cells wide; "▸" at the end: too much.
std::string Bar(const memory::FitNumbers& fit, const memory::Room& room);

/// The full text of one plan.
std::string ShowPlan(const JudgedPlan& plan, const PlanSettings& settings, const memory::Room& room,
                     const std::vector<memory::Advice>& advice);

/// One row per plan, or the reason why there is none.
std::string ShowAll(const std::vector<PlanTarget>& targets,
                    const std::vector<Result<JudgedPlan>>& plans, const PlanSettings& settings,
                    const memory::Room& room);

nlohmann::json PlanJson(const JudgedPlan& plan, const PlanSettings& settings);

}  // namespace headroom::cli
