// The bodies of requests, above all recordings.
#include <algorithm>
#include <boost/asio/write.hpp>

#include "base/dirs.h"
#include "net/http/web_session.h"

namespace headroom::net {
namespace {

constexpr Milliseconds kUploadBegins{500};  // until its speed is judged
constexpr Milliseconds kLookForRoom{100};
constexpr std::size_t kPiece = 64 << 10;  // of a body

}  // namespace

std::optional<MonoTime> WebServer::HttpSession::UploadsSlowlySince(MonoTime now) const {
  if (state_ != State::kBody || !upload_) return std::nullopt;
  const auto took = std::chrono::duration_cast<Milliseconds>(now - upload_->began());
  const bool slow =
      took >= kUploadBegins &&
      upload_->SlowerThan(core_.options.slowest_upload, std::max(took, Milliseconds(1'000)));
  return slow ? std::optional(upload_->began()) : std::nullopt;
}

void WebServer::HttpSession::CutUpload() {
  stream_.cancel();
  RefuseSlow();
}

void WebServer::HttpSession::BeginUpload(bool translate, Milliseconds waited) {
  const auto boundary = MultipartReader::BoundaryOf(Field(http::field::content_type));
  if (!boundary) {
    return RefuseUnread(BadRequest(415, "not_a_form", boundary.error().what));
  }
  const ServiceState state = core_.service.State();
  if (!state.ready) return RefuseForService(NotReady(state));
  if (core_.uploads >= core_.options.most_uploads && !core_.MakeRoomForUpload()) {
    if (waited < core_.options.upload_wait) return WaitForRoom(translate, waited + kLookForRoom);
    return RefuseForService(FromService(
        {Errc::kBusy, fmt::format("{} recordings are on their way already", core_.uploads)},
        state));
  }
  const auto length = parser_->content_length();
  auto file = UploadFile::Make(core_.options.spool.empty() ? StateDir() : core_.options.spool,
                               Bytes(length ? static_cast<std::int64_t>(*length) : 0),
                               core_.options.upload_limit);
  if (!file) {
    if (file.error().code != Errc::kNoSpace)
      file.error() = {Errc::kIo, "there is no place to keep the recording in"};
    return RefuseUnread(FromService(file.error(), state));
  }
  upload_ = std::make_unique<UploadForm>(*boundary, translate, std::move(*file));
  ++core_.uploads;
  uploading_ = true;
  state_ = State::kBody;
  if (!ListHas(Field(http::field::expect), "100-continue")) return ReadBody();
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  stream_.expires_after(core_.options.write_time);
  asio::async_write(stream_, asio::buffer(kContinue),
                    [self = shared_from_this()](const BoostError& failed, std::size_t) {
                      if (self->state_ != State::kBody) return;
                      if (failed) return self->Close();
                      self->ReadBody();
                    });
}

// Nothing is read meanwhile. Those that are in the way have to be fast or to go.
void WebServer::HttpSession::WaitForRoom(bool translate, Milliseconds waited) {
  state_ = State::kQueued;
  beat_.expires_after(kLookForRoom);
  beat_.async_wait([self = shared_from_this(), translate, waited](const BoostError&) {
    if (self->state_ == State::kQueued) self->BeginUpload(translate, waited);
  });
}

void WebServer::HttpSession::ReadBody() {
  if (parser_->is_done()) return command_ ? Ask() : OnWholeForm();
  auto& body = parser_->get().body();
  piece_.resize(kPiece);
  buffer_.reserve(kPiece);  // reads are as large as what it can hold, and 512 bytes at first
  body.data = piece_.data();
  body.size = piece_.size();
  stream_.expires_after(core_.options.body_time);
  http::async_read_some(
      stream_, buffer_, *parser_,
      [self = shared_from_this()](const BoostError& failed, std::size_t) { self->OnBody(failed); });
}

void WebServer::HttpSession::OnBody(const BoostError& failed) {
  if (state_ != State::kBody) return;
  if (failed && failed != http::error::need_buffer) return OnBadRead(failed);
  const std::string_view got =
      std::string_view(piece_).substr(0, piece_.size() - parser_->get().body().size);
  if (command_) return OnCommandBody(got);
  if (const auto wrong = upload_->Feed(got)) return RefuseUnread(*wrong);
  const auto took =
      std::chrono::duration_cast<Milliseconds>(SystemClock().Now() - upload_->began());
  if (took > core_.options.body_time && upload_->SlowerThan(core_.options.slowest_upload, took))
    return RefuseSlow();
  ReadBody();
}

void WebServer::HttpSession::RefuseSlow() {
  core_.Count([](WebCounters& c) { ++c.timed_out; });
  RefuseUnread(
      BadRequest(408, "too_slow",
                 fmt::format("slower than {} bytes in a second", core_.options.slowest_upload)));
}

void WebServer::HttpSession::OnWholeForm() {
  const ServiceState state = core_.service.State();
  if (const auto bad = upload_->Finish(state.models)) return Refuse(*bad);
  auto file = upload_->Take();
  if (!file) return Refuse(FromService(file.error(), state));
  core_.Count([size = upload_->size().n](WebCounters& c) {
    ++c.uploads, c.upload_bytes += static_cast<std::uint64_t>(size);
  });
  StartJob(std::move(*file), upload_->form());
}

}  // namespace headroom::net
