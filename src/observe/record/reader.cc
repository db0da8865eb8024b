#include "observe/record/reader.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>

#include "base/dirs.h"
#include "base/fd.h"
#include "observe/record/page.h"
#include "observe/record/schema.h"
#include "observe/record/store.h"

#include <fcntl.h>

namespace headroom::record {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostDamage = 32;
// Parts that do not move are written at least so often, so what was before `from` is known.
constexpr Milliseconds kLookBack{std::chrono::minutes(15)};

// Bytes that a flipped bit made absurd are unknown, not believed.
std::optional<Bytes> BytesAt(const sql::Statement& row, int column) {
  constexpr std::int64_t kMost = std::int64_t{1} << 52;
  const auto n = row.MaybeInteger(column);
  return n && *n >= 0 && *n <= kMost ? std::optional(Bytes(*n)) : std::nullopt;
}
std::optional<double> PercentAt(const sql::Statement& row, int column) {
  const auto value = row.MaybeReal(column);
  return value && *value >= 0 && *value <= 100 ? value : std::nullopt;
}

struct HostRow {
  Place place;
  WallTime wall{};
  Milliseconds due{0};
  HostSample sample;
};
struct ServiceRow {
  Place place;
  WallTime wall{};
  ServiceSample sample;
};
struct GpuRow {
  Place place;
  WallTime wall{};
  std::int64_t gpu = 0;
  std::optional<GpuSample> sample;  // absent: gone
};
struct ProcessRow {
  Place place;
  WallTime wall{};
  std::int64_t process = 0;
  std::optional<ProcessSample> sample;
};
struct EventRow {
  Place place;
  std::optional<Event> event;  // absent: of a kind that this version does not know
};

HostRow ReadHost(const sql::Statement& row) {
  HostRow result;
  result.wall = WallOf(row.Integer(2));
  result.due = Milliseconds(std::clamp<std::int64_t>(row.Integer(3), 0, 86'400'000));
  HostSample& h = result.sample;
  h.total = BytesAt(row, 4), h.available = BytesAt(row, 5);
  h.swap_total = BytesAt(row, 6), h.swap_used = BytesAt(row, 7);
  h.psi_some = PercentAt(row, 8), h.psi_full = PercentAt(row, 9);
  return result;
}

ServiceRow ReadService(const sql::Statement& row) {
  ServiceRow result;
  result.wall = WallOf(row.Integer(2));
  ServiceSample& s = result.sample;
  s.ram = BytesAt(row, 3), s.swap = BytesAt(row, 4);
  s.cgroup_current = BytesAt(row, 5), s.cgroup_high = BytesAt(row, 6);
  s.cgroup_max = BytesAt(row, 7), s.cgroup_swap = BytesAt(row, 8), s.room = BytesAt(row, 9);
  s.oom_kills = row.MaybeInteger(10);
  s.psi_full = PercentAt(row, 11);
  if (const auto ms = row.MaybeInteger(12); ms && *ms >= 0 && *ms < 86'400'000'000)
    s.queue = Milliseconds(*ms);
  for (std::size_t g = 0; g < memory::kGauges; ++g) {
    const auto zone = row.MaybeInteger(13 + static_cast<int>(g));
    if (zone && *zone >= 0 && *zone <= 3) s.zones[g] = static_cast<memory::Zone>(*zone);
  }
  s.tier = row.Text(18).substr(0, kMostText);
  return result;
}

GpuRow ReadGpu(const sql::Statement& row) {
  GpuRow result;
  result.gpu = row.Integer(2);
  result.wall = WallOf(row.Integer(3));
  if (row.IsNull(4)) return result;
  GpuSample gpu;
  gpu.state = GpuStateFromName(row.Text(4)).value_or(GpuState::kError);
  gpu.total = BytesAt(row, 5), gpu.used = BytesAt(row, 6), gpu.own = BytesAt(row, 7);
  if (gpu.total && gpu.used && *gpu.used > *gpu.total) gpu.used.reset();
  if (gpu.used && gpu.own && *gpu.own > *gpu.used) gpu.own.reset();
  result.sample = std::move(gpu);
  return result;
}

ProcessRow ReadProcess(const sql::Statement& row) {
  ProcessRow result;
  result.process = row.Integer(2);
  result.wall = WallOf(row.Integer(3));
  ProcessSample process;
  process.rss = BytesAt(row, 4), process.counted = BytesAt(row, 5), process.pss = BytesAt(row, 6);
  process.swap = BytesAt(row, 7), process.gpu = BytesAt(row, 8);
  if (process.rss || process.counted || process.pss || process.swap || process.gpu)
    result.sample = std::move(process);
  return result;
}

EventRow ReadEvent(const sql::Statement& row) {
  EventRow result;
  const auto kind = EventKindFromName(row.Text(4));
  if (!kind) return result;
  result.event = Event{
      *kind, {MonoOf(row.Integer(2)), WallOf(row.Integer(3))}, AttributesFromJson(row.Text(5))};
  return result;
}

}  // namespace

// One file that is being read.
struct File {
  File(fs::path name, sql::Database opened, std::int64_t from_ms, std::int64_t to_ms,
       std::vector<std::string>& damage)
      : path(std::move(name)),
        database(std::move(opened)),
        host(database, path, "host_sample", "mono_ms", ReadHost, from_ms, to_ms, damage),
        service(database, path, "service_sample", "mono_ms", ReadService, from_ms, to_ms, damage),
        gpu(database, path, "card_sample", "mono_ms, card", ReadGpu, from_ms, to_ms, damage),
        process(database, path, "process_sample", "mono_ms, process", ReadProcess, from_ms, to_ms,
                damage),
        event(database, path, "event", "id", ReadEvent, from_ms, to_ms, damage) {}

  fs::path path;
  sql::Database database;
  std::map<std::int64_t, Run*> runs;  // by the file's own numbers
  std::map<std::int64_t, std::string> gpus;
  std::map<std::int64_t, ProcessKey> processes;
  Pages<HostRow> host;
  Pages<ServiceRow> service;
  Pages<GpuRow> gpu;
  Pages<ProcessRow> process;
  Pages<EventRow> event;
};

struct Reader::State {
  ReadOptions options;
  std::vector<std::unique_ptr<File>> files;
  std::size_t reading = 0;  // which of files
  std::vector<std::unique_ptr<Run>> runs;
  std::map<std::string, GpuName> gpus;
  std::vector<std::string> damage;
  std::int64_t runs_made = 0;

  // What holds at the moment that is being read.
  std::int64_t run_now = -1;
  Sample now;
  std::map<std::int64_t, GpuSample> gpu_now;
  std::map<std::int64_t, ProcessSample> process_now;
  std::int64_t known_until = 0;  // mono_ms until which the last heartbeat speaks

  void Damaged(const fs::path& path, std::string_view what) {
    if (damage.size() < kMostDamage) damage.push_back(fmt::format("{}: {}", path.string(), what));
  }
  bool InRange(WallTime wall) const {
    return (!options.from || wall >= *options.from) && (!options.to || wall < *options.to);
  }
  void ReadRuns(File& file);
  void ReadNames(File& file);
  Run* RunOf(File& file, std::int64_t id);
  std::optional<Entry> NextOf(File& file);
  std::optional<Place> NextPlace(File& file);
  Sample Take(File& file, Place place);
  void Forget();
};

void Reader::State::ReadRuns(File& file) {
  auto query = file.database.Prepare(
      "SELECT id, boot, program, version, target, pid, wall_ms, mono_ms, ended_wall_ms, "
      "ended_mono_ms FROM run ORDER BY id");
  if (!query) return Damaged(file.path, query.error().what);
  while (true) {
    const auto row = query->Step();
    if (!row) return Damaged(file.path, row.error().what);
    if (!*row) return;
    const std::int64_t id = query->Integer(0);
    Run run;
    run.boot = query->Text(1), run.program = query->Text(2), run.version = query->Text(3);
    run.target = query->Text(4), run.pid = static_cast<pid_t>(query->Integer(5));
    run.began = {MonoOf(query->Integer(7)), WallOf(query->Integer(6))};
    if (!query->IsNull(8)) run.ended = Moment{MonoOf(query->Integer(9)), WallOf(query->Integer(8))};
    if (const auto known = file.runs.find(id); known != file.runs.end()) {
      run.id = known->second->id;
      *known->second = std::move(run);
      continue;
    }
    run.id = ++runs_made;
    runs.push_back(std::make_unique<Run>(std::move(run)));
    file.runs[id] = runs.back().get();
  }
}

Run* Reader::State::RunOf(File& file, std::int64_t id) {
  if (const auto known = file.runs.find(id); known != file.runs.end()) return known->second;
  ReadRuns(file);  // begun since, or its row is damaged
  if (const auto known = file.runs.find(id); known != file.runs.end()) return known->second;
  Damaged(file.path, fmt::format("run {} is not described", id));
  Run run;
  run.id = ++runs_made;
  runs.push_back(std::make_unique<Run>(std::move(run)));
  return file.runs[id] = runs.back().get();
}

void Reader::State::ReadNames(File& file) {
  if (auto query = file.database.Prepare("SELECT id, pci, name, uuid, driver FROM card")) {
    for (Result<bool> row = query->Step(); row && *row; row = query->Step()) {
      const std::string pci(query->Text(1));
      file.gpus[query->Integer(0)] = pci;
      GpuName& name = gpus[pci];
      name.gpu = pci;
      if (!query->IsNull(2)) {
        name.name = query->Text(2), name.uuid = query->Text(3), name.driver = query->Text(4);
      }
    }
  }
  if (auto query = file.database.Prepare("SELECT id, role, pid FROM process")) {
    for (Result<bool> row = query->Step(); row && *row; row = query->Step())
      file.processes[query->Integer(0)] = {std::string(query->Text(1)),
                                           static_cast<pid_t>(query->Integer(2))};
  }
}

void Reader::State::Forget() {
  now = Sample();
  gpu_now.clear(), process_now.clear();
}

std::optional<Place> Reader::State::NextPlace(File& file) {
  std::optional<Place> first;
  const auto look = [&first](auto& pages) {
    if (const auto* row = pages.Head(); row && (!first || row->place < *first)) first = row->place;
  };
  look(file.host), look(file.service), look(file.gpu), look(file.process);
  return first;
}

// All rows of one moment, put on top of what is known.
Sample Reader::State::Take(File& file, Place place) {
  if (place.run != run_now || place.mono_ms > known_until) Forget();
  run_now = place.run;
  now.at.mono = MonoOf(place.mono_ms);
  while (const HostRow* row = file.host.Head()) {
    if (row->place != place) break;
    now.host = row->sample, now.at.wall = row->wall;
    known_until = place.mono_ms + row->due.count();
    file.host.Pop();
  }
  known_until = std::max(known_until, place.mono_ms);
  while (const ServiceRow* row = file.service.Head()) {
    if (row->place != place) break;
    now.service = row->sample, now.at.wall = row->wall;
    file.service.Pop();
  }
  while (const GpuRow* row = file.gpu.Head()) {
    if (row->place != place) break;
    now.at.wall = row->wall;
    if (!row->sample) {
      gpu_now.erase(row->gpu);
    } else {
      if (!file.gpus.contains(row->gpu)) ReadNames(file);
      GpuSample& gpu = gpu_now[row->gpu] = *row->sample;
      const auto name = file.gpus.find(row->gpu);
      gpu.gpu = name == file.gpus.end() ? fmt::format("card {}", row->gpu) : name->second;
    }
    file.gpu.Pop();
  }
  while (const ProcessRow* row = file.process.Head()) {
    if (row->place != place) break;
    now.at.wall = row->wall;
    if (!row->sample) {
      process_now.erase(row->process);
    } else {
      if (!file.processes.contains(row->process)) ReadNames(file);
      ProcessSample& process = process_now[row->process] = *row->sample;
      if (const auto name = file.processes.find(row->process); name != file.processes.end())
        process.role = name->second.first, process.pid = name->second.second;
    }
    file.process.Pop();
  }
  Sample sample = now;
  for (const auto& [id, gpu] : gpu_now) sample.gpus.push_back(gpu);
  for (const auto& [id, process] : process_now) sample.processes.push_back(process);
  return sample;
}

std::optional<Entry> Reader::State::NextOf(File& file) {
  while (true) {
    const std::optional<Place> place = NextPlace(file);
    const EventRow* event = file.event.Head();
    if (!place && !event) return std::nullopt;
    if (event && (!place || event->place < *place)) {
      Run* of = RunOf(file, event->place.run);
      std::optional<Event> what = event->event;
      file.event.Pop();
      if (what && InRange(what->at.wall)) return Entry{of, std::move(*what)};
      continue;
    }
    Run* of = RunOf(file, place->run);
    Sample sample = Take(file, *place);
    if (options.holds) {
      const std::optional<Place> next = NextPlace(file);
      std::int64_t until = place->mono_ms;
      if (next && next->run == place->run) {
        until = std::min(next->mono_ms, known_until);
      } else {
        ReadRuns(file);  // it may have ended since
        if (of->ended) until = std::min(MonoMs(of->ended->mono), known_until);
      }
      sample.holds = Milliseconds(std::max<std::int64_t>(0, until - place->mono_ms));
    }
    if (InRange(sample.at.wall)) return Entry{of, std::move(sample)};
  }
}

Reader::Reader(std::unique_ptr<State> state) : state_(std::move(state)) {}
Reader::~Reader() = default;

Result<std::unique_ptr<Reader>> Reader::Open(std::vector<fs::path> files, ReadOptions options) {
  auto state = std::make_unique<State>();
  state->options = options;
  const std::int64_t from = options.from ? WallMs(*options.from - kLookBack) : INT64_MIN;
  const std::int64_t to = options.to ? WallMs(*options.to) : INT64_MAX;
  for (const fs::path& path : files) {
    Result<sql::Database> database = OpenForReading(path);
    if (!database) {
      if (files.size() == 1 || database.error().code != Errc::kCorrupt)
        return Fail(std::move(database).error());
      state->Damaged(path, database.error().what);
      continue;
    }
    state->files.push_back(
        std::make_unique<File>(path, std::move(*database), from, to, state->damage));
    state->ReadRuns(*state->files.back());
    state->ReadNames(*state->files.back());
  }
  return std::unique_ptr<Reader>(new Reader(std::move(state)));
}

const std::vector<std::unique_ptr<Run>>& Reader::runs() const {
  return state_->runs;
}
const std::map<std::string, GpuName>& Reader::gpus() const {
  return state_->gpus;
}
const std::vector<std::string>& Reader::damage() const {
  return state_->damage;
}

std::optional<Entry> Reader::Next() {
  while (state_->reading < state_->files.size()) {
    if (auto entry = state_->NextOf(*state_->files[state_->reading])) return entry;
    if (state_->reading + 1 == state_->files.size()) return std::nullopt;  // may still grow
    ++state_->reading;
    state_->run_now = -1;
    state_->Forget();
  }
  return std::nullopt;
}

fs::path DefaultPath() {
  return StateDir() / "flight-record.db";
}

bool IsFlightRecord(const fs::path& path) {
  const Result<Fd> fd = headroom::Open(path, O_RDONLY);
  if (!fd) return false;
  std::array<std::byte, 72> header{};
  const auto n = ReadFull(fd->get(), header);
  if (!n || *n < header.size()) return false;
  const std::string_view text(reinterpret_cast<const char*>(header.data()), header.size());
  // https://www.sqlite.org/fileformat.html: the application id is at 68, big-endian.
  return text.starts_with(std::string_view("SQLite format 3\0", 16)) &&
         text.substr(68, 4) == "HDRF";
}

std::vector<fs::path> WithDamaged(const fs::path& path) {
  std::vector<fs::path> files;
  std::error_code ignored;
  for (int n = 1;; ++n) {
    fs::path aside = fmt::format("{}.damaged-{}", path.string(), n);
    if (!fs::exists(aside, ignored)) break;
    files.push_back(std::move(aside));
  }
  files.push_back(path);
  return files;
}

}  // namespace headroom::record
