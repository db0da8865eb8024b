#include "preload.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <new>
#include <string>

#include "base/file.h"

namespace headroom {
namespace {

constexpr Milliseconds kStartWithin{120'000};

}  // namespace

void Preload::Unmap::operator()(DriverLedger* ledger) const {
  ::munmap(ledger, sizeof *ledger);
}

Result<Preload> Preload::Make(std::filesystem::path library, const std::filesystem::path& folder) {
  Preload preload;
  preload.library_ = std::filesystem::absolute(library);
  preload.file_ = folder / "ledger";
  TRY(WriteFileAtomic(preload.file_, std::string(sizeof(DriverLedger), '\0')));
  TRY_ASSIGN(const Fd fd, Open(preload.file_.native(), O_RDWR));
  void* map =
      ::mmap(nullptr, sizeof(DriverLedger), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (map == MAP_FAILED) return Fail(Errc::kIo, "{} cannot be mapped", preload.file_.native());
  preload.ledger_.reset(static_cast<DriverLedger*>(map));
  return preload;
}

Result<std::unique_ptr<asr::Worker>> Preload::Spawn(const std::string& program) {
  new (ledger_.get()) DriverLedger{};
  ::setenv("LD_PRELOAD", library_.c_str(), 1);
  ::setenv(kLedgerVariable, file_.c_str(), 1);
  auto worker = asr::Worker::Spawn({.program = program, .start_within = kStartWithin});
  ::unsetenv("LD_PRELOAD");
  ::unsetenv(kLedgerVariable);
  return worker;
}

}  // namespace headroom
