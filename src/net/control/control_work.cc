#include "net/control/control_work.h"

#include "net/control/json_text.h"
#include "net/server/local_socket.h"

namespace headroom::net {
namespace {

using nlohmann::json;
using Then = std::function<void(Result<json>)>;

// However long it takes.
void AskPatiently(Exchange& exchange, ControlBackend& backend, const Call& call, Then then) {
  call(backend.service,
       Answer([post = exchange.MakePoster(), then = std::move(then)](Result<json> result) {
         post([then, result = std::move(result)] { then(result); });
       }));
}

HttpAnswer FailureOf(const ControlBackend& backend, const Error& error) {
  return backend.fail(error, HttpStatus(error.code));
}

}  // namespace

void Ask(Exchange& exchange, ControlBackend& backend, const Call& call, Then then) {
  const auto answered = std::make_shared<bool>(false);
  const Then once = [answered, &exchange, then = std::move(then)](Result<json> result) {
    if (std::exchange(*answered, true)) return;
    exchange.CancelTimer();
    then(std::move(result));
  };
  exchange.After(backend.answer_time, [once, &backend] {
    backend.on_unanswered();
    once(Fail(Errc::kTimeout, "the service did not answer in time"));
  });
  AskPatiently(exchange, backend, call, once);
}

Result<Fd> OpenOfClient(const Exchange& exchange, int fd) {
  TRY_ASSIGN(const Peer peer, PeerOf(exchange.socket()));
  return OpenOfPeer(peer, fd);
}

void ReadArguments::OnBody(std::string_view bytes) {
  if (std::cmp_greater(body_.size() + bytes.size(), backend_.body_limit.n))
    return exchange_.SendUnread(
        backend_.fail({Errc::kInvalid, "the body is longer than any command"}, 413));
  body_ += bytes;
}

void ReadArguments::OnBodyEnd() {
  // `then` may replace this work.
  Exchange& exchange = exchange_;
  ControlBackend& backend = backend_;
  const Then then = then_;
  auto arguments = Arguments::Parse(exchange.target(), body_);
  if (!arguments) return exchange.Send(backend.fail(arguments.error(), 400));
  then(exchange, backend, *arguments);
}

void CommandWork::Start(const Call& call) {
  if (backend_.watch_peer) exchange_.WatchPeer();
  Ask(exchange_, backend_, call, [this](Result<json> result) {
    exchange_.Send(result ? render_(backend_, *result) : FailureOf(backend_, result.error()));
  });
}

void CommandWork::OnServerEnd() {
  if (!backend_.watch_peer) return HttpWork::OnServerEnd();
  exchange_.Send(
      backend_.fail({Errc::kCancelled, "the service ends; ask again when it is back"}, 503));
}

YieldWork::~YieldWork() {
  if (id_ != 0) backend_.service.EndYield(id_);
}

// The head of the answer waits until the GPU has been left, or it becomes an error.
void YieldWork::Start(const std::string& who) {
  exchange_.WatchPeer();
  Ask(
      exchange_, backend_,
      [id = id_, who](ControlService& service, Answer answer) {
        service.BeginYield(id, who, std::move(answer));
      },
      [this](const Result<json>& left) {
        if (left) {
          exchange_.KeepAlive();
          exchange_.Push(EventText(backend_.next_event++, "yielded", *left));
          return;
        }
        // A service that answers late has to hear of the end; one that refused must not.
        if (left.error().code != Errc::kTimeout) id_ = 0;
        exchange_.Send(FailureOf(backend_, left.error()));
      });
}

RecognitionWork::~RecognitionWork() {
  backend_.service.EndRecognition(id_);
}

void RecognitionWork::Start(RecognizeRequest request) {
  exchange_.WatchPeer();
  const auto shared = std::make_shared<RecognizeRequest>(std::move(request));
  AskPatiently(
      exchange_, backend_,
      [id = id_, shared](ControlService& service, Answer answer) {
        service.BeginRecognition(id, std::move(*shared), std::move(answer));
      },
      [this](const Result<json>& text) {
        exchange_.Send(text ? HttpAnswer{.body = Dump(*text) + '\n'}
                            : FailureOf(backend_, text.error()));
      });
}

}  // namespace headroom::net
