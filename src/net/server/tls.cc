#include "net/server/tls.h"

#include <sys/stat.h>

#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <vector>

#include "base/clock.h"

namespace headroom::net {
namespace {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
using Tcp = asio::ip::tcp;
using BoostError = boost::system::error_code;

constexpr std::size_t kRecord = 16 << 10;
constexpr Milliseconds kTlsFarewell{2'000};  // for a client to see the end

}  // namespace

struct TlsContext::Context {
  ssl::context tls{ssl::context::tls_server};
};

class TlsContext::Carrier final : public ByteStream::Carrier,
                                  public std::enable_shared_from_this<TlsContext::Carrier> {
 public:
  Carrier(Tcp::socket peer, std::shared_ptr<TlsContext> context, std::function<void()> on_gone)
      : context_(std::move(context)),
        tls_(std::move(peer), context_->context_->tls),
        farewell_(tls_.get_executor()),
        on_gone_(std::move(on_gone)) {}
  ~Carrier() override { on_gone_(); }

  ByteStream::executor_type executor() override { return tls_.get_executor(); }
  int socket() override { return tls_.next_layer().native_handle(); }

  void Read(asio::mutable_buffer into, ByteStream::Handler handler) override {
    reading_ = true;
    if (shaken_) return ReadSome(into, std::move(handler));
    tls_.async_handshake(
        ssl::stream_base::server, [self = shared_from_this(), into,
                                   handler = std::move(handler)](const BoostError& failed) mutable {
          self->shaken_ = !failed;
          if (failed || self->closing_)
            return self->EndRead(failed ? failed : Aborted(), 0, std::move(handler));
          self->ReadSome(into, std::move(handler));
        });
  }

  void Write(const ByteStream::Pieces& pieces, ByteStream::Handler handler) override {
    // The engine would make a record of each piece.
    record_.resize(kRecord);
    const std::size_t size = asio::buffer_copy(asio::buffer(record_), pieces);
    writing_ = true;
    tls_.async_write_some(asio::buffer(record_.data(), size),
                          [self = shared_from_this(), handler = std::move(handler)](
                              const BoostError& failed, std::size_t written) mutable {
                            self->writing_ = false;
                            std::move(handler)(failed, written);
                          });
  }

  void Cancel() override {
    BoostError none;
    static_cast<void>(tls_.next_layer().cancel(none));
  }
  void ShutDownSend() override {}

  void Close() override {
    if (closing_) return;
    if (!shaken_ || writing_) return Abort();  // a farewell is not possible
    closing_ = true;
    farewell_.expires_after(kTlsFarewell);
    farewell_.async_wait([self = shared_from_this()](const BoostError& cancelled) {
      if (!cancelled) self->Abort();
    });
    // The engine must not be read while it is shut down.
    if (reading_) return Cancel();
    SayFarewell();
  }

  void Abort() override {
    closing_ = said_ = true;
    farewell_.cancel();
    BoostError none;
    static_cast<void>(tls_.next_layer().close(none));
  }

 private:
  static BoostError Aborted() { return asio::error::operation_aborted; }

  void ReadSome(asio::mutable_buffer into, ByteStream::Handler handler) {
    tls_.async_read_some(into, [self = shared_from_this(), handler = std::move(handler)](
                                   BoostError failed, std::size_t size) mutable {
      if (failed == ssl::error::stream_truncated) failed = asio::error::eof;
      self->EndRead(failed, size, std::move(handler));
    });
  }

  void EndRead(const BoostError& failed, std::size_t size, ByteStream::Handler handler) {
    reading_ = false;
    std::move(handler)(failed, size);
    if (closing_ && !reading_) SayFarewell();
  }

  void SayFarewell() {
    if (std::exchange(said_, true)) return;
    tls_.async_shutdown([self = shared_from_this()](const BoostError&) {
      // Closing with something unread would take the answer away from the client.
      BoostError none;
      static_cast<void>(self->tls_.next_layer().shutdown(Tcp::socket::shutdown_send, none));
      self->Drain();
    });
  }

  void Drain() {
    record_.resize(kRecord);
    tls_.next_layer().async_read_some(
        asio::buffer(record_), [self = shared_from_this()](const BoostError& failed, std::size_t) {
          failed ? self->Abort() : self->Drain();
        });
  }

  const std::shared_ptr<TlsContext> context_;
  ssl::stream<Tcp::socket> tls_;
  asio::steady_timer farewell_;
  const std::function<void()> on_gone_;
  std::vector<char> record_;  // on its way out
  bool shaken_ = false;       // the handshake is over
  bool reading_ = false, writing_ = false;
  bool closing_ = false, said_ = false;
};

TlsContext::TlsContext(std::unique_ptr<Context> context) : context_(std::move(context)) {}
TlsContext::~TlsContext() = default;

Result<std::shared_ptr<TlsContext>> TlsContext::Make(const std::filesystem::path& certificate,
                                                     const std::filesystem::path& key) {
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
  return std::shared_ptr<TlsContext>(new TlsContext(std::move(context)));
}

ByteStream TlsContext::Open(Tcp::socket peer, std::function<void()> on_gone) {
  return ByteStream(
      std::make_shared<Carrier>(std::move(peer), shared_from_this(), std::move(on_gone)));
}

}  // namespace headroom::net
