// A libnvidia-ml.so for tests. The variable HEADROOM_FAKE_NVML names a script, read again at each
// call, of lines "key value":
//   card PCI TOTAL USED        a card; more lines, more cards
//   process PID USED           on every GPU's compute list; "-" for not available
//   draws PID USED             on every GPU's graphics list
//   fail CALL CODE             CALL returns CODE
//   hang CALL | crash CALL     CALL never returns, or kills the process
// CALL is init, handle, memory, processes, name or shutdown. Each is noted in SCRIPT.calls.
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace {

std::string ScriptPath() {
  const char* path = std::getenv("HEADROOM_FAKE_NVML");
  return path ? path : "";
}

// The arguments of every script line that begins with `key`.
std::vector<std::vector<std::string>> Lines(const std::string& key) {
  std::vector<std::vector<std::string>> found;
  std::ifstream script(ScriptPath());
  for (std::string line; std::getline(script, line);) {
    std::istringstream words(line);
    std::string first, word;
    if (!(words >> first) || first != key) continue;
    found.emplace_back();
    while (words >> word) found.back().push_back(word);
  }
  return found;
}

// What the script wants of this call: its return code.
int Scripted(const std::string& call) {
  if (ScriptPath().empty()) return 0;
  std::ofstream(ScriptPath() + ".calls", std::ios::app) << call << '\n';
  for (const auto& line : Lines("hang")) {
    while (line.at(0) == call) ::pause();
  }
  for (const auto& line : Lines("crash")) {
    if (line.at(0) == call) ::raise(SIGKILL);
  }
  for (const auto& line : Lines("fail")) {
    if (line.at(0) == call) return std::stoi(line.at(1));
  }
  return 0;
}

unsigned long long Number(const std::string& word) {
  return word == "-" ? ~0ULL : std::stoull(word);
}

[[maybe_unused]] void Copy(const std::string& text, char* into, unsigned int size) {
  std::strncpy(into, text.c_str(), size);
}

struct Memory {
  unsigned long long total, free, used;
};
struct Process {
  unsigned int pid;
  unsigned long long used;
  unsigned int gpu_instance, compute_instance;
};

[[maybe_unused]] int Processes(const char* key, unsigned int* count, Process* into) {
  if (const int code = Scripted("processes")) return code;
  const auto lines = Lines(key);
  const auto room = *count;
  *count = static_cast<unsigned int>(lines.size());
  if (lines.size() > room) return 7;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    into[i] = {static_cast<unsigned int>(Number(lines[i].at(0))), Number(lines[i].at(1)), ~0U, ~0U};
  }
  return 0;
}

}  // namespace

extern "C" {
int nvmlInit_v2() {
  return Scripted("init");
}
int nvmlShutdown() {
  return Scripted("shutdown");
}
int nvmlDeviceGetHandleByPciBusId_v2(const char* pci, void** handle) {
  if (const int code = Scripted("handle")) return code;
  const auto gpus = Lines("card");
  for (std::size_t i = 0; i < gpus.size(); ++i) {
    if (gpus[i].at(0) != pci) continue;
    *handle = reinterpret_cast<void*>(i + 1);
    return 0;
  }
  return 6;
}
int nvmlDeviceGetMemoryInfo(void* handle, Memory* memory) {
  if (const int code = Scripted("memory")) return code;
  const auto gpu = Lines("card").at(reinterpret_cast<std::size_t>(handle) - 1);
  memory->total = Number(gpu.at(1));
  memory->used = Number(gpu.at(2));
  memory->free = memory->total - memory->used;
  return 0;
}
#ifndef HEADROOM_FAKE_NVML_OLD
int nvmlSystemGetDriverVersion(char* version, unsigned int size) {
  Copy("999.1", version, size);
  return 0;
}
int nvmlDeviceGetName(void*, char* name, unsigned int size) {
  if (const int code = Scripted("name")) return code;
  Copy("Fake GPU", name, size);
  return 0;
}
int nvmlDeviceGetUUID(void* handle, char* uuid, unsigned int size) {
  Copy("GPU-" + std::to_string(reinterpret_cast<std::size_t>(handle)), uuid, size);
  return 0;
}
int nvmlDeviceGetComputeRunningProcesses_v3(void*, unsigned int* count, Process* into) {
  return Processes("process", count, into);
}
int nvmlDeviceGetGraphicsRunningProcesses_v3(void*, unsigned int* count, Process* into) {
  return Processes("draws", count, into);
}
#endif
}
