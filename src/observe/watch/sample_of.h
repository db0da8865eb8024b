// What probes measured, as a flight record holds it.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "observe/probe/sampler.h"
#include "observe/record/record.h"

namespace headroom::watch {

/// `roles`: names of processes by pid; a process without one is "process". Zones, tier and queue
/// are the caller's to fill in.
record::Sample SampleOf(const probe::Sample& sample, const std::map<pid_t, std::string>& roles);

std::vector<record::GpuName> GpuNames(const probe::Sample& sample);

/// Zones by the numbers in it. `gpu`: the PCI address of the one that counts; "": the worst of all.
/// Without a number there is no zone.
void FillZones(record::Sample& sample, const memory::Thresholds& thresholds,
               std::string_view gpu = {});

/// The changes from one sample to the next: zones, and states of GPUs.
std::vector<record::Event> Changes(const record::Sample& before, const record::Sample& now);

}  // namespace headroom::watch
