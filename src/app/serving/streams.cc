#include "app/serving/streams.h"

#include <malloc.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/file.h"

namespace headroom::app {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kNameBytes = 16;

std::string NewName() {
  std::array<unsigned char, kNameBytes> bytes{};
  CHECK(::getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  std::string name;
  for (const unsigned char byte : bytes) name += fmt::format("{:02x}", byte);
  return name;
}

// Nothing else from the network ever becomes the name of a file.
bool IsName(const std::string& name) {
  return name.size() == 2 * kNameBytes &&
         name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

// Sessions that are over. Their threads are waited for and their folders deleted at its end, so it
// has to outlive the lock.
class Streams::Ended {
 public:
  explicit Ended(fs::path folder) : folder_(std::move(folder)) {}
  ~Ended() {
    std::error_code ignored;
    for (auto& [name, session] : sessions_) {
      session.reset();
      fs::remove_all(folder_ / name, ignored);
    }
  }
  Ended(const Ended&) = delete;
  Ended& operator=(const Ended&) = delete;

  void Add(const std::string& name, std::shared_ptr<StreamSession> session) {
    sessions_.emplace_back(name, std::move(session));
  }
  bool empty() const { return sessions_.empty(); }

 private:
  const fs::path folder_;
  std::vector<std::pair<std::string, std::shared_ptr<StreamSession>>> sessions_;
};

// What a client holds.
class Streams::Handle : public net::SpeechStream {
 public:
  Handle(Streams& streams, std::string name, std::shared_ptr<StreamSession> session,
         std::uint64_t client)
      : streams_(streams), name_(std::move(name)), session_(std::move(session)), client_(client) {}
  ~Handle() override {
    session_->Detach(client_);
    if (forget_) streams_.Forget(name_);
  }

  const std::string& session() const override { return name_; }
  Result<> Append(std::span<const float> samples) override { return session_->Append(samples); }
  Result<> Commit() override { return session_->Commit(); }
  void Clear() override { session_->Clear(); }
  Result<> Configure(const net::StreamOptions& options) override {
    TRY_ASSIGN(StreamConfig config, streams_.ConfigFor(options));
    session_->Configure(std::move(config));
    return {};
  }
  void Acknowledge(std::uint64_t item) override { session_->Acknowledge(item); }
  void Finish(std::function<void()> on_idle) override {
    session_->Finish(client_, std::move(on_idle));
  }
  void Forget() override { forget_ = true; }

 private:
  Streams& streams_;
  const std::string name_;
  const std::shared_ptr<StreamSession> session_;
  const std::uint64_t client_;
  bool forget_ = false;
};

Result<std::unique_ptr<Streams>> Streams::Make(StreamsOptions options, asr::Scheduler& scheduler,
                                               DetectorMaker make_detector, RequestMaker request,
                                               EventSink publish, const Clock& clock) {
  TRY(MakeDirectories(options.folder));
  std::unique_ptr<Streams> streams(new Streams(std::move(options), scheduler,
                                               std::move(make_detector), std::move(request),
                                               std::move(publish), clock));
  std::error_code failed;
  for (const fs::directory_entry& entry :
       fs::directory_iterator(streams->options_.folder, failed)) {
    const std::string name = entry.path().filename();
    const MutexLock lock(streams->mutex_);
    if (IsName(name)) streams->left_.emplace(name, clock.Now());
  }
  return streams;
}

Streams::~Streams() = default;

Result<StreamConfig> Streams::ConfigFor(const net::StreamOptions& options) const {
  StreamConfig config;
  TRY_ASSIGN(config.request, make_request_(options.request));
  if (options.turns) {
    TRY_ASSIGN(config.turns, EndpointFor(*options.turns));
  }
  config.partials = options.partials;
  return config;
}

Result<std::shared_ptr<StreamSession>> Streams::MakeSession(const std::string& name) {
  const fs::path folder = options_.folder / name;
  TRY(MakeDirectories(folder));
  return StreamSession::Make(folder, options_.spool, scheduler_, make_detector_, publish_, clock_);
}

Result<std::shared_ptr<StreamSession>> Streams::Claim(const std::string& name, bool resume,
                                                      Ended& over) {
  const MutexLock lock(mutex_);
  if (resume) {
    released_.Wait(mutex_, [&]() REQUIRES(mutex_) { return !claimed_.contains(name); });
    const auto here = sessions_.find(name);
    if (here == sessions_.end() && !left_.contains(name))
      return Fail(Errc::kNotFound, "there is no such session any more");
    claimed_.insert(name);
    forgotten_.erase(name);
    return here == sessions_.end() ? nullptr : here->second;
  }
  const auto opening =
      std::ranges::count_if(claimed_, [this](const std::string& one)
                                          REQUIRES(mutex_) { return !sessions_.contains(one); });
  const std::size_t open = sessions_.size() + static_cast<std::size_t>(opening);
  if (open >= options_.most && !TakeOutSpent(over))
    return Fail(Errc::kBusy, "{} streams are open", open);
  claimed_.insert(name);
  return nullptr;
}

void Streams::Release(const std::string& name, std::shared_ptr<StreamSession> session) {
  {
    const MutexLock lock(mutex_);
    claimed_.erase(name);
    if (session) {
      left_.erase(name);
      sessions_.insert_or_assign(name, std::move(session));
    }
  }
  released_.NotifyAll();
}

Result<std::unique_ptr<net::SpeechStream>> Streams::Open(
    const net::StreamOptions& options, std::function<void(const net::StreamEvent&)> on_event) {
  TRY_ASSIGN(StreamConfig config, ConfigFor(options));
  const bool resume = !options.resume.empty();
  if (resume && !IsName(options.resume)) return Fail(Errc::kNotFound, "there is no such session");
  Ended over(options_.folder);
  const std::string name = resume ? options.resume : NewName();
  TRY_ASSIGN(std::shared_ptr<StreamSession> session, Claim(name, resume, over));
  if (!session) {
    auto made = MakeSession(name);
    if (!made) {
      std::error_code ignored;
      if (!resume) fs::remove_all(options_.folder / name, ignored);
      Release(name, nullptr);
      return std::unexpected(made.error());
    }
    session = std::move(*made);
  }
  const std::uint64_t client =
      session->Attach(std::move(config), options.have, std::move(on_event));
  Release(name, session);
  return std::make_unique<Handle>(*this, name, std::move(session), client);
}

void Streams::Forget(const std::string& name) {
  const MutexLock lock(mutex_);
  if (sessions_.contains(name)) forgotten_.insert(name);
}

// The one that was left first.
bool Streams::TakeOutSpent(Ended& into) {
  auto oldest = sessions_.end();
  for (auto one = sessions_.begin(); one != sessions_.end(); ++one) {
    const StreamSession& session = *one->second;
    if (session.attached() || claimed_.contains(one->first)) continue;
    if (oldest != sessions_.end() && session.left_at() >= oldest->second->left_at()) continue;
    if (session.spent()) oldest = one;
  }
  if (oldest == sessions_.end()) return false;
  into.Add(oldest->first, oldest->second);
  forgotten_.erase(oldest->first);
  sessions_.erase(oldest);
  return true;
}

void Streams::Expire() {
  {
    Ended over(options_.folder);
    const MutexLock lock(mutex_);
    const MonoTime now = clock_.Now();
    std::erase_if(sessions_, [&](const auto& one) REQUIRES(mutex_) {
      const auto& [name, session] = one;
      if (session->attached() || claimed_.contains(name)) return false;
      if (!forgotten_.contains(name) && now - session->left_at() < options_.keep) return false;
      forgotten_.erase(name);
      over.Add(name, session);
      return true;
    });
    std::erase_if(left_, [&](const auto& one) REQUIRES(mutex_) {
      if (claimed_.contains(one.first) || now - one.second < options_.keep) return false;
      over.Add(one.first, nullptr);
      return true;
    });
    if (over.empty()) return;
  }
  ::malloc_trim(0);  // of threads that are gone, too
}

std::size_t Streams::open() const {
  const MutexLock lock(mutex_);
  return static_cast<std::size_t>(
      std::ranges::count_if(sessions_, [](const auto& one) { return one.second->attached(); }));
}

}  // namespace headroom::app
