// One connection of the HTTP server: requests one after the other, each with its answer or its
// event stream, until one of them becomes a realtime socket. For the files with Beast in them, each
// of which takes most of a minute to compile: web_session.cc reads requests and writes answers,
// web_session_upload.cc reads bodies, web_session_work.cc does what takes time.
#pragma once

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <deque>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "net/http/job_feed.h"
#include "net/http/transcription_answer.h"
#include "net/http/web_core.h"
#include "net/http/web_error.h"
#include "net/http/web_route.h"
#include "net/http/web_upload.h"

namespace headroom::net {

namespace beast = boost::beast;
namespace http = boost::beast::http;

inline constexpr headroom::Bytes kFormBytes = MiB(1);  // what a form may have beside the recording

inline constexpr char kPagePolicy[] =
    "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'";
// A report, and the frame that the page shows it in: its own script and style, nothing from
// anywhere, an origin of its own.
inline constexpr char kFramePolicy[] =
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; base-uri 'none'; "
    "form-action 'none'";

inline std::string_view View(beast::string_view text) {
  return {text.data(), text.size()};
}

class WebServer::HttpSession final : public Session,
                                     public std::enable_shared_from_this<HttpSession> {
 public:
  using Text = std::shared_ptr<const std::string>;

  HttpSession(Core& core, Tcp::socket peer);
  ~HttpSession() override { HttpSession::Close(); }

  bool idle() const override { return state_ == State::kReading || state_ == State::kLingering; }
  std::optional<MonoTime> UploadsSlowlySince(MonoTime now) const override;
  void CutUpload() override;
  void Tell(const Text& event) override;
  void End() override;
  void Close() override;

  /// The next request.
  void Read();

 private:
  enum class State { kReading, kQueued, kBody, kWorking, kWriting, kLingering, kClosed };

  // ---- requests and answers: web_session.cc ----
  void OnHeader(const BoostError& failed);
  void OnBadRead(const BoostError& failed);
  std::string_view Field(http::field name) const { return View(parser_->get()[name]); }
  void Handle();
  void Answer(const WebTarget& to);
  void AnswerPreflight();
  void HandOver(std::string client);
  void RefuseForService(const WebError& error);
  void RefuseUnread(const WebError& error);
  void Refuse(const WebError& error);
  void Send(unsigned status, std::string_view type, std::string body, int retry_after_s = 0,
            const std::string& allow = "", bool authenticate = false);
  void Write(http::response<http::string_body> made);
  void OnWritten(const BoostError& failed);
  void Linger();

  // ---- bodies: web_session_upload.cc ----
  void BeginUpload(bool translate, Milliseconds waited = {});
  void WaitForRoom(bool translate, Milliseconds waited);
  void ReadBody();
  void OnBody(const BoostError& failed);
  void RefuseSlow();
  void OnWholeForm();

  // ---- what takes time: web_session_work.cc ----
  void BeginEvents();
  void Push(std::string text, bool last = false);
  void WriteNext();
  void Beat();
  void BeginCommand(const WebTarget& to);
  void OnCommandBody(std::string_view bytes);
  void Ask();
  void OnAnswer(std::uint64_t turn, const Result<nlohmann::json>& result);
  void StartJob(Fd recording, TranscriptionForm form);
  void DropJob();
  void EndUpload();
  void TakeFeed();
  void EndJob();
  void FailJob(const Error& why);
  void WatchPeer();

  Core& core_;
  beast::tcp_stream stream_;
  asio::steady_timer beat_;
  RateLimit rate_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::buffer_body>> parser_;
  State state_ = State::kReading;
  bool keep_ = true, head_ = false;
  bool unread_ = false;               // something of the last request may still come
  const char* policy_ = kPagePolicy;  // of an answer in HTML
  std::string origin_;                // of another site's page that may read the answer

  struct Command {
    std::string method, target, body;  // of the control socket's route
  };
  std::optional<Command> command_;  // on its way in
  std::uint64_t turn_ = 0;          // which answer is waited for
  std::string piece_;               // of a body; stays while a read into it may be going on
  std::unique_ptr<UploadForm> upload_;
  bool uploading_ = false;  // counted in core_.uploads
  std::shared_ptr<JobFeed> feed_;
  std::unique_ptr<TranscriptionAnswer> answer_;
  std::unique_ptr<TranscriptionJob> job_;

  bool subscribed_ = false;  // follows the events; counted in core_.subscribers
  bool streams_ = false;     // the client wants events
  bool streaming_ = false;   // and has their head
  bool last_ = false;        // the last one is in the queue
  std::deque<Text> queue_;   // the front one is being written
  std::int64_t queue_bytes_ = 0;
};

}  // namespace headroom::net
