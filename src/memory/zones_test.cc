#include "memory/zones.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "memory/settings.h"

namespace headroom::memory {
namespace {

using testing::HasSubstr;
const Thresholds kDefaults;

TEST(Zones, ThresholdsBelongToTheWorseZone) {
  const struct {
    std::int64_t percent;
    Zone zone;
  } kRows[] = {{0, Zone::kSafe},      {69, Zone::kSafe},      {70, Zone::kWarning},
               {84, Zone::kWarning},  {85, Zone::kDanger},    {94, Zone::kDanger},
               {95, Zone::kCritical}, {100, Zone::kCritical}, {120, Zone::kCritical}};
  for (const auto& row : kRows)
    EXPECT_EQ(VramZone(kDefaults, MiB(row.percent), MiB(100)), row.zone) << row.percent;
  EXPECT_EQ(VramZone(kDefaults, Bytes(2867), Bytes(4096)), Zone::kSafe);
  EXPECT_EQ(VramZone(kDefaults, Bytes(2868), Bytes(4096)), Zone::kWarning);
  EXPECT_EQ(VramZone(kDefaults, MiB(1), Bytes(0)), std::nullopt);
  EXPECT_EQ(VramZone(kDefaults, Bytes(-1), MiB(1)), std::nullopt);
  EXPECT_LT(Zone::kWarning, Zone::kDanger);
}

TEST(Zones, TheIncident) {
  EXPECT_EQ(VramZone(kDefaults, Megabytes(3740), Megabytes(4090)), Zone::kDanger);  // 91 %
  const auto ram = RamThresholds(kDefaults, std::nullopt, Megabytes(31'000));
  EXPECT_EQ(ram.Of(Megabytes(789)), Zone::kSafe);
  EXPECT_EQ(ram.Of(Megabytes(5790)), Zone::kDanger);
  EXPECT_EQ(ram.Of(Megabytes(6000)), Zone::kCritical);
  EXPECT_EQ(SwapZone(kDefaults, Megabytes(614)), Zone::kWarning);
  EXPECT_EQ(SwapZone(kDefaults, Megabytes(1300)), Zone::kDanger);
}

TEST(Zones, SmallHostsAndLimitsLowerTheRamThresholds) {
  EXPECT_EQ(RamThresholds(kDefaults, Megabytes(3000), Megabytes(31'000)),
            (ZoneLevels<Bytes>{Megabytes(1500), Megabytes(2100), Megabytes(2550)}));
  EXPECT_EQ(RamThresholds(kDefaults, std::nullopt, Megabytes(2000)).warning, Megabytes(1000));
  EXPECT_EQ(RamThresholds(kDefaults, Bytes(0), Bytes(-4)), kDefaults.ram);
}

TEST(Zones, PressureTakesTheWorseAndIgnoresNonsense) {
  EXPECT_EQ(PressureZone(kDefaults, 0, 0), Zone::kSafe);
  EXPECT_EQ(PressureZone(kDefaults, 25, 1), Zone::kWarning);
  EXPECT_EQ(PressureZone(kDefaults, 25, 21), Zone::kDanger);
  EXPECT_EQ(PressureZone(kDefaults, std::nan(""), 60), Zone::kCritical);
  EXPECT_EQ(PressureZone(kDefaults, std::nan(""), -1), std::nullopt);
  EXPECT_EQ(PressureZone(kDefaults, std::nullopt, std::nullopt), std::nullopt);
}

TEST(Zones, NamesGoBothWays) {
  for (const Zone zone : {Zone::kSafe, Zone::kWarning, Zone::kDanger, Zone::kCritical})
    EXPECT_EQ(ZoneFromName(Name(zone)), zone);
  EXPECT_EQ(ZoneFromName("Safe"), std::nullopt);
}

TEST(Settings, NumbersAndTexts) {
  const std::vector<Setting> settings = {{"vram_warning", 60.0},
                                         {"vram_danger", "80 %"},
                                         {"ram_warning", "1GiB"},
                                         {"swap_critical", 2e9}};
  const auto thresholds = ThresholdsFrom(settings);
  ASSERT_TRUE(thresholds) << thresholds.error().what;
  EXPECT_EQ(thresholds->vram, (ZoneLevels<double>{60, 80, 95}));
  EXPECT_EQ(thresholds->ram.warning, GiB(1));
  EXPECT_EQ(thresholds->swap.critical, Megabytes(2000));
  EXPECT_EQ(*ThresholdsFrom({}), kDefaults);
  EXPECT_EQ(ThresholdKeys().size(), 18u);
}

TEST(Settings, ErrorsNameTheKeyAndTheWayOut) {
  const auto error = [](std::vector<Setting> settings) {
    const auto thresholds = ThresholdsFrom(settings);
    return thresholds ? std::string("accepted") : thresholds.error().what;
  };
  EXPECT_EQ(error({{"vram_wraning", 60.0}}),
            "unknown threshold \"vram_wraning\"; did you mean vram_warning or ram_warning or "
            "swap_warning?");
  EXPECT_THAT(error({{"zzzzzzzzzzzzzzzz", 60.0}}), HasSubstr("known: vram_warning"));
  EXPECT_EQ(error({{"vram_warning", 90.0}}),
            "vram_warning, vram_danger and vram_critical must ascend");
  EXPECT_EQ(error({{"vram_warning", 0.0}}), "vram_warning must be above zero");
  EXPECT_EQ(error({{"vram_critical", 101.0}}), "vram_critical is too large");
  EXPECT_EQ(error({{"vram_warning", std::nan("")}}), "vram_warning: not a finite number");
  EXPECT_EQ(error({{"psi_full_danger", "lots"}}),
            "psi_full_danger: \"lots\" is not a percentage; write for example 70");
  EXPECT_THAT(error({{"ram_warning", "2 apples"}}),
              HasSubstr("ram_warning: \"2 apples\" is not a size"));
  EXPECT_THAT(error({{"ram_warning", -1.0}}), HasSubstr("ram_warning: not a number of bytes"));
  EXPECT_EQ(error({{"ram_warning", 1e9}, {"ram_warning", 1e9}}), "ram_warning: given twice");
}

TEST(Settings, AThresholdStructWithNonsenseIsRefused) {
  Thresholds wrong;
  wrong.psi_some.danger = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(Validate(wrong));
  wrong = {};
  wrong.swap.critical = Bytes(std::numeric_limits<std::int64_t>::max());
  EXPECT_FALSE(Validate(wrong));
}

}  // namespace
}  // namespace headroom::memory
