// Every format: what it says, in pieces of any size, cut at every length, and damaged.
#include "observe/analyze/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace headroom::analyze {
namespace {

Packs Shipped() {
  auto packs = Packs::Load({std::filesystem::path(HEADROOM_ANALYZE_DIR) / "packs"});
  EXPECT_TRUE(packs) << packs.error().what;
  return std::move(*packs);
}

struct Given {
  const char* name;
  Format format;
  std::string text;
  std::size_t samples, events;
};

std::string Binary() {
  const std::string message = "CUDA error: unspecified\nlaunch failure; unspecified launch failure";
  std::string length(8, '\0');
  length[0] = static_cast<char>(message.size());
  return "MESSAGE\n" + length + message + "\n";
}

std::vector<Given> Everything() {
  return {
      {"journal json", Format::kJournalJson,
       R"({"__CURSOR":"a","__REALTIME_TIMESTAMP":"1761855600000000","__MONOTONIC_TIMESTAMP":"1000000","_BOOT_ID":"b","MESSAGE":"Loading model nvidia/canary-1b-flash","_SYSTEMD_UNIT":"x.service"})"
       "\n"
       R"({"__CURSOR":"b","__REALTIME_TIMESTAMP":"1761855610000000","__MONOTONIC_TIMESTAMP":"11000000","_BOOT_ID":"b","MESSAGE":[67,85,68,65,32,101,114,114,111,114,58,32,55,49,57,10]})"
       "\n"
       R"({"__CURSOR":"b","__REALTIME_TIMESTAMP":"1761855610000000","MESSAGE":"CUDA error: 719"})"
       "\n"
       R"({"__CURSOR":"c","__REALTIME_TIMESTAMP":"1761862820000000","__MONOTONIC_TIMESTAMP":"21000000","_BOOT_ID":"b","_TRANSPORT":"kernel","MESSAGE":"NVRM: Xid (PCI:0000:01:00): 79, pid=1, GPU has fallen off the bus."})"
       "\n",
       0, 4},  // load, error (its double not), Xid, and the clock step
      {"journal export", Format::kJournalExport,
       "__CURSOR=a\n__REALTIME_TIMESTAMP=1761855600000000\n" + Binary() +
           "_SYSTEMD_UNIT=x.service\n\n__CURSOR=b\n__REALTIME_TIMESTAMP=1761855601000000\nMESSAGE="
           "PM: suspend exit\n_TRANSPORT=kernel\n\n",
       0, 2},
      {"short", Format::kLines,
       "-- Boot 1 --\nOct 30 20:20:00 desk python3[7]: CUDA out of memory. Tried to allocate 2.00 "
       "GiB (GPU 0; 3.95 GiB total capacity; 3.52 GiB already allocated; 41.81 MiB free; 3.60 GiB "
       "reserved in total by PyTorch)\n"
       "Oct 30 20:20:01 desk kernel: Out of memory: Killed process 7 (python3) total-vm:1kB\n"
       "Oct 30 20:20:02 desk app[1]: message repeated 3 times: [ CUDA error: 700 ]\n",
       5, 3},  // refused allocation, kill, and what was repeated
      {"dmesg", Format::kLines,
       "[Thu Oct 30 20:20:00 2025] amdgpu 0000:03:00.0: amdgpu: GPU reset begin!\n[    1.5] PM: "
       "suspend entry (deep)\n",
       0, 2},  // the second is placed by the age of the file
      {"nvidia-smi", Format::kCsv,
       "timestamp, index, memory.used [MiB], memory.total [MiB], temperature.gpu\n2025/10/30 "
       "20:20:00.123, 0, 3740 MiB, 4096 MiB, 50\n2025/10/30 20:20:01.123, 0, 3741 MiB, 4096 MiB, "
       "[N/A]\n",
       5, 0},
      {"table", Format::kCsv,
       "time_s;vram_used_mib;rss_mb;event\n0;100;7.5;\n1;200;8.5;suspend\n2;-;x;\n", 4, 1},
      {"pmon", Format::kMon,
       "#Date       Time        gpu        pid  type    fb   command\n#YYYYMMDD   HH:MM:SS   Idx   "
       "       #   C/G    MB   name\n 20251030   20:20:00     0       4711     C  3600   python3\n "
       "20251030   20:20:01     0          -     -     -   -\n",
       1, 0},
      {"status", Format::kStatus,
       "● x.service - X\n     Loaded: loaded (/x)\n     Active: active (running) since Thu "
       "2025-10-30 20:20:00 UTC; 10h ago\n     Memory: 999.8M (peak: 6.0G swap: 614.0M swap peak: "
       "1.3G)\n",
       4, 1},
      {"prometheus", Format::kPrometheus,
       R"({"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"process_resident_memory_bytes","job":"x"},"values":[[1761855600,"1000"],[1761855601.5,"2000"],[1761855602,"NaN"]]}]}})",
       2, 0},
  };
}

struct Read {
  Evidence evidence;
  std::uint64_t samples = 0, events = 0;
};

// Fed in pieces of `piece` bytes.
std::unique_ptr<Read> In(const std::string& text, Format format, std::size_t piece, Packs& packs) {
  auto read = std::make_unique<Read>();
  ReadOptions options;
  options.packs = &packs;
  options.zone = TimeZone::Fixed(Milliseconds(0));
  options.reference = Instant(Milliseconds(1761955600000));
  const std::uint32_t source = read->evidence.AddSource("x", "x");
  const auto parser = MakeParser(format, options, source, read->evidence);
  for (std::size_t at = 0; at < text.size(); at += piece)
    parser->Feed(std::string_view(text).substr(at, piece));
  parser->End();
  read->evidence.Finish();
  read->samples = read->evidence.sources()[0].samples;
  read->events = read->evidence.events().size();
  return read;
}

TEST(Readers, SayWhatIsThere) {
  Packs packs = Shipped();
  for (const Given& given : Everything()) {
    SCOPED_TRACE(given.name);
    EXPECT_EQ(Sniff(given.text), given.format);
    const auto read = In(given.text, given.format, 1 << 20, packs);
    EXPECT_EQ(read->samples, given.samples);
    EXPECT_EQ(read->events, given.events);
  }
}

TEST(Readers, ARepeatOfALineThatDidNotCountDoesNotCountEither) {
  Packs packs = Shipped();
  const std::string repeat = "Oct 30 20:20:02 desk app[1]: message repeated 3 times: [ x ]\n";
  EXPECT_EQ(In("[    1.5] PM: suspend entry (deep)\n" + repeat, Format::kLines, 99, packs)->events,
            1u);
  EXPECT_EQ(In("Oct 30 20:20:01 desk app[1]: CUDA error: 719\n" + repeat, Format::kLines, 99, packs)
                ->events,
            2u);
}

TEST(Readers, PiecesOfAnySizeAreTheSame) {
  Packs packs = Shipped();
  for (const Given& given : Everything()) {
    SCOPED_TRACE(given.name);
    for (const std::size_t piece : {1, 2, 7, 64}) {
      const auto read = In(given.text, given.format, piece, packs);
      EXPECT_EQ(read->samples, given.samples) << piece;
      EXPECT_EQ(read->events, given.events) << piece;
    }
  }
}

TEST(Readers, SurviveEveryCutAndEveryFlippedByte) {
  Packs packs = Shipped();
  for (const Given& given : Everything()) {
    SCOPED_TRACE(given.name);
    for (std::size_t length = 0; length < given.text.size(); ++length) {
      const auto read = In(given.text.substr(0, length), given.format, 4096, packs);
      // A cut number is still a number, so a sample may be wrong, but none is invented.
      EXPECT_LE(read->samples, given.samples + 1) << length;
    }
    for (std::size_t at = 0; at < given.text.size(); ++at) {
      std::string damaged = given.text;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
      In(damaged, given.format, 4096, packs);
      In(damaged, Sniff(damaged), 4096, packs);
    }
  }
}

TEST(Readers, NumbersAndUnits) {
  Packs packs = Shipped();
  const auto everything = Everything();
  const auto value = [&](std::size_t which, Metric metric) -> double {
    const auto read = In(everything[which].text, everything[which].format, 4096, packs);
    for (const Series& series : read->evidence.series()) {
      if (series.metric == metric && !series.points.empty())
        return static_cast<double>(series.points.back().value);
    }
    return -1;
  };
  EXPECT_FLOAT_EQ(static_cast<float>(value(2, Metric::kVramTried)), 2147483648.f);
  EXPECT_FLOAT_EQ(static_cast<float>(value(2, Metric::kVramFree)), 41.81f * 1048576);
  EXPECT_FLOAT_EQ(static_cast<float>(value(4, Metric::kVramUsed)), 3741.f * 1048576);
  EXPECT_FLOAT_EQ(static_cast<float>(value(5, Metric::kRam)), 8.5e6f);
  EXPECT_FLOAT_EQ(static_cast<float>(value(6, Metric::kVramUsed)), 3600.f * 1048576);
  EXPECT_FLOAT_EQ(static_cast<float>(value(7, Metric::kRam)), 999.8f * 1048576);
  EXPECT_FLOAT_EQ(static_cast<float>(value(7, Metric::kRamPeak)), 6.f * 1073741824);
  EXPECT_FLOAT_EQ(static_cast<float>(value(7, Metric::kSwapPeak)), 1.3f * 1073741824);
  EXPECT_FLOAT_EQ(static_cast<float>(value(8, Metric::kRam)), 2000.f);
}

TEST(Readers, NeverKeepWhatWasSaid) {
  Packs packs = Shipped();
  const auto read =
      In("Oct 30 20:20:00 desk app[1]: Retrying 'my secret words' after CUDA error: 719 \"and more "
         "secrets\"\n",
         Format::kLines, 4096, packs);
  ASSERT_EQ(read->events, 1u);
  EXPECT_THAT(read->evidence.types()[0].fingerprint, testing::Not(testing::HasSubstr("secret")));
}

TEST(Readers, WhatIsWrongIsCounted) {
  Packs packs = Shipped();
  const auto read =
      In("time,rss_mb\n2025-10-30T20:20:00Z,1\nnever,1\n2025-10-30T20:20:02Z,x\n2025-10-30T20:20:"
         "02Z,2\n2025-10-30T20:20:02Z,2\n2025-10-30T20:20:01Z,2\n2025-10-30T19:20:01Z,2\n",
         Format::kCsv, 4096, packs);
  const Source& source = read->evidence.sources()[0];
  EXPECT_EQ(source.bad, 2u);
  EXPECT_EQ(source.duplicates, 1u);
  EXPECT_EQ(source.unordered, 2u);
  EXPECT_EQ(source.clock_steps, 1u);
  EXPECT_THAT(source.notes[0], testing::HasSubstr("line 3"));
  const auto& points = read->evidence.series()[0].points;
  EXPECT_TRUE(std::is_sorted(points.begin(), points.end(),
                             [](const Point& a, const Point& b) { return a.at < b.at; }));
}

TEST(Readers, ALongLineIsSkipped) {
  Packs packs = Shipped();
  std::string text = "Oct 30 20:20:00 desk app[1]: " + std::string(3 << 20, 'x') +
                     "\nOct 30 20:20:01 desk app[1]: CUDA error: 719\n";
  const auto read = In(text, Format::kLines, 65536, packs);
  EXPECT_EQ(read->events, 1u);
  EXPECT_EQ(read->evidence.sources()[0].bad, 1u);
}

TEST(Evidence, IsBounded) {
  Evidence evidence;
  const std::uint32_t source = evidence.AddSource("x", "x");
  const std::size_t series = evidence.SeriesFor(source, Metric::kRam, "", "a");
  for (std::size_t i = 0; i < Evidence::kMostPoints + 1000; ++i)
    evidence.AddSample(series, Instant(Milliseconds(i * 1000)), i == 1234567 ? 99 : 1, 1);
  evidence.Finish();
  EXPECT_LT(evidence.series()[0].points.size(), Evidence::kMostPoints);
  EXPECT_EQ(evidence.series()[0].thinned, 1u);
  const auto& points = evidence.series()[0].points;
  EXPECT_TRUE(std::any_of(points.begin(), points.end(), [](const Point& p) {
    return p.value == 99;
  })) << "peaks stay";
  for (std::size_t i = 0; i < 2 * Evidence::kMostSeries; ++i)
    evidence.SeriesFor(source, Metric::kRam, "", std::to_string(i));
  EXPECT_EQ(evidence.series().size(), Evidence::kMostSeries);
  EventType type;
  for (std::size_t i = 0; i < 3 * Evidence::kMostTypes; ++i) {
    type.fingerprint = std::to_string(i) + "x";
    evidence.TypeFor(type);
  }
  EXPECT_LE(evidence.types().size(), 2 * Evidence::kMostTypes);
}

TEST(Mappings, AreParsed) {
  const auto mapping = ParseMapping("vram_used@game=game_mem:MiB");
  ASSERT_TRUE(mapping);
  EXPECT_EQ(mapping->owner, "game");
  EXPECT_EQ(mapping->column, "game_mem");
  EXPECT_EQ(mapping->scale, 1048576);
  for (const char* text : {"", "ram", "=x", "mood=x", "ram=", "ram=x:parsec"})
    EXPECT_FALSE(ParseMapping(text)) << text;
}

TEST(Packs, TheFirstPatternWinsAndMistakesAreNamed) {
  auto packs = Packs::Make(
      {{"a.toml", "[[pattern]]\nname='a'\nkind='error'\nmatch='boom'"},
       {"b.toml", "[[pattern]]\nname='b'\nkind='error'\nmatch='boom (?P<count>[0-9]+)'"}});
  ASSERT_TRUE(packs);
  EXPECT_EQ(packs->Match("boom 3")->type.name, "a");
  EXPECT_FALSE(packs->Match("bo om"));
  for (const char* toml : {"[[pattern]]\nname='a'", "[[pattern]]\nname='a'\nkind='what'\nmatch='x'",
                           "[[pattern]]\nname='a'\nkind='error'\nmatch='('",
                           "[[pattern]]\nname='a'\nkind='error'\nmatch='(?P<mood>x)'",
                           "pattern = 3\n[", "[[pattern]]\nname=3\nkind='error'\nmatch='x'"}) {
    const auto bad = Packs::Make({{"x.toml", toml}});
    ASSERT_FALSE(bad) << toml;
    EXPECT_THAT(bad.error().what, testing::StartsWith("x.toml:")) << toml;
  }
}

}  // namespace
}  // namespace headroom::analyze
