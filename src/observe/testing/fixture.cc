#include "observe/testing/fixture.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "base/check.h"
#include "base/file.h"
#include "base/text.h"

namespace headroom::probe {

namespace fs = std::filesystem;

FakeRoot::FakeRoot(const Files& files) {
  std::string name = fs::temp_directory_path() / "headroom-probe-XXXXXX";
  CHECK(::mkdtemp(name.data()) != nullptr);
  path_ = name;
  Write(files);
}

FakeRoot::~FakeRoot() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void FakeRoot::Write(const Files& files) const {
  for (const auto& [name, content] : files) {
    const fs::path path = path_ / name;
    fs::create_directories(path.parent_path());
    if (content.starts_with("-> "))
      fs::create_symlink(content.substr(3), path);
    else
      std::ofstream(path, std::ios::binary) << content;
  }
}

void FakeRoot::Remove(std::string_view name) const {
  fs::remove_all(path_ / name);
}

Opened::Opened(const std::string& folder) : watch_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  CHECK(::inotify_add_watch(watch_.get(), folder.c_str(), IN_OPEN) >= 0);
}

std::set<std::string> Opened::Names() const {
  std::set<std::string> names;
  alignas(inotify_event) std::array<char, 4096> block;
  ssize_t n;
  while ((n = ::read(watch_.get(), block.data(), block.size())) > 0) {
    for (const char* at = block.data(); at < block.data() + n;) {
      const auto* event = reinterpret_cast<const inotify_event*>(at);
      if (event->len > 0 && !(event->mask & IN_ISDIR)) names.insert(event->name);
      at += sizeof(inotify_event) + event->len;
    }
  }
  return names;
}

Files PciGpu(const std::string& pci, const std::string& vendor, const std::string& runtime_status,
             const std::string& control) {
  const std::string folder = "sys/bus/pci/devices/" + pci + "/";
  return {{folder + "class", "0x030000\n"},
          {folder + "vendor", vendor + "\n"},
          {folder + "device", "0x2484\n"},
          {folder + "power/runtime_status", runtime_status + "\n"},
          {folder + "power/control", control + "\n"}};
}

std::pair<std::string, std::string> FakeNvml::environment() const {
  return {"HEADROOM_FAKE_NVML", root_ / "script"};
}

std::vector<std::string> FakeNvml::Calls() const {
  const auto text = ReadFile(root_ / "script.calls");
  if (!text) return {};
  return Split(std::string(Trim(*text)), '\n');
}

int FakeNvml::Count(std::string_view call) const {
  return static_cast<int>(std::ranges::count(Calls(), call));
}

}  // namespace headroom::probe
