#include "net/server/web_tls.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "base/fd.h"

namespace headroom::net {
namespace {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
using Tcp = asio::ip::tcp;
using Local = asio::local::stream_protocol;
using BoostError = boost::system::error_code;

constexpr std::size_t kPiece = 16 << 10;
constexpr Milliseconds kLinger{2'000};  // for a client to see the end

}  // namespace

struct TlsTerminator::Context {
  ssl::context tls{ssl::context::tls_server};
};

// One connection. Two pumps; either's end is the end of both, once the client has what it was sent.
class TlsTerminator::Relay : public std::enable_shared_from_this<Relay> {
 public:
  Relay(Tcp::socket peer, Local::socket inner, ssl::context& context, Milliseconds write_time,
        std::function<void()> on_gone)
      : outer_(std::move(peer), context),
        inner_(std::move(inner)),
        timer_(outer_.get_executor()),
        write_time_(write_time),
        on_gone_(std::move(on_gone)) {}
  ~Relay() { on_gone_(); }

  void Start() {
    // The plain side may give up before the client has said anything.
    inner_.async_wait(Local::socket::wait_read,
                      [self = shared_from_this()](const BoostError& failed) {
                        if (failed || self->shaken_) return;
                        self->Close();
                      });
    outer_.async_handshake(ssl::stream_base::server,
                           [self = shared_from_this()](const BoostError& failed) {
                             if (failed) return self->Close();
                             self->shaken_ = true;
                             BoostError none;
                             static_cast<void>(self->inner_.cancel(none));
                             self->FromClient();
                             self->ToClient();
                           });
  }

 private:
  void FromClient() {
    if (ending_) return EndTls();
    reading_ = true;
    outer_.async_read_some(asio::buffer(in_),
                           [self = shared_from_this()](const BoostError& failed, std::size_t size) {
                             self->reading_ = false;
                             if (self->ending_) return self->EndTls();
                             if (failed) return self->Close();
                             asio::async_write(self->inner_, asio::buffer(self->in_, size),
                                               [self](const BoostError& unwritten, std::size_t) {
                                                 if (unwritten && !self->ending_)
                                                   self->refused_ = true;
                                                 if (self->refused_ && !self->ending_)
                                                   return;  // ToClient ends it
                                                 self->FromClient();
                                               });
                           });
  }

  void ToClient() {
    inner_.async_read_some(asio::buffer(out_),
                           [self = shared_from_this()](const BoostError& failed, std::size_t size) {
                             if (failed) return self->End();
                             self->timer_.expires_after(self->write_time_);
                             self->timer_.async_wait([self](const BoostError& cancelled) {
                               if (!cancelled) self->Close();
                             });
                             asio::async_write(self->outer_, asio::buffer(self->out_, size),
                                               [self](const BoostError& unwritten, std::size_t) {
                                                 self->timer_.cancel();
                                                 if (unwritten) return self->Close();
                                                 self->ToClient();
                                               });
                           });
  }

  // The plain side has closed. The stream must not be read while it is shut down.
  void End() {
    ending_ = true;
    timer_.expires_after(kLinger);
    timer_.async_wait([self = shared_from_this()](const BoostError& cancelled) {
      if (!cancelled) self->Close();
    });
    BoostError none;
    static_cast<void>(inner_.close(none));
    if (reading_)
      static_cast<void>(outer_.next_layer().cancel(none));
    else if (refused_)
      EndTls();
  }

  void EndTls() {
    if (std::exchange(shut_, true)) return;
    outer_.async_shutdown([self = shared_from_this()](const BoostError&) {
      // Closing with something unread would take the answer away from the client.
      BoostError none;
      static_cast<void>(self->outer_.next_layer().shutdown(Tcp::socket::shutdown_send, none));
      self->Drain();
    });
  }

  void Drain() {
    outer_.next_layer().async_read_some(
        asio::buffer(in_), [self = shared_from_this()](const BoostError& failed, std::size_t) {
          if (failed) return self->Close();
          self->Drain();
        });
  }

  void Close() {
    ending_ = true;
    BoostError none;
    timer_.cancel();
    static_cast<void>(inner_.close(none));
    static_cast<void>(outer_.next_layer().close(none));
  }

  ssl::stream<Tcp::socket> outer_;
  Local::socket inner_;
  asio::steady_timer timer_;
  const Milliseconds write_time_;
  const std::function<void()> on_gone_;
  bool shaken_ = false;   // the handshake is over
  bool reading_ = false;  // from the client
  bool refused_ = false;  // the plain side takes nothing more; it will close
  bool ending_ = false, shut_ = false;
  std::array<char, kPiece> in_, out_;
};

TlsTerminator::TlsTerminator(std::unique_ptr<Context> context, Milliseconds write_time)
    : context_(std::move(context)), write_time_(write_time) {}
TlsTerminator::~TlsTerminator() = default;

Result<std::unique_ptr<TlsTerminator>> TlsTerminator::Make(const std::filesystem::path& certificate,
                                                           const std::filesystem::path& key,
                                                           Milliseconds write_time) {
  if (certificate.empty() || key.empty())
    return Fail(Errc::kInvalid, "TLS wants both a certificate and its key");
  struct stat file{};
  if (::stat(key.c_str(), &file) != 0) return FailErrno(errno, "{}", key.string());
  if ((file.st_mode & 07) != 0)
    return Fail(Errc::kPermission, "{}: everybody may read this key; chmod 600 it", key.string());
  auto context = std::make_unique<Context>();
  BoostError failed;
  static_cast<void>(context->tls.set_options(
      ssl::context::default_workarounds | ssl::context::no_sslv2 | ssl::context::no_sslv3 |
          ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1 | ssl::context::no_compression,
      failed));
  static_cast<void>(context->tls.use_certificate_chain_file(certificate.string(), failed));
  if (failed)
    return Fail(Errc::kInvalid, "{}: not a certificate in PEM: {}", certificate.string(),
                failed.message());
  static_cast<void>(context->tls.use_private_key_file(key.string(), ssl::context::pem, failed));
  if (failed)
    return Fail(Errc::kInvalid, "{}: not that certificate's key: {}", key.string(),
                failed.message());
  return std::unique_ptr<TlsTerminator>(new TlsTerminator(std::move(context), write_time));
}

Result<Tcp::socket> TlsTerminator::Open(Tcp::socket peer, std::function<void()> on_gone) {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return FailErrno(errno, "socketpair");
  Fd first(ends[0]), second(ends[1]);
  BoostError failed;
  // What reads and writes does not ask which kind of socket it is.
  Tcp::socket plain(peer.get_executor());
  static_cast<void>(plain.assign(Tcp::v4(), first.get(), failed));
  if (failed) return Fail(Errc::kIo, "{}", failed.message());
  first.Release();
  Local::socket inner(peer.get_executor());
  static_cast<void>(inner.assign(Local(), second.get(), failed));
  if (failed) return Fail(Errc::kIo, "{}", failed.message());
  second.Release();
  std::make_shared<Relay>(std::move(peer), std::move(inner), context_->tls, write_time_,
                          std::move(on_gone))
      ->Start();
  return plain;
}

}  // namespace headroom::net
