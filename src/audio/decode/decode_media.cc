#include "audio/decode/decode_media.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/log.h>
}

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "audio/decode/decode_formats.h"
#include "audio/decode/decode_resample.h"
#include "audio/decode/decode_truncation.h"

namespace headroom::audio {
namespace {

struct Close {
  void operator()(AVFormatContext* context) const { ::avformat_close_input(&context); }
  void operator()(AVCodecContext* context) const { ::avcodec_free_context(&context); }
  void operator()(AVPacket* packet) const { ::av_packet_free(&packet); }
  void operator()(AVFrame* frame) const { ::av_frame_free(&frame); }
  void operator()(AVDictionary* options) const { ::av_dict_free(&options); }
};
template <class T>
using Owned = std::unique_ptr<T, Close>;

// A file may contain damaged stretches, but decoding stops after too many errors in a row.
constexpr int kMostErrorsInARow = 1000;
// Encoders pad and skip: a lossy file may be this much shorter than declared and yet be whole.
constexpr double kSlackSeconds = 0.25;

constexpr std::size_t kPiece = 8192;  // samples: half a second

int RefuseToOpen(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
  return AVERROR(EPERM);
}

Error FromFFmpeg(int code, std::string_view what) {
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  ::av_strerror(code, text, sizeof text);
  if (code == AVERROR(ENOMEM))
    return {Errc::kNoMemory,
            fmt::format("{}: it needs more memory than the decoder may use", what)};
  return {Errc::kCorrupt, fmt::format("{}: {}", what, text)};
}

class MediaDecoder {
 public:
  MediaDecoder(DecodeInput& input, const DecodeSinks& sinks) : input_(input), sinks_(sinks) {}
  Result<DecodeEnd> Run();

 private:
  Result<> OpenContainer();
  Result<> ChooseStream();
  Result<> OpenDecoder();
  Result<> DecodeAll();
  /// The packet, or null to get what the decoder still holds.
  Result<> Decode(const AVPacket* packet);
  Result<> Send();
  /// Before the first sound, so that what has none fails at once.
  Result<> Begin();
  Result<DecodeEnd> Report();

  Error CannotOpen(int code) const;
  std::optional<double> DeclaredSeconds() const;
  bool HasDuration(int index) const;
  bool DecoderIsKnown(const AVStream& stream) const;
  void Damaged();

  DecodeInput& input_;
  const DecodeSinks& sinks_;
  std::string container_;
  Owned<AVFormatContext> format_;
  Owned<AVCodecContext> codec_;
  Owned<AVFrame> frame_{::av_frame_alloc()};
  AVStream* stream_ = nullptr;  // in format_
  Resampler resampler_;
  std::vector<float> pcm_;
  std::optional<double> declared_seconds_;  // only where it is exact enough to miss something

  bool begun_ = false;
  double seconds_ = 0;  // decoded, in the input's own time
  std::int64_t samples_ = 0;
  std::int64_t damaged_ = 0;       // packets that could not be decoded
  double first_damage_ = 0;        // seconds_ then
  bool last_was_damaged_ = false;  // nothing good has come since
  bool read_failed_ = false;       // the demuxer gave up before the end
};

Result<DecodeEnd> MediaDecoder::Run() {
  TRY(OpenContainer());
  TRY(ChooseStream());
  TRY(OpenDecoder());
  TRY(DecodeAll());
  return Report();
}

Error MediaDecoder::CannotOpen(int code) const {
  if (input_.read_error() != 0) return Errno(input_.read_error(), "read");
  if (input_.empty()) return {Errc::kCorrupt, "0 bytes"};
  if (input_.refused_to_seek())
    return {Errc::kUnsupported, "this format must be able to seek: save it to a file first"};
  if (container_.empty() && code == AVERROR_INVALIDDATA) return {Errc::kCorrupt, "no audio in it"};
  return FromFFmpeg(code, "cut off or damaged, its header cannot be read");
}

Result<> MediaDecoder::OpenContainer() {
  const AVInputFormat* found = nullptr;
  int code = ::av_probe_input_buffer2(input_.avio(), &found, "", nullptr, 0, 0);
  if (code < 0) return Fail(CannotOpen(code));
  container_ = found->name;
  if (IsPlaylist(container_))
    return Fail(Errc::kUnsupported, "a playlist, which only names where the sound is");
  if (!IsContainerRead(found->name)) return Fail(Errc::kCorrupt, "no audio in it");

  AVFormatContext* context = ::avformat_alloc_context();
  if (!context) return Fail(Errc::kNoMemory, "open it");
  context->pb = input_.avio();
  context->io_open = RefuseToOpen;
  AVDictionary* options = nullptr;
  ::av_dict_set(&options, "format_whitelist", kContainers, 0);
  ::av_dict_set(&options, "codec_whitelist", kCodecs, 0);
  ::av_dict_set(&options, "protocol_whitelist", "", 0);
  ::av_dict_set_int(&options, "indexmem", 64 << 10, 0);  // no seeking follows
  code = ::avformat_open_input(&context, "", found, &options);
  const Owned<AVDictionary> unused(options);
  if (code < 0) {  // which has freed the context
    if (container_.starts_with("mov,") && !input_.refused_to_seek() && input_.read_error() == 0) {
      if (const auto cut = FindCut(container_, input_))
        return Fail(Errc::kCorrupt, "cut off before its index, nothing can be read: {}", *cut);
    }
    return Fail(CannotOpen(code));
  }
  format_.reset(context);
  return {};
}

bool MediaDecoder::DecoderIsKnown(const AVStream& stream) const {
  const AVCodec* decoder = ::avcodec_find_decoder(stream.codecpar->codec_id);
  return decoder && IsCodecRead(decoder->name);
}

bool MediaDecoder::HasDuration(int index) const {
  return format_->duration > 0 || format_->streams[index]->duration > 0;
}

Result<> MediaDecoder::ChooseStream() {
  const auto best = [&] {
    return ::av_find_best_stream(format_.get(), AVMEDIA_TYPE_AUDIO, -1, -1, nullptr, 0);
  };
  int index = best();
  // Some containers say only in their packets what they hold, or let the length be worked out.
  if (index < 0 || (input_.seekable() && container_ != "wav" && !HasDuration(index))) {
    ::avformat_find_stream_info(format_.get(), nullptr);
    index = best();
  }
  if (input_.read_error() != 0) return FailErrno(input_.read_error(), "read");
  std::string unread, pictures;
  for (unsigned i = 0; i < format_->nb_streams; ++i) {
    AVStream& stream = *format_->streams[i];
    const AVMediaType type = stream.codecpar->codec_type;
    if (type == AVMEDIA_TYPE_VIDEO) pictures = ", only pictures";
    if (type == AVMEDIA_TYPE_AUDIO && !DecoderIsKnown(stream))
      unread = ::avcodec_get_name(stream.codecpar->codec_id);
    if (index < 0 && type == AVMEDIA_TYPE_AUDIO && DecoderIsKnown(stream))
      index = static_cast<int>(i);  // its decoder will find out what the header did not say
    if (static_cast<int>(i) != index) stream.discard = AVDISCARD_ALL;
  }
  if (index >= 0 && DecoderIsKnown(*format_->streams[index])) {
    stream_ = format_->streams[index];
    stream_->discard = AVDISCARD_DEFAULT;
    return {};
  }
  if (!unread.empty())
    return Fail(Errc::kUnsupported, "its sound is coded as {}, which is not read", unread);
  return Fail(Errc::kCorrupt, "no audio in it{}", pictures);
}

Result<> MediaDecoder::OpenDecoder() {
  const AVCodec* decoder = ::avcodec_find_decoder(stream_->codecpar->codec_id);
  codec_.reset(::avcodec_alloc_context3(decoder));
  if (!codec_ || !frame_) return Fail(Errc::kNoMemory, "open its decoder");
  int code = ::avcodec_parameters_to_context(codec_.get(), stream_->codecpar);
  codec_->pkt_timebase = stream_->time_base;  // without it the encoder's padding is not cut away
  codec_->thread_count = 1;
  // A damaged FLAC frame decodes to loud noise; its checksum detects it.
  if (decoder->id == AV_CODEC_ID_FLAC) codec_->err_recognition |= AV_EF_CRCCHECK | AV_EF_EXPLODE;
  AVDictionary* options = nullptr;
  ::av_dict_set(&options, "codec_whitelist", kCodecs, 0);
  if (code >= 0) code = ::avcodec_open2(codec_.get(), decoder, &options);
  const Owned<AVDictionary> unused(options);
  if (code < 0)
    return Fail(FromFFmpeg(code, fmt::format("its {} sound cannot be decoded", decoder->name)));

  return {};
}

std::optional<double> MediaDecoder::DeclaredSeconds() const {
  double seconds = 0;
  if (stream_->duration != AV_NOPTS_VALUE && stream_->duration > 0)
    seconds = static_cast<double>(stream_->duration) * ::av_q2d(stream_->time_base);
  else if (format_->duration != AV_NOPTS_VALUE && format_->duration > 0)
    seconds = static_cast<double>(format_->duration) / AV_TIME_BASE;
  else if (container_ == "wav" && stream_->codecpar->bit_rate > 0) {
    // FFmpeg does not believe a length that goes beyond the end of the file; we want to say it.
    if (const auto data = FindWavData(input_))
      seconds =
          static_cast<double>(data->size) * 8 / static_cast<double>(stream_->codecpar->bit_rate);
  }
  // FFmpeg does not look into the Xing frame of what cannot seek.
  if (container_ == "mp3" && seconds == 0 && codec_->sample_rate > 0) {
    if (const auto extent = FindMp3Extent(input_))
      seconds = static_cast<double>(extent->frames * extent->frame_samples) / codec_->sample_rate;
  }
  constexpr double kYear = 365.0 * 24 * 3600;
  if (!(seconds > 0 && seconds < kYear)) return std::nullopt;
  return seconds;
}

Result<> MediaDecoder::DecodeAll() {
  const Owned<AVPacket> packet(::av_packet_alloc());
  if (!packet) return Fail(Errc::kNoMemory, "decode");
  int errors_in_a_row = 0;
  while (true) {
    const int code = ::av_read_frame(format_.get(), packet.get());
    if (code == AVERROR_EOF) break;
    if (code == AVERROR(ENOMEM)) return Fail(FromFFmpeg(code, "decode"));
    if (code < 0) {
      if (input_.read_error() != 0) break;
      if (input_.refused_to_seek() && samples_ == 0) return Fail(CannotOpen(code));
      if (++errors_in_a_row < kMostErrorsInARow && !::avio_feof(input_.avio())) continue;
      read_failed_ = true;
      break;
    }
    errors_in_a_row = 0;
    Result<> decoded;
    if (packet->stream_index == stream_->index) decoded = Decode(packet.get());
    ::av_packet_unref(packet.get());
    TRY(std::move(decoded));
  }
  TRY(Decode(nullptr));
  TRY(resampler_.Finish(pcm_));
  return Send();
}

void MediaDecoder::Damaged() {
  if (damaged_++ == 0) first_damage_ = seconds_;
  last_was_damaged_ = true;
}

Result<> MediaDecoder::Decode(const AVPacket* packet) {
  const int sent = ::avcodec_send_packet(codec_.get(), packet);
  if (sent == AVERROR(ENOMEM)) return Fail(FromFFmpeg(sent, "decode"));
  if (sent < 0 && packet) Damaged();
  while (true) {
    const int code = ::avcodec_receive_frame(codec_.get(), frame_.get());
    if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return {};
    if (code == AVERROR(ENOMEM)) return Fail(FromFFmpeg(code, "decode"));
    if (code < 0) {
      Damaged();
      return {};
    }
    last_was_damaged_ = false;
    TRY(resampler_.Add(*frame_, pcm_));
    seconds_ += static_cast<double>(frame_->nb_samples) / frame_->sample_rate;
    // A live stream needs low latency; a file is faster in larger pieces.
    if (!input_.seekable() || pcm_.size() >= kPiece) TRY(Send());
  }
}

Result<> MediaDecoder::Begin() {
  if (std::exchange(begun_, true)) return {};
  DecodeBegin begin;
  if (const auto seconds = DeclaredSeconds()) {
    begin.duration = Milliseconds(std::llround(*seconds * 1000));
    const bool estimated = container_ == "mp3"
                               ? !FindMp3Extent(input_)
                               : format_->duration_estimation_method == AVFMT_DURATION_FROM_BITRATE;
    if (HasExactDuration(container_) && !estimated) declared_seconds_ = seconds;
  }
  return sinks_.status(begin);
}

Result<> MediaDecoder::Send() {
  if (pcm_.empty()) return {};
  TRY(Begin());
  TRY(sinks_.pcm(pcm_));
  samples_ += static_cast<std::int64_t>(pcm_.size());
  pcm_.clear();
  return {};
}

Result<DecodeEnd> MediaDecoder::Report() {
  if (input_.read_error() != 0)
    return FailErrno(input_.read_error(), "read after {:.2f} s of sound", seconds_);
  const auto cut = FindCut(container_, input_);
  if (samples_ == 0 && damaged_ > 0 && !cut)
    return Fail(Errc::kCorrupt, "nothing in it can be decoded, it is damaged or no audio");

  TRY(Begin());
  DecodeEnd end{.samples = samples_, .non_finite = resampler_.non_finite(), .detail = {}};
  // One frame of PCM is 1/rate; half of it is safe from rounding.
  const AVCodecID id = codec_->codec_id;
  const bool lossless =
      ::av_get_exact_bits_per_sample(id) > 0 || id == AV_CODEC_ID_FLAC || id == AV_CODEC_ID_ALAC;
  const double slack =
      lossless && codec_->sample_rate > 0 ? 0.5 / codec_->sample_rate : kSlackSeconds;
  std::string why;
  if (cut)
    why = *cut;
  else if (declared_seconds_ && seconds_ < *declared_seconds_ - slack)
    why = "it is shorter than its header says";
  else if (last_was_damaged_)
    why = "its last frame is incomplete";
  else if (read_failed_)
    why = "the rest cannot be read";
  end.truncated = !why.empty();
  if (end.truncated) {
    const std::string of =
        declared_seconds_ ? fmt::format(" of {:.2f} s", *declared_seconds_) : std::string();
    end.detail = fmt::format("{:.2f} s{} could be read: {}", seconds_, of, why);
  }

  const std::int64_t skipped = damaged_ - (last_was_damaged_ ? 1 : 0);
  if (skipped > 0)
    TRY(sinks_.status(
        DecodeWarning{fmt::format("{} damaged packet{} skipped, the first after {:.2f} s", skipped,
                                  skipped == 1 ? " was" : "s were", first_damage_)}));
  if (end.non_finite > 0)
    TRY(sinks_.status(DecodeWarning{
        fmt::format("{} samples were not numbers and became silence", end.non_finite)}));
  if (samples_ == 0) TRY(sinks_.status(DecodeWarning{"it holds no sound at all"}));
  return end;
}

}  // namespace

Result<DecodeEnd> DecodeMedia(DecodeInput& input, const DecodeSinks& sinks) {
  ::av_log_set_level(AV_LOG_QUIET);
  return MediaDecoder(input, sinks).Run();
}

}  // namespace headroom::audio
