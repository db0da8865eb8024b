// What the slots of a spool file say together: the utterances in it and how far each one got. Fed
// slot by slot, so that a 64 MiB file is read with little memory. Pure; takes any bytes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "speech/spool/spool_format.h"

namespace headroom::speech {

enum class SpoolState {
  kOpen,       // being spoken
  kSpooled,    // ended; to be decoded
  kDecoded,    // its text is here; to be delivered
  kOffered,    // delivery was begun and not confirmed
  kDelivered,  // done
};

struct UtteranceHead {
  std::uint64_t session = 0;
  WallTime began{};
  std::string language{};  // ISO 639-1; "": not known; at most 64 bytes are kept
};

struct AudioPiece {
  std::uint32_t slot = 0;
  std::uint32_t samples = 0;
  std::int64_t first = 0;  // sample in the utterance
};

/// One utterance as the file has it.
struct SpoolEntry {
  SpoolState state = SpoolState::kOpen;
  UtteranceHead head;
  std::int64_t samples = 0;       // its length
  std::vector<AudioPiece> audio;  // by `first`
  std::string text;
  std::optional<WallTime> cut;           // it was found open; when
  std::int64_t last_written = 0;         // wall time in ms
  std::vector<std::uint32_t> slots;      // all but `delivered`
  std::vector<std::uint32_t> delivered;  // its marks: the last to be wiped
};

struct RecoveredSpool {
  std::map<UtteranceId, SpoolEntry> entries;
  std::vector<std::uint32_t> damaged;  // slots that are neither blank nor whole
  std::uint64_t epoch = 0;             // the highest seen in a header or an id
};

class SpoolRecovery {
 public:
  /// `slots`: of the whole file. Positions of audio beyond what they can hold are damage.
  explicit SpoolRecovery(std::uint32_t slots) : slots_(slots) {}

  void Add(std::uint32_t number, std::span<const std::byte, kSlotBytes> bytes);
  /// Whether any whole slot was seen.
  bool any() const { return !found_.empty(); }
  RecoveredSpool Finish(std::uint64_t header_epoch);

 private:
  struct Found {
    SpoolEntry entry;
    std::optional<std::int64_t> end;
    std::map<std::uint64_t, std::string> parts;
    std::uint64_t parts_wanted = 0;
    bool offered = false;
  };

  const std::uint32_t slots_;
  std::map<UtteranceId, Found> found_;
  std::vector<std::uint32_t> damaged_;
};

}  // namespace headroom::speech
