#include "observe/probe/amdgpu.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "observe/probe/pci.h"
#include "observe/testing/fixture.h"

namespace headroom::probe {
namespace {

struct Gpu {
  std::string index = "0", pci = "0000:03:00.0";
  std::string total = "8573157376", used = "1073741824", visible = "268435456";
  std::string gtt_total = "16777216000", gtt_used = "20971520";
  std::string runtime_status = "active", control = "auto";
};

Files Files1(const Gpu& gpu) {
  const std::string folder = "sys/class/drm/card" + gpu.index + "/device/";
  return {{folder + "vendor", "0x1002\n"},
          {folder + "device", "0x73df\n"},
          {folder + "uevent", "DRIVER=amdgpu\nPCI_SLOT_NAME=" + gpu.pci + "\nMODALIAS=pci:v\n"},
          {folder + "power/runtime_status", gpu.runtime_status + "\n"},
          {folder + "power/control", gpu.control + "\n"},
          {folder + "mem_info_vram_total", gpu.total + "\n"},
          {folder + "mem_info_vram_used", gpu.used + "\n"},
          {folder + "mem_info_vis_vram_total", gpu.visible + "\n"},
          {folder + "mem_info_gtt_total", gpu.gtt_total + "\n"},
          {folder + "mem_info_gtt_used", gpu.gtt_used + "\n"}};
}

Device Only(const FakeRoot& root, bool rest = false, std::vector<pid_t> ours = {}) {
  AmdgpuReader reader(root.path());
  const auto devices = reader.Read(ours, rest);
  EXPECT_EQ(devices.size(), 1u);
  return devices.empty() ? Device{} : devices[0];
}

TEST(Amdgpu, Discrete) {
  const FakeRoot root(Files1({}));
  root.Write({{"sys/class/drm/card0-DP-1/status", "connected\n"},
              {"sys/class/drm/renderD128/device/vendor", "0x1002\n"},
              {"sys/class/drm/card7/device/vendor", "0x8086\n"}});
  const Device device = Only(root);
  EXPECT_EQ(device.pci, "0000:03:00.0");
  EXPECT_EQ(device.name, "AMD 73df");
  EXPECT_EQ(device.state, DeviceState::kActive);
  EXPECT_EQ(device.kind, DeviceKind::kDiscrete);
  EXPECT_EQ(device.total, Bytes(8573157376));
  EXPECT_EQ(device.used, GiB(1));
  EXPECT_EQ(device.gtt_used, MiB(20));
  EXPECT_TRUE(device.can_sleep);
}

TEST(Amdgpu, UnifiedCountsWhatItTakesOfTheHost) {
  const FakeRoot root(Files1({.total = "536870912",
                              .used = "268435456",
                              .visible = "536870912",
                              .gtt_total = "8589934592",
                              .gtt_used = "1073741824"}));
  const Device device = Only(root);
  EXPECT_EQ(device.kind, DeviceKind::kUnified);
  EXPECT_EQ(device.total, MiB(512) + GiB(8));
  EXPECT_EQ(device.used, MiB(256) + GiB(1));
}

TEST(Amdgpu, MetricsFormatTellsTheKind) {
  // A large carve-out in a processor, and a small discrete GPU whose memory is all visible.
  const FakeRoot unified(Files1({.total = "8589934592", .visible = "8589934592"}));
  unified.Write({{"sys/class/drm/card0/device/gpu_metrics", std::string("\x80\0\2\3rest", 8)}});
  EXPECT_EQ(Only(unified).kind, DeviceKind::kUnified);
  const FakeRoot discrete(Files1({.total = "1073741824", .visible = "1073741824"}));
  discrete.Write({{"sys/class/drm/card0/device/gpu_metrics", std::string("\x80\0\1\3rest", 8)}});
  EXPECT_EQ(Only(discrete).kind, DeviceKind::kDiscrete);
}

TEST(Amdgpu, ASleepingGpuIsNotRead) {
  for (const char* status : {"suspended", "suspending", "resuming", "error", "", "something new"}) {
    const FakeRoot root(Files1({.runtime_status = status}));
    const Opened opened(root / "sys/class/drm/card0/device");
    const Device device = Only(root);
    EXPECT_THAT(opened.Names(), testing::UnorderedElementsAre("vendor", "device", "uevent"));
    EXPECT_EQ(device.state, DeviceState::kSuspended) << status;
    EXPECT_FALSE(device.total || device.used || device.gtt_total) << status;
  }
}

TEST(Amdgpu, RestLeavesAloneWhatCanSleep) {
  const FakeRoot root(Files1({}));
  const Opened opened(root / "sys/class/drm/card0/device");
  const Device device = Only(root, true);
  EXPECT_EQ(device.state, DeviceState::kResting);
  EXPECT_FALSE(device.total);
  EXPECT_THAT(opened.Names(), testing::UnorderedElementsAre("vendor", "device", "uevent"));
  const FakeRoot desktop(Files1({.control = "on"}));
  EXPECT_EQ(Only(desktop, true).state, DeviceState::kActive);
}

TEST(Amdgpu, UnbelievableNumbersAreAnError) {
  for (const Gpu& gpu :
       {Gpu{.total = "0"}, Gpu{.total = "-5"}, Gpu{.total = kHugeNumber}, Gpu{.used = "lots"},
        Gpu{.total = "5", .used = "6"}, Gpu{.total = "", .used = ""}}) {
    const Device device = Only(FakeRoot(Files1(gpu)));
    EXPECT_EQ(device.state, DeviceState::kError);
    EXPECT_FALSE(device.total || device.used);
    EXPECT_NE(device.trouble, "");
  }
}

TEST(Amdgpu, NothingThere) {
  const FakeRoot empty;
  EXPECT_TRUE(AmdgpuReader(empty.path()).Read({}, false).empty());
  const FakeRoot nameless(Files1({.pci = "no address"}));
  EXPECT_TRUE(AmdgpuReader(nameless.path()).Read({}, false).empty());
}

std::string Fdinfo(int client, const std::string& vram) {
  return fmt::format(
      "pos:\t0\nflags:\t02\ndrm-driver:\tamdgpu\ndrm-client-id:\t{}\ndrm-pdev:\t0000:03:00.0\n"
      "drm-memory-vram:\t{}\ndrm-memory-gtt: \t1024 KiB\n",
      client, vram);
}

TEST(Amdgpu, OurUseByFdinfoCountsEachClientOnce) {
  const FakeRoot root(Files1({}));
  root.Write({{"proc/10/fd/3", "-> /dev/dri/renderD128"},
              {"proc/10/fd/4", "-> /dev/dri/renderD128"},
              {"proc/10/fd/5", "-> /dev/dri/renderD128"},
              {"proc/10/fd/6", "-> /tmp/other"},
              {"proc/10/fdinfo/3", Fdinfo(1, "2048 KiB")},
              {"proc/10/fdinfo/4", Fdinfo(1, "2048 KiB")},
              {"proc/10/fdinfo/5", Fdinfo(2, "1 MiB")},
              {"proc/10/fdinfo/6", Fdinfo(3, "512 MiB")}});
  const Device device = Only(root, false, {10, 11});
  ASSERT_EQ(device.processes.size(), 1u);
  EXPECT_EQ(device.processes[0].pid, 10);
  EXPECT_EQ(device.processes[0].used, MiB(3));
}

TEST(Fdinfo, ResidentIsPreferred) {
  const auto memory = ParseFdinfo(Fdinfo(1, "5 MiB") + "drm-resident-vram: 3 MiB\n");
  ASSERT_TRUE(memory);
  EXPECT_EQ(memory->vram, MiB(3));
  EXPECT_EQ(memory->gtt, MiB(1));
}

TEST(Fdinfo, OthersAndGarbageAreAbsent) {
  EXPECT_FALSE(ParseFdinfo("pos:\t0\nflags:\t0100000\nmnt_id:\t24\nino:\t3\n"));
  EXPECT_FALSE(ParseFdinfo(""));
  EXPECT_FALSE(ParseFdinfo("drm-client-id: 1\ndrm-pdev: ../../x\ndrm-memory-vram: 1\n"));
  EXPECT_FALSE(ParseFdinfo("drm-client-id: x\ndrm-pdev: 0000:03:00.0\ndrm-memory-vram: 1\n"));
  EXPECT_FALSE(ParseFdinfo("drm-client-id: 1\ndrm-pdev: 0000:03:00.0\ndrm-memory-vram: 1 TiB\n"));
}

TEST(Pci, OnlyWhatTheKernelKeepsInMemoryIsOpened) {
  FakeRoot root(PciGpu("0000:01:00.0", "0x1002"));
  root.Write({{"sys/bus/pci/devices/0000:01:00.0/config", "reading this wakes a GPU"}});
  const Opened opened(root / "sys/bus/pci/devices/0000:01:00.0");
  EXPECT_EQ(FindDisplayCards(root.path(), kVendorAmd).size(), 1u);
  EXPECT_TRUE(FindDisplayCards(root.path(), kVendorNvidia).empty());
  EXPECT_THAT(opened.Names(), testing::UnorderedElementsAre("class", "vendor", "device"));
}

TEST(Pci, Addresses) {
  EXPECT_TRUE(IsPciAddress("0000:01:00.0"));
  EXPECT_TRUE(IsPciAddress("10000:e1:00.7"));
  for (const char* text : {"", "01:00.0", "0000:01:00", "0000:01:00.00", "0000:01:0g.0",
                           "0000:01-00.0", "../../01:00.0", "000000000:01:00.0"})
    EXPECT_FALSE(IsPciAddress(text)) << text;
}

}  // namespace
}  // namespace headroom::probe
