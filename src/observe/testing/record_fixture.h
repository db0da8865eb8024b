// For the record's tests: samples in one expression, a folder that goes away, everything of a
// reader.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/testing/temp_folder.h"
#include "observe/record/reader.h"
#include "observe/record/store.h"
#include "observe/record/writer.h"

namespace headroom::record {

using Folder = TempFolder;

/// `ms` after a fixed moment (2026-01-01 00:00 UTC, an hour after boot).
inline Moment AtMs(std::int64_t ms) {
  return {MonoOf(3'600'000 + ms), WallOf(1'767'225'600'000 + ms)};
}

inline Sample SampleAt(std::int64_t ms, Bytes used = MiB(3740), Bytes ram = MiB(790)) {
  Sample sample;
  sample.at = AtMs(ms);
  sample.host = {GiB(31), GiB(20), GiB(2), MiB(0), 0.0, 0.0};
  sample.service.ram = ram;
  sample.service.swap = Bytes(0);
  sample.service.queue = Milliseconds(0);
  sample.service.zones[0] = memory::Zone::kDanger;
  sample.service.zones[1] = memory::Zone::kSafe;
  sample.service.tier = "canary-1b-flash:Q8_0 cuda";
  sample.gpus = {{"0000:01:00.0", GpuState::kActive, MiB(4096), used, MiB(3600)}};
  sample.processes = {{100, "daemon", MiB(60), MiB(40), MiB(45), Bytes(0), std::nullopt},
                      {101, "worker cuda", MiB(800), MiB(700), std::nullopt, Bytes(0), MiB(3600)}};
  return sample;
}

inline WriterOptions OptionsFor(const std::filesystem::path& path) {
  WriterOptions options;
  options.path = path;
  options.program = "test";
  options.boot = "boot-1";
  options.commit_every = Milliseconds(20);
  options.retry_every = Milliseconds(50);
  options.keep_free = Bytes(0);
  return options;
}

inline std::vector<Entry> All(Reader& reader) {
  std::vector<Entry> all;
  while (auto entry = reader.Next()) all.push_back(std::move(*entry));
  return all;
}
inline std::vector<Sample> Samples(const std::vector<Entry>& all) {
  std::vector<Sample> samples;
  for (const Entry& entry : all) {
    if (const auto* sample = std::get_if<Sample>(&entry.what)) samples.push_back(*sample);
  }
  return samples;
}
inline std::vector<Event> Events(const std::vector<Entry>& all) {
  std::vector<Event> events;
  for (const Entry& entry : all) {
    if (const auto* event = std::get_if<Event>(&entry.what)) events.push_back(*event);
  }
  return events;
}

}  // namespace headroom::record
