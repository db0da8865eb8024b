#include "models/store/bundle.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>

#include "base/fd.h"
#include "base/sha256.h"
#include "models/store/archive.h"

namespace headroom::models {

namespace fs = std::filesystem;

namespace {

constexpr const char* kManifest = "bundle.toml";
constexpr Bytes kLongestManifest = MiB(1);
constexpr std::size_t kBlock = 1 << 20;

class Writer {
 public:
  Writer(archive* a, const fs::path& path, const Listener& listener, CancelToken* cancel)
      : archive_(a), path_(path), listener_(listener), cancel_(cancel) {}

  void Expect(Bytes total) { step_ = {"write " + path_.filename().string(), {}, total}; }

  Result<> AddText(const char* name, const std::string& text) {
    TRY(Header(name, Bytes(static_cast<std::int64_t>(text.size()))));
    return Write(std::as_bytes(std::span(text)));
  }

  Result<> AddFile(const StoredModel& model, const LockEntry& entry) {
    TRY_ASSIGN(const Fd fd, Open(model.path, O_RDONLY));
    TRY(Header(entry.file, entry.bytes));
    Sha256 sum;
    std::vector<std::byte> block(kBlock);
    while (true) {
      TRY_ASSIGN(const std::size_t n, ReadSome(fd.get(), block));
      if (n == 0) break;
      if (cancel_ && cancel_->raised()) return Fail(Errc::kCancelled, "stopped; nothing was kept");
      sum.Add(std::span(block).first(n));
      TRY(Write(std::span(block).first(n)));
      step_.done += Bytes(static_cast<std::int64_t>(n));
      if (listener_.on_step) listener_.on_step(step_);
    }
    if (sum.Finish() != entry.sha256)
      return Fail(Errc::kChecksum,
                  "{}: its bytes have changed since {}; see 'headroom models verify'",
                  ToString(model.spec), entry.date);
    return {};
  }

 private:
  Result<> Header(const std::string& name, Bytes size) {
    const ArchiveEntry entry(archive_entry_new());
    archive_entry_set_pathname(entry.get(), name.c_str());
    archive_entry_set_size(entry.get(), size.n);
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), 0644);
    archive_entry_set_mtime(entry.get(),
                            std::chrono::system_clock::to_time_t(SystemClock().WallNow()), 0);
    if (archive_write_header(archive_, entry.get()) != ARCHIVE_OK) return Failed();
    return {};
  }

  Result<> Write(std::span<const std::byte> bytes) {
    const la_ssize_t n = archive_write_data(archive_, bytes.data(), bytes.size());
    if (n < 0) return Failed();
    if (static_cast<std::size_t>(n) != bytes.size())
      return Fail(Errc::kChecksum,
                  "a model grew while it was being read; see 'headroom models verify'");
    return {};
  }

  Result<> Failed() {
    const int err = archive_errno(archive_);
    if (err > 0) return FailErrno(err, "write {}", path_.string());
    return FailArchive(archive_, Errc::kIo, "write " + path_.string());
  }

  archive* archive_;
  const fs::path& path_;
  const Listener& listener_;
  CancelToken* cancel_;
  Step step_;
};

Result<LockFile> EntriesOf(const Store& store, const std::vector<StoredModel>& models,
                           const Listener& listener, CancelToken* cancel) {
  TRY_ASSIGN(const LockFile lock, store.ReadLock());
  LockFile bundle;
  for (const StoredModel& model : models) {
    const std::string file = StoreFileName(model.spec);
    if (const LockEntry* entry = lock.Find(file)) {
      bundle.Put(*entry);
    } else {
      TRY_ASSIGN(std::string sum,
                 Sum(model.path, "read " + ToString(model.spec), listener, cancel));
      bundle.Put({file, std::move(sum), model.bytes, "found in the folder",
                  Rfc3339(SystemClock().WallNow())});
    }
  }
  return bundle;
}

Result<> WriteTo(int fd, const fs::path& path, const LockFile& entries,
                 const std::vector<StoredModel>& models, const Listener& listener,
                 CancelToken* cancel) {
  const ArchiveWriter owner(archive_write_new());
  archive* a = owner.get();
  archive_write_set_format_pax_restricted(a);
  if (archive_write_open_fd(a, fd) != ARCHIVE_OK) return FailArchive(a, Errc::kIo, path.string());
  Writer writer(a, path, listener, cancel);
  Bytes total;
  for (const LockEntry& entry : entries.entries) total += entry.bytes;
  writer.Expect(total);
  TRY(writer.AddText(kManifest, Format(entries)));
  for (const StoredModel& model : models)
    TRY(writer.AddFile(model, *entries.Find(StoreFileName(model.spec))));
  if (archive_write_close(a) != ARCHIVE_OK) return FailArchive(a, Errc::kIo, path.string());
  if (::fsync(fd) != 0 && errno != EINVAL) return FailErrno(errno, "sync {}", path.string());
  return {};
}

class BundleReader {
 public:
  BundleReader(const Store& store, archive* a, std::string name, const Listener& listener,
               CancelToken* cancel)
      : store_(store), archive_(a), name_(std::move(name)), listener_(listener), cancel_(cancel) {}

  Result<Unbundled> Run() {
    TRY(ReadManifest());
    Unbundled result;
    for (std::size_t i = 0; i < entries_.entries.size(); ++i) {
      TRY_ASSIGN(archive_entry* const member, Next());
      if (!member)
        return Fail(Errc::kCorrupt, "{}: ends before {}", name_, entries_.entries[i].file);
      TRY(ReadModel(member, result));
    }
    return result;
  }

 private:
  // nullptr at the end.
  Result<archive_entry*> Next() {
    archive_entry* entry = nullptr;
    const int code = archive_read_next_header(archive_, &entry);
    if (code == ARCHIVE_EOF) return nullptr;
    if (code != ARCHIVE_OK && code != ARCHIVE_WARN)
      return FailArchive(archive_, Errc::kCorrupt, name_);
    if (archive_entry_filetype(entry) != AE_IFREG || !archive_entry_pathname(entry))
      return Fail(Errc::kCorrupt, "{}: has something in it that is no file", name_);
    return entry;
  }

  Result<> ReadManifest() {
    TRY_ASSIGN(archive_entry* const member, Next());
    const std::string_view name = member ? archive_entry_pathname(member) : "";
    if (name != kManifest || archive_entry_size(member) > kLongestManifest.n)
      return Fail(Errc::kCorrupt,
                  "{}: is not a bundle of models; 'headroom models bundle' makes them", name_);
    std::string text(static_cast<std::size_t>(archive_entry_size(member)), '\0');
    const la_ssize_t n = archive_read_data(archive_, text.data(), text.size());
    if (n < 0 || static_cast<std::size_t>(n) != text.size())
      return FailArchive(archive_, Errc::kCorrupt, name_);
    TRY_ASSIGN(entries_, ParseLockFile(text, name_ + "/" + kManifest));
    Bytes total;
    for (const LockEntry& entry : entries_.entries) {
      if (!ParseStoreFileName(entry.file))
        return Fail(Errc::kCorrupt, "{}: {} is not a model's file", name_, entry.file);
      total += entry.bytes;
    }
    step_ = {"read " + name_, {}, total};
    TRY_ASSIGN(const Bytes free, FreeSpace(store_.folder()));
    if (free < total)
      return Fail(Errc::kNoSpace, "{}: {} are needed and {} are free", store_.folder().string(),
                  FormatDecimal(total), FormatDecimal(free));
    return {};
  }

  Result<> ReadModel(archive_entry* member, Unbundled& result) {
    const LockEntry* entry = entries_.Find(archive_entry_pathname(member));
    // Only names of the manifest, which are plain ones: no path of the archive is ever followed.
    if (!entry || archive_entry_size(member) != entry->bytes.n)
      return Fail(Errc::kCorrupt, "{}: {} is not what its list says", name_,
                  entry ? entry->file : "a member");
    if (!seen_.insert(entry->file).second)
      return Fail(Errc::kCorrupt, "{}: {} is there twice", name_, entry->file);
    const ModelSpec spec = *ParseStoreFileName(entry->file);
    TRY_ASSIGN(const FileLock alone, store_.LockModel(spec.name, cancel_));
    if (store_.Find(spec)) {
      TRY_ASSIGN(const std::string here,
                 Sum(store_.PathOf(spec), "compare " + ToString(spec), listener_, cancel_));
      if (here != entry->sha256)
        return Fail(Errc::kExists, "another {} is here; remove it first: headroom models rm {}",
                    ToString(spec), ToString(spec));
      step_.done += entry->bytes;
      result.already.push_back(spec);
      return {};
    }
    const fs::path fresh = store_.PathOf(spec).string() + ".bundle";
    auto copied = CopyOut(fresh, *entry, spec);
    std::error_code ignored;
    fs::remove(fresh, ignored);
    if (!copied) return copied;
    result.added.push_back({spec, store_.PathOf(spec), entry->bytes});
    return {};
  }

  Result<> CopyOut(const fs::path& fresh, const LockEntry& entry, const ModelSpec& spec) {
    TRY_ASSIGN(const Fd fd, Open(fresh, O_WRONLY | O_CREAT | O_TRUNC, 0644));
    Sha256 sum;
    Bytes written;
    std::vector<std::byte> block(kBlock);
    while (true) {
      const la_ssize_t n = archive_read_data(archive_, block.data(), block.size());
      if (n < 0) return FailArchive(archive_, Errc::kCorrupt, name_);
      if (n == 0) break;
      if (cancel_ && cancel_->raised())
        return Fail(Errc::kCancelled, "stopped; whole models were kept");
      const auto bytes = std::span(block).first(static_cast<std::size_t>(n));
      written += Bytes(n);
      if (written > entry.bytes) break;
      sum.Add(bytes);
      TRY(WriteAll(fd.get(), bytes));
      step_.done += Bytes(n);
      if (listener_.on_step) listener_.on_step(step_);
    }
    if (written != entry.bytes || sum.Finish() != entry.sha256)
      return Fail(Errc::kChecksum, "{}: {} does not have the sum its list says", name_, entry.file);
    auto header = Inspect(fresh);
    if (!header) return Within(header, "{}", entry.file);
    if (::fsync(fd.get()) != 0 || ::rename(fresh.c_str(), store_.PathOf(spec).c_str()) != 0)
      return FailErrno(errno, "finish {}", entry.file);
    TRY(SyncDirectory(store_.folder()));
    return store_.ChangeLock([&](LockFile& lock) { lock.Put(entry); });
  }

  const Store& store_;
  archive* archive_;
  const std::string name_;
  const Listener& listener_;
  CancelToken* cancel_;
  LockFile entries_;
  std::set<std::string> seen_;
  Step step_;
};

}  // namespace

Result<> WriteBundle(const Store& store, const std::vector<StoredModel>& models,
                     const fs::path& path, const Listener& listener, CancelToken* cancel) {
  TRY_ASSIGN(const LockFile entries, EntriesOf(store, models, listener, cancel));
  std::string temporary = path.string() + ".XXXXXX";
  const Fd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return FailErrno(errno, "write {}", path.string());
  auto written = WriteTo(fd.get(), path, entries, models, listener, cancel);
  if (written && (::fchmod(fd.get(), 0644) != 0 || ::rename(temporary.c_str(), path.c_str()) != 0))
    written = FailErrno(errno, "write {}", path.string());
  if (!written) ::unlink(temporary.c_str());
  return written;
}

Result<Unbundled> ReadBundle(const Store& store, const fs::path& path, const Listener& listener,
                             CancelToken* cancel) {
  std::error_code error;
  if (!fs::exists(path, error)) return Fail(Errc::kNotFound, "{}: no such file", path.string());
  TRY(store.Prepare());
  const ArchiveReader owner(archive_read_new());
  archive* a = owner.get();
  archive_read_support_format_tar(a);
  if (archive_read_open_filename(a, path.c_str(), kBlock) != ARCHIVE_OK)
    return FailArchive(a, Errc::kCorrupt, path.string());
  return BundleReader(store, a, path.filename().string(), listener, cancel).Run();
}

}  // namespace headroom::models
