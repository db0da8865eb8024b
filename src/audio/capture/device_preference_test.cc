#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "audio/capture/backoff.h"
#include "audio/capture/devices.h"

namespace headroom::audio {
namespace {

using testing::HasSubstr;

const Device kBuiltIn{.name = "alsa_input.pci.analog", .description = "Built-in Audio"};
const Device kHeadset{.name = "alsa_input.usb-Jabra-00.mono", .description = "Jabra Evolve 65"};
const Device kSpeakers{
    .name = "alsa_output.usb-Jabra-00.monitor", .description = "Monitor of Jabra", .monitor = true};

Device AsDefault(Device device) {
  device.is_default = true;
  return device;
}

std::string Chosen(DevicePreference& preference, const std::vector<Device>& devices) {
  const auto choice = preference.Choose(devices);
  EXPECT_EQ(choice.device == nullptr, !choice.why.empty());
  return choice.device ? choice.device->name : choice.why;
}

TEST(DevicePreference, FollowsTheDefault) {
  DevicePreference preference({});
  EXPECT_EQ(Chosen(preference, {AsDefault(kBuiltIn), kHeadset}), kBuiltIn.name);
  EXPECT_EQ(Chosen(preference, {kBuiltIn, AsDefault(kHeadset)}), kHeadset.name);
  EXPECT_THAT(Chosen(preference, {}), HasSubstr("no microphone is connected"));
}

TEST(DevicePreference, ChoosesAMonitorOnlyByItsFullName) {
  DevicePreference usual({});
  EXPECT_THAT(Chosen(usual, {AsDefault(kSpeakers)}), HasSubstr("Monitor of Jabra plays"));
  DevicePreference part({"jabra"});
  EXPECT_EQ(Chosen(part, {kSpeakers, kHeadset}), kHeadset.name);
  DevicePreference named({kSpeakers.name});
  EXPECT_EQ(Chosen(named, {kSpeakers, kHeadset}), kSpeakers.name);
}

TEST(DevicePreference, ChoosesTheFirstPresentDevice) {
  DevicePreference preference({"Jabra Evolve 65", "default"});
  EXPECT_EQ(Chosen(preference, {AsDefault(kBuiltIn)}), kBuiltIn.name);
  EXPECT_EQ(Chosen(preference, {AsDefault(kBuiltIn), kHeadset}), kHeadset.name);
  DevicePreference only({"Jabra"});
  EXPECT_THAT(Chosen(only, {AsDefault(kBuiltIn)}), HasSubstr("not connected: Jabra"));
}

TEST(DevicePreference, FindsARenamedDeviceByItsDescription) {
  DevicePreference preference({kHeadset.name});
  Device renamed = kHeadset;
  renamed.name = "alsa_input.usb-Jabra-00.2.mono";
  EXPECT_THAT(Chosen(preference, {kBuiltIn, renamed}), HasSubstr("not connected"))
      << "it was never seen under its first name";
  EXPECT_EQ(Chosen(preference, {kBuiltIn, kHeadset}), kHeadset.name);
  EXPECT_EQ(Chosen(preference, {kBuiltIn, renamed}), renamed.name);
}

TEST(Backoff, DoublesUpToItsLimitUntilReset) {
  Backoff backoff(Milliseconds(200), Milliseconds(1000));
  EXPECT_EQ(backoff.Next(), Milliseconds(200));
  EXPECT_EQ(backoff.Next(), Milliseconds(400));
  EXPECT_EQ(backoff.Next(), Milliseconds(800));
  EXPECT_EQ(backoff.Next(), Milliseconds(1000));
  EXPECT_EQ(backoff.Next(), Milliseconds(1000));
  backoff.Reset();
  EXPECT_EQ(backoff.Next(), Milliseconds(200));
}

}  // namespace
}  // namespace headroom::audio
