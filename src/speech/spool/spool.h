// Speech on its way to text, in one preallocated file, so that neither a crash nor a full disk
// loses a word: what Append returned for is there again after a kill, a panic or a power cut.
//
// An utterance goes open -> spooled -> decoded -> offered -> delivered. It is decoded as often as
// it takes; it is offered to a target once. After a crash everything not delivered is Pending
// again, in order of Begin; one that was open is ended at its last whole piece and says when that
// was noticed. An *offered* one may have arrived or not: it belongs into the history, not into a
// window again. Once delivered, its audio, its text and all else about it are overwritten with
// zeros (unless `keep`, which leaves it until the space is needed).
//
// One program at a time has a spool open. Thread-safe; each call that changes something blocks
// until the disk has it, 0.5 ms on an SSD. Wall time is only recorded, never compared. Format and
// crash rules: docs/spool.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/mutex.h"
#include "speech/spool/block_file.h"
#include "speech/spool/spool_recovery.h"

namespace headroom::speech {

struct SpoolOptions {
  Bytes size = MiB(64);  // 33 minutes of speech; at least 64 KiB
  bool keep = false;
  const Clock* clock = &SystemClock();
};

/// An utterance that is not delivered.
struct Pending {
  UtteranceId id = 0;
  SpoolState state = SpoolState::kSpooled;
  UtteranceHead head{};
  std::int64_t samples = 0;  // 0: its audio was lost, its text was not
  std::string text{};        // from kDecoded on; may be "" when kOffered
  /// It was open when the program ended: from the first time to the second nothing was heard. The
  /// first is the last append; by the wall clock, which may have jumped.
  struct Gap {
    WallTime from{}, until{};
  };
  std::optional<Gap> gap{};
};

/// What Open found and did; for the flight record and for a person.
struct SpoolRepair {
  bool created = false;
  std::filesystem::path set_aside{};  // where a file went of which nothing could be read; "" : none
  int damaged_slots = 0;              // wiped; one may be torn by any power cut
  int cut = 0;                        // open utterances that were ended
  int wiped = 0;                      // delivered ones whose wiping had not come to its end
};

class Spool {
 public:
  /// Opens or makes `path` (folders too, 0700; the file 0600) and repairs it. kBusy: another
  /// program has it. kNoSpace: no room for a new one. kPermission: read-only. kUnsupported: of
  /// another version. kInvalid: a file that is not ours; it is left alone.
  static Result<std::unique_ptr<Spool>> Open(const std::filesystem::path& path,
                                             const SpoolOptions& options);
  /// On any BlockFile, which no one else uses. kCorrupt: a spool that is not readable.
  static Result<std::unique_ptr<Spool>> Over(std::unique_ptr<BlockFile> file,
                                             const SpoolOptions& options);

  const SpoolRepair& repair() const { return repair_; }

  /// A new utterance. On disk with its first Append.
  Result<UtteranceId> Begin(const UtteranceHead& head);
  /// More of an open one; call it every 250 ms. kNoSpace: full of speech that is not delivered.
  /// After any error go on with what comes next: the failed piece is as long, and silent.
  Result<> Append(UtteranceId id, std::span<const float> samples);
  /// The utterance is its first `samples` samples; what was appended beyond is not part of it.
  Result<> End(UtteranceId id, std::int64_t samples);
  /// An ended utterance has this text. Once; kInvalid the second time.
  Result<> SetDecoded(UtteranceId id, std::string_view text);
  /// To be called before a target gets the text.
  Result<> SetOffered(UtteranceId id);
  /// The text is where it belongs, be that the history: forget it.
  Result<> SetDelivered(UtteranceId id);
  /// It is not wanted, in whatever state: wiped, also with `keep`.
  Result<> Discard(UtteranceId id);

  /// In order of Begin, also those of this run and the open ones.
  std::vector<Pending> pending() const;
  /// The whole utterance, 16-bit precision. Where a piece was damaged there is silence as long.
  Result<std::vector<float>> Audio(UtteranceId id) const;
  /// How much can be appended before kNoSpace, at least, in pieces of 250 ms.
  Milliseconds free() const;

 private:
  Spool(std::unique_ptr<BlockFile> file, const SpoolOptions& options);

  Result<> Recover() REQUIRES(mutex_);
  Result<> WriteHeaders() REQUIRES(mutex_);
  Result<SpoolEntry*> Find(UtteranceId id, SpoolState at_least, SpoolState at_most,
                           std::string_view doing) REQUIRES(mutex_);
  Result<std::uint32_t> Write(const Slot& slot, std::int64_t reserve) REQUIRES(mutex_);
  Result<> WriteMark(UtteranceId id, SpoolEntry& entry, SlotKind kind, std::uint64_t at,
                     std::uint64_t extra) REQUIRES(mutex_);
  Result<> Forget(UtteranceId id, bool keep) REQUIRES(mutex_);
  Result<> Wipe(UtteranceId id) REQUIRES(mutex_);
  Result<> Blank(std::span<const std::uint32_t> slots) REQUIRES(mutex_);
  Result<> MakeRoom(std::int64_t slots) REQUIRES(mutex_);
  std::int64_t Reserved() const REQUIRES(mutex_);

  const SpoolOptions options_;
  std::optional<FileLock> lock_;
  SpoolRepair repair_;

  mutable Mutex mutex_;
  const std::unique_ptr<BlockFile> file_ PT_GUARDED_BY(mutex_);
  std::map<UtteranceId, SpoolEntry> entries_ GUARDED_BY(mutex_);
  std::vector<bool> used_ GUARDED_BY(mutex_);  // slots, the headers among them
  std::int64_t free_slots_ GUARDED_BY(mutex_) = 0;
  std::size_t cursor_ GUARDED_BY(mutex_) = 0;  // where the search for a free slot goes on
  std::uint64_t epoch_ GUARDED_BY(mutex_) = 0;
  std::uint64_t count_ GUARDED_BY(mutex_) = 0;  // utterances begun in this epoch
};

}  // namespace headroom::speech
