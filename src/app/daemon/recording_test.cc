#include "app/daemon/recording.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

#include "observe/record/reader.h"

namespace headroom::app {
namespace {

TEST(Recording, WhatTheKernelSaysIsThere) {
  std::string folder = testing::TempDir() + "/recording-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string log = folder + "/kmsg";
  std::ofstream(log) << "6,1,1,-;NVRM: Xid (PCI:0000:01:00): 79, of before\n";
  {
    auto recording = Recording::Open(folder + "/record.db", log);
    ASSERT_TRUE(recording) << recording.error().what;
    std::ofstream(log, std::ios::app)
        << "6,2,2,-;Out of memory: Killed process 77 (firefox) total-vm:1kB, anon-rss:1kB\n";
    probe::Sample sample;
    sample.at = SystemClock().Now();
    sample.wall = SystemClock().WallNow();
    (*recording)->Measured(sample);
  }
  auto reader = record::Reader::Open({folder + "/record.db"});
  ASSERT_TRUE(reader) << reader.error().what;
  std::vector<record::EventKind> kinds;
  while (const auto entry = (*reader)->Next()) {
    if (const auto* event = std::get_if<record::Event>(&entry->what)) kinds.push_back(event->kind);
  }
  EXPECT_EQ(std::ranges::count(kinds, record::EventKind::kStart), 1);
  EXPECT_EQ(std::ranges::count(kinds, record::EventKind::kRecording), 1);
  EXPECT_EQ(std::ranges::count(kinds, record::EventKind::kKernel), 1) << "and not the older line";
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace headroom::app
