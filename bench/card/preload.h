// Workers with the ledger of the driver's allocations in them, and the ledger as it stands.
#pragma once

#include <filesystem>
#include <memory>

#include "asr/client/worker.h"
#include "ledger.h"

namespace headroom {

class Preload {
 public:
  /// `library`: driver_ledger.so. The ledger is a file in `folder`.
  static Result<Preload> Make(std::filesystem::path library, const std::filesystem::path& folder);

  /// The ledger begins anew with each worker. Changes this process's environment while it starts.
  Result<std::unique_ptr<asr::Worker>> Spawn(const std::string& program);
  DriverLedger& ledger() { return *ledger_; }
  /// What reached the driver so far, by whatever way.
  std::int64_t allocations() const { return ledger_->runtime + ledger_->driver + ledger_->host; }

 private:
  struct Unmap {
    void operator()(DriverLedger* ledger) const;
  };
  std::filesystem::path library_, file_;
  std::unique_ptr<DriverLedger, Unmap> ledger_;
};

}  // namespace headroom
