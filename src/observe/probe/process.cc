#include "observe/probe/process.h"

#include <algorithm>
#include <array>

#include "observe/probe/kernel_text.h"

namespace headroom::probe {
namespace {

struct Wanted {
  std::string_view key;
  std::optional<Bytes>* into;
};

void ReadFields(std::string_view text, std::span<const Wanted> wanted) {
  std::string_view line;
  while (NextLine(text, line)) {
    const auto field = KeyAndValue(line);
    if (!field) continue;
    for (const Wanted& want : wanted) {
      if (field->first == want.key) *want.into = ParseSized(field->second);
    }
  }
}

}  // namespace

std::optional<StatusMemory> ParseStatus(std::string_view text) {
  // Only the Vm and Rss lines: names and groups above them can be long and hold anything.
  std::optional<Bytes> rss, anon, file, shmem, swap;
  ReadFields(text,
             std::array{Wanted{"VmRSS", &rss}, Wanted{"RssAnon", &anon}, Wanted{"RssFile", &file},
                        Wanted{"RssShmem", &shmem}, Wanted{"VmSwap", &swap}});
  if (!rss || !anon || !file || !shmem) return std::nullopt;
  return StatusMemory{*rss, *anon, *file, *shmem, swap.value_or(Bytes(0))};
}

std::optional<RollupMemory> ParseSmapsRollup(std::string_view text) {
  std::optional<Bytes> rss, pss, anon, swap, pss_shmem;
  ReadFields(text, std::array{Wanted{"Rss", &rss}, Wanted{"Pss", &pss}, Wanted{"Anonymous", &anon},
                              Wanted{"Swap", &swap}, Wanted{"Pss_Shmem", &pss_shmem}});
  if (!rss || !pss || !anon || !swap) return std::nullopt;
  return RollupMemory{*rss, *pss, *anon, *swap, pss_shmem.value_or(Bytes(0))};
}

struct ProcessReader::Open {
  KernelFile status;
};

ProcessReader::ProcessReader(std::filesystem::path root) : root_(std::move(root)) {}
ProcessReader::~ProcessReader() = default;

std::vector<ProcessMemory> ProcessReader::Read(std::span<const pid_t> pids, bool with_rollup) {
  std::erase_if(open_,
                [&](const auto& entry) { return std::ranges::count(pids, entry.first) == 0; });
  std::vector<ProcessMemory> result;
  std::array<char, kMostText> buffer;
  for (const pid_t pid : pids) {
    const std::filesystem::path folder = root_ / "proc" / std::to_string(pid);
    auto [entry, added] =
        open_.try_emplace(pid, Open{KernelFile(folder / "status", /*reopen=*/false)});
    const auto text = entry->second.status.Read(buffer);
    const auto status = text ? ParseStatus(*text) : std::nullopt;
    if (!status) continue;
    ProcessMemory process{pid, *status, std::nullopt};
    if (with_rollup) {
      // Not kept open: an open smaps_rollup holds on to the memory map of before an exec.
      if (const auto rollup = ReadText(folder / "smaps_rollup"))
        process.rollup = ParseSmapsRollup(*rollup);
    }
    result.push_back(process);
  }
  return result;
}

}  // namespace headroom::probe
