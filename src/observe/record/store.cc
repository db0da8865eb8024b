#include "observe/record/store.h"

#include "observe/record/schema.h"

namespace headroom::record {
namespace {

std::optional<std::int64_t> N(const std::optional<Bytes>& bytes) {
  return bytes ? std::optional(bytes->n) : std::nullopt;
}

// "?,?,?": so many.
std::string Marks(int n) {
  std::string marks = "?";
  while (--n > 0) marks += ",?";
  return marks;
}

}  // namespace

std::int64_t MonoMs(MonoTime time) {
  return std::chrono::duration_cast<Milliseconds>(time.time_since_epoch()).count();
}
std::int64_t WallMs(WallTime time) {
  return std::chrono::duration_cast<Milliseconds>(time.time_since_epoch()).count();
}
MonoTime MonoOf(std::int64_t ms) {
  return MonoTime(Milliseconds(ms));
}
WallTime WallOf(std::int64_t ms) {
  return WallTime(Milliseconds(ms));
}

struct Store::Statements {
  sql::Statement host, service, gpu, process, event, name_gpu, find_gpu, add_gpu, find_process,
      add_process;
};

Store::Store(sql::Database database, std::int64_t run)
    : database_(std::move(database)), run_(run) {}

Store::~Store() {
  transaction_.reset();
}

Result<Store::Opened> Store::Open(const std::filesystem::path& path, Run run) {
  Opened opened;
  Result<sql::Database> database = OpenForWriting(path);
  if (!database && database.error().code == Errc::kCorrupt) {
    TRY_ASSIGN(opened.set_aside, SetAside(path));
    database = OpenForWriting(path);
  }
  if (!database) return Fail(std::move(database).error());
  {
    TRY_ASSIGN(sql::Statement insert,
               database->Prepare("INSERT INTO run(boot, program, version, target, pid, wall_ms, "
                                 "mono_ms) VALUES(?,?,?,?,?,?,?)"));
    insert.Bind(1, std::string_view(run.boot)).Bind(2, std::string_view(run.program));
    insert.Bind(3, std::string_view(run.version)).Bind(4, std::string_view(run.target));
    insert.Bind(5, std::int64_t{run.pid}).Bind(6, WallMs(run.began.wall));
    insert.Bind(7, MonoMs(run.began.mono));
    TRY(insert.Run());
  }
  const std::int64_t id = database->last_insert_id();
  opened.store.reset(new Store(std::move(*database), id));
  TRY(opened.store->Prepare());
  return opened;
}

Result<> Store::Prepare() {
  // A row of the black box may be there already.
  const auto insert = [this](const char* table, int columns) {
    return database_.Prepare(
        fmt::format("INSERT OR IGNORE INTO {} VALUES({})", table, Marks(columns)));
  };
  TRY_ASSIGN(sql::Statement host, insert("host_sample", 10));
  TRY_ASSIGN(sql::Statement service, insert("service_sample", 19));
  TRY_ASSIGN(sql::Statement gpu, insert("card_sample", 8));
  TRY_ASSIGN(sql::Statement process, insert("process_sample", 9));
  TRY_ASSIGN(sql::Statement event,
             database_.Prepare("INSERT INTO event(run, mono_ms, wall_ms, kind, attributes) "
                               "VALUES(?,?,?,?,?)"));
  TRY_ASSIGN(sql::Statement name_gpu,
             database_.Prepare("UPDATE card SET name = ?2, uuid = ?3, driver = ?4 WHERE id = ?1"));
  TRY_ASSIGN(sql::Statement find_gpu, database_.Prepare("SELECT id FROM card WHERE pci = ?"));
  TRY_ASSIGN(sql::Statement add_gpu, database_.Prepare("INSERT INTO card(pci) VALUES(?)"));
  TRY_ASSIGN(sql::Statement find_process,
             database_.Prepare("SELECT id FROM process WHERE role = ? AND pid = ?"));
  TRY_ASSIGN(sql::Statement add_process,
             database_.Prepare("INSERT INTO process(role, pid) VALUES(?,?)"));
  statements_.reset(new Statements{std::move(host), std::move(service), std::move(gpu),
                                   std::move(process), std::move(event), std::move(name_gpu),
                                   std::move(find_gpu), std::move(add_gpu), std::move(find_process),
                                   std::move(add_process)});
  return {};
}

Result<> Store::Begin() {
  TRY_ASSIGN(sql::Transaction transaction, sql::Transaction::Begin(database_));
  transaction_.emplace(std::move(transaction));
  return {};
}

Result<> Store::Commit() {
  const Result<> done = transaction_->Commit();
  transaction_.reset();
  if (!done) Rollback();
  return done;
}

void Store::Rollback() {
  transaction_.reset();
  // Ids that were given in it do not exist.
  gpus_.clear(), processes_.clear();
}

Result<> Store::Insert(sql::Statement& statement) {
  TRY(statement.Run());
  ++rows_;
  return {};
}

Result<std::int64_t> Store::GpuId(const std::string& pci) {
  if (const auto known = gpus_.find(pci); known != gpus_.end()) return known->second;
  sql::Statement& find = statements_->find_gpu.Bind(1, std::string_view(pci));
  TRY_ASSIGN(const bool there, find.Step());
  std::int64_t id = 0;
  if (there) {
    id = find.Integer(0);
    find.Reset();
  } else {
    TRY(statements_->add_gpu.Bind(1, std::string_view(pci)).Run());
    id = database_.last_insert_id();
  }
  return gpus_[pci] = id;
}

Result<std::int64_t> Store::ProcessId(const ProcessKey& key) {
  if (const auto known = processes_.find(key); known != processes_.end()) return known->second;
  const auto bind = [&key](sql::Statement& statement) -> sql::Statement& {
    return statement.Bind(1, std::string_view(key.first)).Bind(2, std::int64_t{key.second});
  };
  sql::Statement& find = bind(statements_->find_process);
  TRY_ASSIGN(const bool there, find.Step());
  std::int64_t id = 0;
  if (there) {
    id = find.Integer(0);
    find.Reset();
  } else {
    TRY(bind(statements_->add_process).Run());
    id = database_.last_insert_id();
  }
  if (processes_.size() > 4096) processes_.clear();  // a target that starts processes all day long
  return processes_[key] = id;
}

Result<> Store::Put(const Rows& rows) {
  const std::int64_t mono = MonoMs(rows.at.mono), wall = WallMs(rows.at.wall);
  if (rows.host) {
    const HostSample& h = *rows.host;
    sql::Statement& s = statements_->host;
    s.Bind(1, run_).Bind(2, mono).Bind(3, wall).Bind(4, std::int64_t{rows.due.count()});
    s.Bind(5, N(h.total)).Bind(6, N(h.available)).Bind(7, N(h.swap_total));
    s.Bind(8, N(h.swap_used)).Bind(9, h.psi_some).Bind(10, h.psi_full);
    TRY(Insert(s));
  }
  if (rows.service) {
    const ServiceSample& v = *rows.service;
    sql::Statement& s = statements_->service;
    s.Bind(1, run_).Bind(2, mono).Bind(3, wall).Bind(4, N(v.ram)).Bind(5, N(v.swap));
    s.Bind(6, N(v.cgroup_current)).Bind(7, N(v.cgroup_high)).Bind(8, N(v.cgroup_max));
    s.Bind(9, N(v.cgroup_swap)).Bind(10, N(v.room)).Bind(11, v.oom_kills).Bind(12, v.psi_full);
    s.Bind(13, v.queue ? std::optional<std::int64_t>(v.queue->count()) : std::nullopt);
    for (std::size_t g = 0; g < memory::kGauges; ++g) {
      const auto& zone = v.zones[g];
      s.Bind(14 + static_cast<int>(g),
             zone ? std::optional(static_cast<std::int64_t>(*zone)) : std::nullopt);
    }
    s.Bind(19, std::string_view(v.tier));
    TRY(Insert(s));
  }
  for (const GpuSample& gpu : rows.gpus) {
    TRY_ASSIGN(const std::int64_t id, GpuId(gpu.gpu));
    sql::Statement& s = statements_->gpu;
    s.Bind(1, run_).Bind(2, mono).Bind(3, id).Bind(4, wall).Bind(5, Name(gpu.state));
    s.Bind(6, N(gpu.total)).Bind(7, N(gpu.used)).Bind(8, N(gpu.own));
    TRY(Insert(s));
  }
  for (const ProcessSample& process : rows.processes) {
    TRY_ASSIGN(const std::int64_t id, ProcessId({process.role, process.pid}));
    sql::Statement& s = statements_->process;
    s.Bind(1, run_).Bind(2, mono).Bind(3, id).Bind(4, wall).Bind(5, N(process.rss));
    s.Bind(6, N(process.counted)).Bind(7, N(process.pss)).Bind(8, N(process.swap));
    s.Bind(9, N(process.gpu));
    TRY(Insert(s));
  }
  // A row without any number says that it is no longer there.
  for (const std::string& pci : rows.gone_gpus) {
    TRY_ASSIGN(const std::int64_t id, GpuId(pci));
    sql::Statement& s = statements_->gpu;
    s.Bind(1, run_).Bind(2, mono).Bind(3, id).Bind(4, wall);
    for (int i = 5; i <= 8; ++i) s.BindNull(i);
    TRY(Insert(s));
  }
  for (const ProcessKey& key : rows.gone_processes) {
    TRY_ASSIGN(const std::int64_t id, ProcessId(key));
    sql::Statement& s = statements_->process;
    s.Bind(1, run_).Bind(2, mono).Bind(3, id).Bind(4, wall);
    for (int i = 5; i <= 9; ++i) s.BindNull(i);
    TRY(Insert(s));
  }
  return {};
}

Result<> Store::Put(const Event& event) {
  const std::string attributes = AttributesToJson(event);
  sql::Statement& s = statements_->event;
  s.Bind(1, run_).Bind(2, MonoMs(event.at.mono)).Bind(3, WallMs(event.at.wall));
  s.Bind(4, Name(event.kind));
  attributes.empty() ? s.BindNull(5) : s.Bind(5, std::string_view(attributes));
  return Insert(s);
}

Result<> Store::Put(const GpuName& gpu) {
  TRY_ASSIGN(const std::int64_t id, GpuId(gpu.gpu));
  sql::Statement& s = statements_->name_gpu;
  s.Bind(1, id).Bind(2, std::string_view(gpu.name)).Bind(3, std::string_view(gpu.uuid));
  s.Bind(4, std::string_view(gpu.driver));
  return Insert(s);
}

Result<> Store::End(Moment at) {
  TRY_ASSIGN(sql::Statement end,
             database_.Prepare("UPDATE run SET ended_wall_ms = ?, ended_mono_ms = ? WHERE id = ?"));
  return end.Bind(1, WallMs(at.wall)).Bind(2, MonoMs(at.mono)).Bind(3, run_).Run();
}

}  // namespace headroom::record
