// Any media file as sound in the one format (audio/format.h). A sandboxed child, headroom-decode,
// parses the file; this side only starts it, reads its pipes and turns its death into an Error.
// One thread at a time may use a MediaReader.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "audio/decode/waiting_decoder.h"
#include "audio/format/decode_status.h"
#include "base/cancel.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"

namespace headroom::audio {

struct MediaReport {
  std::int64_t samples = 0;
  std::int64_t non_finite = 0;  // NaN and Inf of the input, now 0
  bool truncated = false;       // the file ends before its header says; what is there was delivered
  std::string detail;           // when truncated: how much of how much
  std::vector<std::string> warnings;  // one line each, without the file's name
};

class MediaReader {
 public:
  /// `path`, or "-" for standard input. Starts the decoder and waits until it has recognised the
  /// file. Every Error names the file: kNotFound, kPermission, kInvalid (a folder), kCorrupt (0
  /// bytes, no audio in it), kUnsupported (a format or codec that is not read, or one that must
  /// seek, from a pipe), kWorkerLost (the decoder died), kTimeout, kCancelled.
  /// `cancel` may be null and must outlive the reader.
  static Result<std::unique_ptr<MediaReader>> Open(const std::string& path, CancelToken* cancel);

  /// As above; `patience` is how long the decoder may give no sign while we wait for it, nullopt
  /// for ever. Otherwise that is 30 s for files and for ever for pipes and devices.
  static Result<std::unique_ptr<MediaReader>> Open(const std::string& path, CancelToken* cancel,
                                                   std::optional<Milliseconds> patience);

  /// As above, of an open file: `name` is how errors call it. By the decoder that waits, if one
  /// does; `waiting` may be null.
  static Result<std::unique_ptr<MediaReader>> Open(Fd input, const std::string& name,
                                                   CancelToken* cancel,
                                                   WaitingDecoder* waiting = nullptr);

  /// What the header says, or for MP3 and ADTS without one what the bit rate suggests; nullopt when
  /// nothing says it. The sound that comes may be shorter or longer.
  std::optional<Milliseconds> duration() const { return duration_; }

  /// At least one and up to into.size() samples; 0 at the end, and again after it. After an Error
  /// only the same Error comes.
  Result<std::size_t> Read(std::span<float> into);

  /// Complete once Read returned 0.
  const MediaReport& report() const { return report_; }

  /// The decoder, for measuring it.
  pid_t pid() const { return child_.pid(); }

 private:
  MediaReader(std::string name, CancelToken* cancel, std::optional<Milliseconds> patience,
              Decoder decoder);

  static Result<std::unique_ptr<MediaReader>> Start(const std::string& name, Fd input,
                                                    CancelToken* cancel,
                                                    std::optional<Milliseconds> patience,
                                                    WaitingDecoder* waiting = nullptr);

  enum class Ready { kPcm, kStatus };
  /// Waits until one of the two pipes can be read, PCM first.
  Result<Ready> Wait();
  /// Reads once from the status pipe and takes in the whole lines.
  Result<> TakeStatus();
  Result<> Take(DecodeStatus status);
  Result<> WaitForBegin();
  Result<std::size_t> ReadUnlessFailed(std::span<float> into);
  /// PCM has ended: what was the end?
  Result<> Finish();
  std::unexpected<Error> Died();

  std::string name_;  // as shown in errors
  CancelToken* cancel_;
  std::optional<Milliseconds> patience_;
  Child child_;
  Fd pcm_, status_;                                 // empty once at their end
  std::string pending_;                             // of the status pipe, up to a newline
  std::array<std::byte, sizeof(float)> partial_{};  // a sample of which only some bytes came
  std::size_t partial_bytes_ = 0;
  std::int64_t samples_ = 0;  // delivered
  bool begun_ = false, ended_ = false;
  std::optional<Milliseconds> duration_;
  std::optional<Error> error_;  // sticky
  MediaReport report_;
};

}  // namespace headroom::audio
