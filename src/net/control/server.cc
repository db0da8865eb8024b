// The control socket: the control routes on a Unix socket that only this user may use.
#include <fcntl.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <nlohmann/json.hpp>
#include <optional>

#include "net/control/control.h"
#include "net/control/control_routes.h"
#include "net/control/json_text.h"
#include "net/server/http_host.h"
#include "net/server/local_socket.h"

namespace headroom::net {
namespace {

HttpLimits LimitsOf(const ServerOptions& options) {
  return {.header = options.header_limit,
          .body = options.body_limit,
          .header_time = options.request_time,
          .body_time = options.request_time,
          .write_time = options.write_time,
          .keep_alive = options.keep_alive,
          .events_waiting = options.events_waiting,
          .bytes_waiting = options.bytes_waiting};
}

HttpAnswer Failure(const Error& error, unsigned status) {
  return {.status = status, .body = Dump(ErrorJson(error)) + '\n'};
}

}  // namespace

// Everything but the counters belongs to the server's thread.
struct ControlServer::Core final : std::enable_shared_from_this<ControlServer::Core>, HttpHost {
  Core(const ServerOptions& options, ControlService& service, LocalSocket on)
      : HttpHost(LimitsOf(options)),
        socket(std::move(on)),
        backend{.service = service,
                .fail = Failure,
                .followers = subscribers,
                .next_event = next_event,
                .body_limit = options.body_limit,
                .body_time = options.request_time,
                .answer_time = options.answer_time,
                .on_unanswered = [this] { counters.Count([](auto& c) { ++c.unanswered; }); },
                .add_status = [this](nlohmann::json& status) { AddCounters(status); }},
        routes(RoutesOn(ControlRoutes(backend), true)),
        connections(*this, options.most_connections) {}

  Result<> Begin() {
    Fd own(::fcntl(socket->fd(), F_DUPFD_CLOEXEC, 0));
    if (!own) return FailErrno(errno, "control socket");
    if (auto begun = connections.Begin(std::move(own), "control"); !begun)
      return Within(begun, "control socket");
    return {};
  }

  // ---- ConnectionServer::Owner ----
  bool MayConnect(int peer) override {
    const auto who = PeerOf(peer);
    return who && net::MayConnect(who->uid);
  }
  void Serve(Fd peer) override {
    auto adopted = Adopt(connections.io(), asio::local::stream_protocol(), std::move(peer));
    if (adopted) ServeHttp(*this, ByteStream(std::move(*adopted)));
  }
  void OnEnd() override {}

  // ---- HttpHost ----
  bool Admit(Exchange&, const Route*) override { return true; }
  HttpAnswer AnswerFor(const HttpRefusal& refusal) override {
    using Kind = HttpRefusal::Kind;
    const Errc code = refusal.kind == Kind::kNoSuchRoute   ? Errc::kNotFound
                      : refusal.kind == Kind::kWrongMethod ? Errc::kUnsupported
                                                           : Errc::kInvalid;
    HttpAnswer answer = Failure({code, refusal.message}, StatusOf(refusal.kind));
    if (!refusal.allow.empty()) answer.fields.emplace_back("Allow", refusal.allow);
    return answer;
  }
  void AddFields(const Exchange&, HttpFields& fields) const override {
    fields.emplace_back("Cache-Control", "no-store");
  }
  void CountChange(void (*change)(HttpCounters&)) override { counters.Count(change); }
  ConnectionServer& server() override { return connections; }
  const RouteTable& table() const override { return routes; }
  std::weak_ptr<HttpHost> weak() override { return weak_from_this(); }

  ServerCounters Counters() const {
    ServerCounters now = counters.Now();
    static_cast<ConnectionCounters&>(now) = connections.counters();
    now.subscribers = subscribers;
    return now;
  }
  void AddCounters(nlohmann::json& status) const {
    const ServerCounters c = Counters();
    status["control"] = {{"connections", c.connections},
                         {"requests", c.requests},
                         {"bad_requests", c.bad_requests},
                         {"timed_out", c.timed_out},
                         {"evicted_idle", c.evicted_idle},
                         {"refused_full", c.refused_full},
                         {"refused_peers", c.refused_peers},
                         {"slow_readers", c.slow_readers},
                         {"events_lost", c.events_lost},
                         {"unanswered", c.unanswered},
                         {"open", c.open},
                         {"subscribers", c.subscribers}};
  }

  std::optional<LocalSocket> socket;
  Counted<ServerCounters> counters;
  ControlBackend backend;
  const RouteTable routes;
  ConnectionServer connections;  // last: its connections use the others
};

Result<std::unique_ptr<ControlServer>> ControlServer::Start(const ServerOptions& options,
                                                            ControlService& service) {
  TRY_ASSIGN(LocalSocket socket, LocalSocket::Listen(options.socket));
  auto core = std::make_shared<Core>(options, service, std::move(socket));
  TRY(core->Begin());
  return std::unique_ptr<ControlServer>(new ControlServer(std::move(core)));
}

ControlServer::~ControlServer() {
  core_->connections.End();  // answers that come later find no session
  core_->socket.reset();
}

void ControlServer::Publish(std::string_view name, const nlohmann::json& data) {
  if (!has_subscribers()) return;
  core_->PublishText(std::string(name), std::make_shared<const std::string>(
                                            EventText(core_->next_event++, name, data)));
}

bool ControlServer::has_subscribers() const {
  return core_->subscribers > 0;
}

ServerCounters ControlServer::counters() const {
  return core_->Counters();
}

}  // namespace headroom::net
