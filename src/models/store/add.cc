#include "models/store/add.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <vector>

#include "base/fd.h"
#include "base/sha256.h"
#include "base/text.h"
#include "models/formats/quantize.h"
#include "models/store/work_folder.h"

namespace headroom::models {

namespace fs = std::filesystem;

namespace {

// Inside the store, so that the last step is a rename.
Result<WorkFolder> WorkIn(const Store& store) {
  TRY(store.Prepare());
  return WorkFolder::Make(store.folder() / ".work");
}

// "whisper-tiny.en" when the file says so, else "whisper-39m".
Result<std::string> NameOf(const ModelHeader& header) {
  std::string name = header.variant;
  if (name.empty() && !header.architecture.empty())
    name = fmt::format("{}-{}m", header.architecture, (header.parameters + 500'000) / 1'000'000);
  for (char& c : name) {
    if (c == ' ' || c == '/') c = '-';
  }
  if (!IsModelName(name))
    return Fail(Errc::kInvalid, "the file does not say what it is; give it a name with --name");
  return name;
}

}  // namespace

OnImportProgress Listener::Under(std::string what) const {
  if (!on_step) return {};
  return [on_step = on_step, what = std::move(what)](const ImportProgress& progress) {
    on_step({what, progress.done, progress.total});
  };
}

Result<StoredModel> Settle(const Store& store, const fs::path& fresh, const ModelSpec& spec,
                           const std::string& source) {
  const auto settle = [&]() -> Result<StoredModel> {
    TRY_ASSIGN(std::string sum, Sha256OfFile(fresh));
    const fs::path path = store.PathOf(spec);
    // An imported GGUF may be the user's own file under a second name: its mode is theirs.
    struct stat info{};
    if (::stat(fresh.c_str(), &info) != 0 ||
        (info.st_nlink == 1 && ::chmod(fresh.c_str(), 0644) != 0) ||
        ::rename(fresh.c_str(), path.c_str()) != 0)
      return FailErrno(errno, "finish {}", path.string());
    TRY(SyncDirectory(store.folder()));
    TRY(store.Record(spec, std::move(sum), source));
    std::error_code error;
    return StoredModel{spec, path, Bytes(static_cast<std::int64_t>(fs::file_size(path, error)))};
  };
  auto settled = settle();
  std::error_code ignored;
  if (!settled) fs::remove(fresh, ignored);
  return settled;
}

Result<StoredModel> ImportInto(const Store& store, const fs::path& source, const std::string& name,
                               const Listener& listener, CancelToken* cancel) {
  if (!name.empty() && !IsModelName(name))
    return Fail(Errc::kInvalid,
                "\"{}\" is not a model's name; use letters, digits, '.', '_' and '-'",
                Printable(name));
  TRY_ASSIGN(const WorkFolder work, WorkIn(store));
  const fs::path fresh = work.path() / "model.gguf";
  TRY_ASSIGN(const ModelHeader header,
             Import(source, fresh, listener.Under("import " + source.filename().string()), cancel));
  ModelSpec spec{name, ""};
  if (name.empty()) {
    TRY_ASSIGN(spec.name, NameOf(header));
  }
  const auto quantisation = CanonicalQuantisation(header.quantisation);
  if (!quantisation)
    return Fail(Errc::kUnsupported,
                "{}: quantised as {}, which has no place in the store; use it by its path",
                source.string(),
                header.quantisation.empty() ? "nothing known" : header.quantisation);
  spec.quantisation = *quantisation;
  TRY_ASSIGN(const FileLock alone, store.LockModel(spec.name, cancel));
  if (store.Find(spec))
    return Fail(Errc::kExists,
                "{} is here already; remove it with 'headroom models rm {}' or use --name",
                ToString(spec), ToString(spec));
  std::error_code error;
  const fs::path from = fs::absolute(source, error);
  return Settle(store, fresh, spec, "imported from " + (error ? source : from).string());
}

Result<StoredModel> QuantizeInto(const Store& store, const ModelSpec& from, std::string_view preset,
                                 const Listener& listener, CancelToken* cancel) {
  const auto quantisation = CanonicalQuantisation(preset);
  if (!quantisation)
    return Fail(Errc::kInvalid,
                "\"{}\" is not a quantisation; there are Q8_0, Q6_K, Q5_K_M, Q4_K_M",
                Printable(preset));
  std::optional<StoredModel> source;
  if (!from.quantisation.empty()) {
    source = store.Find(from);
  } else {
    for (const char* wide : {"F16", "F32", "BF16"}) {
      if (!source) source = store.Find({from.name, wide});
    }
  }
  if (!source) {
    TRY(store.CheckName(from.name));
    const std::string wanted =
        ToString({from.name, from.quantisation.empty() ? "F16" : from.quantisation});
    return Fail(
        Errc::kNotFound,
        "{} is not here, and only from it others are made; get it with: headroom models pull {}",
        wanted, wanted);
  }
  const ModelSpec spec{from.name, *quantisation};
  TRY_ASSIGN(const FileLock alone, store.LockModel(spec.name, cancel, [&] {
    listener.Say("another program is working on " + spec.name + "; waiting for it");
  }));
  if (auto there = store.Find(spec)) return std::move(*there);
  TRY_ASSIGN(const WorkFolder work, WorkIn(store));
  const fs::path fresh = work.path() / "model.gguf";
  TRY(Quantize(source->path, fresh, *quantisation, listener.Under("quantise " + ToString(spec)),
               cancel));
  return Settle(store, fresh, spec, "quantised from " + ToString(source->spec));
}

Result<std::string> Sum(const fs::path& path, const std::string& what, const Listener& listener,
                        CancelToken* cancel) {
  TRY_ASSIGN(const Fd fd, Open(path, O_RDONLY));
  std::error_code error;
  Step step{what, {}, Bytes(static_cast<std::int64_t>(fs::file_size(path, error)))};
  Sha256 sum;
  std::vector<std::byte> block(1 << 20);
  while (true) {
    TRY_ASSIGN(const std::size_t n, ReadSome(fd.get(), block));
    if (n == 0) return sum.Finish();
    if (cancel && cancel->raised()) return Fail(Errc::kCancelled, "stopped");
    sum.Add(std::span(block).first(n));
    step.done += Bytes(static_cast<std::int64_t>(n));
    if (listener.on_step) listener.on_step(step);
  }
}

Result<Verified> Verify(const Store& store, const StoredModel& model, const Listener& listener,
                        CancelToken* cancel) {
  const std::string name = ToString(model.spec);
  TRY_ASSIGN(const LockFile lock, store.ReadLock());
  const LockEntry* entry = lock.Find(StoreFileName(model.spec));
  const auto get_again = [&] {
    return fmt::format("'headroom models rm {}', then pull or import it again", name);
  };
  if (entry && entry->bytes != model.bytes)
    return Fail(Errc::kChecksum, "{}: has {} bytes and had {}; {}", name, model.bytes.n,
                entry->bytes.n, get_again());
  Verified verified;
  TRY_ASSIGN(verified.sha256, Sum(model.path, "verify " + name, listener, cancel));
  if (entry && entry->sha256 != verified.sha256)
    return Fail(Errc::kChecksum, "{}: its bytes have changed since {}; {}", name, entry->date,
                get_again());
  auto header = Inspect(model.path);
  if (!header) return Within(header, "{}", name);
  verified.header = std::move(*header);
  if (!entry) {
    verified.recorded = false;
    TRY(store.Record(model.spec, verified.sha256, "found in the folder"));
  }
  return verified;
}

}  // namespace headroom::models
