// Streams of clients between real spools, a real scheduler and a worker of the scripted engine,
// whose text is the number of samples. Loud is speech.
#include "app/serving/streams.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <future>

#include "app/testing/fake_scheduler.h"
#include "base/mutex.h"
#include "base/testing/eventually.h"
#include "speech/testing/fake_vad.h"

namespace headroom::app {
namespace {

namespace fs = std::filesystem;
using net::StreamEvent;
using Kind = StreamEvent::Kind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// What a client sees.
class Client {
 public:
  void Take(const StreamEvent& event) {
    const MutexLock lock(mutex_);
    events_.push_back(event);
    came_.NotifyAll();
  }
  /// All of that kind, once there are so many.
  std::vector<StreamEvent> Wait(Kind kind, std::size_t count) {
    const MutexLock lock(mutex_);
    const bool there = came_.WaitFor(mutex_, std::chrono::seconds(30), [&]() REQUIRES(mutex_) {
      return static_cast<std::size_t>(std::ranges::count(events_, kind, &StreamEvent::kind)) >=
             count;
    });
    EXPECT_TRUE(there) << "only " << std::ranges::count(events_, kind, &StreamEvent::kind);
    std::vector<StreamEvent> found;
    std::ranges::copy_if(events_, std::back_inserter(found),
                         [&](const StreamEvent& event) { return event.kind == kind; });
    return found;
  }
  std::vector<Kind> Kinds(std::uint64_t item) {
    const MutexLock lock(mutex_);
    std::vector<Kind> kinds;
    for (const StreamEvent& event : events_) {
      if (event.item == item && event.kind != Kind::kPartial) kinds.push_back(event.kind);
    }
    return kinds;
  }

 private:
  Mutex mutex_;
  CondVar came_;
  std::vector<StreamEvent> events_ GUARDED_BY(mutex_);
};

class StreamsTest : public testing::Test {
 protected:
  StreamsTest() {
    std::string name = (fs::path(testing::TempDir()) / "streams-XXXXXX").native();
    folder_ = ::mkdtemp(name.data());
    Make();
  }
  ~StreamsTest() override {
    streams_.reset();
    scheduler_.reset();
    fs::remove_all(folder_);
  }
  void Make(const std::string& script = "slow=5") {
    streams_.reset();
    scheduler_ = FakeScheduler(script);
    auto made = Streams::Make(
        {.folder = folder_, .most = most_}, *scheduler_,
        []() -> Result<std::unique_ptr<speech::SpeechProbability>> {
          return std::make_unique<speech::FakeVad>();
        },
        [](const net::SpeechRequest& wanted) -> Result<speech::RecognitionOptions> {
          if (wanted.model == "unknown") return Fail(Errc::kNotFound, "no such model");
          speech::RecognitionOptions request;
          request.language = wanted.language.empty() ? "en" : wanted.language;
          return request;
        },
        [this](const Event& event) {
          if (on_event_) on_event_(event);
        },
        clock_);
    ASSERT_TRUE(made) << made.error().what;
    streams_ = std::move(*made);
  }
  std::unique_ptr<net::SpeechStream> Open(Client& client, const net::StreamOptions& options = {}) {
    auto stream =
        streams_->Open(options, [&client](const StreamEvent& event) { client.Take(event); });
    EXPECT_TRUE(stream) << stream.error().what;
    return std::move(*stream);
  }
  static net::StreamOptions Manual() {
    net::StreamOptions options;
    options.turns.reset();
    return options;
  }
  static void Send(net::SpeechStream& stream, Milliseconds length, float level) {
    std::vector<float> samples(static_cast<std::size_t>(length.count()) * 16, level);
    for (std::size_t at = 0; at < samples.size(); at += 8'000) {
      const auto piece =
          std::span(samples).subspan(at, std::min<std::size_t>(8'000, samples.size() - at));
      ASSERT_TRUE(Eventually([&] {
        const auto taken = stream.Append(piece);
        EXPECT_TRUE(taken || taken.error().code == Errc::kBusy) << taken.error().what;
        return taken.has_value();
      }));
    }
  }
  static void Say(net::SpeechStream& stream, Milliseconds length) {
    Send(stream, length, 0.3F);
    Send(stream, Milliseconds(1'500), 0);
  }

  fs::path folder_;
  std::size_t most_ = 256;
  std::function<void(const Event&)> on_event_;
  FakeClock clock_;
  std::unique_ptr<asr::Scheduler> scheduler_;
  std::unique_ptr<Streams> streams_;
};

TEST_F(StreamsTest, SpeechIsCutAndEachItemHasOneText) {
  Client client;
  const auto stream = Open(client);
  Send(*stream, Milliseconds(1'000), 0);
  for (const int ms : {1'000, 2'000}) Say(*stream, Milliseconds(ms));
  const auto texts = client.Wait(Kind::kText, 2);
  EXPECT_THAT(texts[0].text, HasSubstr("samples in en"));
  EXPECT_LT(texts[0].item, texts[1].item);
  for (const StreamEvent& text : texts) {
    EXPECT_THAT(client.Kinds(text.item),
                ElementsAre(Kind::kStarted, Kind::kStopped, Kind::kCommitted, Kind::kText));
  }
  const auto began = client.Wait(Kind::kStarted, 2);
  EXPECT_NEAR(static_cast<double>(began[0].at.count()), 700, 60);  // 300 ms before the speech
  const auto stopped = client.Wait(Kind::kStopped, 2);
  EXPECT_GT(stopped[0].at, Milliseconds(2'000));
  EXPECT_LT(stopped[0].at, Milliseconds(2'600));
}

TEST_F(StreamsTest, AClientThatCommitsByItself) {
  Client client;
  const auto stream = Open(client, Manual());
  EXPECT_EQ(stream->Commit().error().code, Errc::kInvalid);
  Send(*stream, Milliseconds(1'000), 0.1F);
  ASSERT_TRUE(stream->Commit());
  Send(*stream, Milliseconds(500), 0.1F);
  ASSERT_TRUE(stream->Commit());
  const auto texts = client.Wait(Kind::kText, 2);
  EXPECT_EQ(texts[0].text, "16000 samples in en");
  EXPECT_EQ(texts[1].text, "8000 samples in en");
  EXPECT_THAT(client.Kinds(texts[0].item), ElementsAre(Kind::kCommitted, Kind::kText));
  EXPECT_EQ(client.Wait(Kind::kCommitted, 2)[1].audio, Milliseconds(500));
}

// What follows an event may ask for the number of streams, as the service's status does.
TEST_F(StreamsTest, NoLockIsHeldWhileADiskThatFailsIsReported) {
  const Fd texts(::memfd_create("texts", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::fcntl(texts.get(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_WRITE), 0);
  const std::string session(32, 'a');
  fs::create_directory(folder_ / session);
  fs::create_symlink(fmt::format("/proc/self/fd/{}", texts.get()), folder_ / session / "texts");
  Make();
  std::promise<bool> answered;
  std::future<std::size_t> open;
  on_event_ = [&](const Event& event) {
    if (!std::holds_alternative<net::Warning>(event) || open.valid()) return;
    open = std::async(std::launch::async, [this] { return streams_->open(); });
    answered.set_value(open.wait_for(std::chrono::seconds(5)) == std::future_status::ready);
  };
  Client client;
  auto options = Manual();
  options.resume = session;
  const auto stream = Open(client, options);
  Send(*stream, Milliseconds(500), 0.1F);
  ASSERT_TRUE(stream->Commit());
  EXPECT_THAT(client.Wait(Kind::kText, 1), SizeIs(1)) << "the text comes all the same";
  EXPECT_TRUE(answered.get_future().get()) << "the number of streams waited for the event's end";
}

TEST_F(StreamsTest, WhatIsClearedIsForgotten) {
  Client client;
  const auto stream = Open(client, Manual());
  Send(*stream, Milliseconds(1'000), 0.1F);
  stream->Clear();
  EXPECT_EQ(stream->Commit().error().code, Errc::kInvalid);
  Send(*stream, Milliseconds(250), 0.1F);
  ASSERT_TRUE(stream->Commit());
  EXPECT_EQ(client.Wait(Kind::kText, 1)[0].text, "4000 samples in en");
  EXPECT_THAT(client.Wait(Kind::kDropped, 1), SizeIs(1));
}

TEST_F(StreamsTest, SilenceThatIsCommittedIsNoItem) {
  Client client;
  const auto stream = Open(client);
  Send(*stream, Milliseconds(1'000), 0);
  ASSERT_TRUE(stream->Commit());
  EXPECT_THAT(client.Wait(Kind::kWarning, 1)[0].error.what, HasSubstr("no speech"));
}

TEST_F(StreamsTest, OptionsHoldForItemsThatBeginLater) {
  Client client;
  const auto stream = Open(client, Manual());
  Send(*stream, Milliseconds(250), 0.1F);
  ASSERT_TRUE(stream->Commit());
  net::StreamOptions options = Manual();
  options.request.language = "de";
  ASSERT_TRUE(stream->Configure(options));
  Send(*stream, Milliseconds(250), 0.1F);
  ASSERT_TRUE(stream->Commit());
  const auto texts = client.Wait(Kind::kText, 2);
  EXPECT_THAT(texts[0].text, HasSubstr(" in en"));
  EXPECT_THAT(texts[1].text, HasSubstr(" in de"));
  EXPECT_EQ(texts[1].language, "de");
  options.request.model = "unknown";
  EXPECT_EQ(stream->Configure(options).error().code, Errc::kNotFound);
  options.request.model.clear();
  options.turns = net::TurnDetection{.silence = Milliseconds(1)};
  EXPECT_THAT(stream->Configure(options).error().what, HasSubstr("silence_duration_ms"));
}

TEST_F(StreamsTest, FinishedAfterTheLastText) {
  Client client;
  const auto stream = Open(client);
  Send(*stream, Milliseconds(1'000), 0.3F);
  Mutex mutex;
  CondVar changed;
  bool idle = false;
  stream->Finish([&] {
    const MutexLock lock(mutex);
    idle = true;
    changed.NotifyAll();
  });
  const MutexLock lock(mutex);
  ASSERT_TRUE(changed.WaitFor(mutex, std::chrono::seconds(30), [&] { return idle; }));
  EXPECT_THAT(client.Wait(Kind::kText, 1), SizeIs(1));
}

TEST_F(StreamsTest, AClientThatWasLostGetsWhatItMissedOnce) {
  Client first, second;
  auto stream = Open(first, Manual());
  const std::string name = stream->session();
  Send(*stream, Milliseconds(1'000), 0.1F);
  ASSERT_TRUE(stream->Commit());
  const std::uint64_t have = first.Wait(Kind::kText, 1)[0].item;
  Send(*stream, Milliseconds(500), 0.1F);
  ASSERT_TRUE(stream->Commit());
  Send(*stream, Milliseconds(250), 0.1F);  // acknowledged, and not committed
  stream.reset();
  net::StreamOptions again = Manual();
  again.resume = name;
  again.have = have;
  stream = Open(second, again);
  EXPECT_EQ(stream->session(), name);
  Send(*stream, Milliseconds(125), 0.1F);
  ASSERT_TRUE(stream->Commit());
  std::vector<std::string> texts;
  for (const StreamEvent& event : second.Wait(Kind::kText, 3)) texts.push_back(event.text);
  EXPECT_THAT(texts, ElementsAre("8000 samples in en", "4000 samples in en", "2000 samples in en"));
}

TEST_F(StreamsTest, ATakenOverClientHearsNothingMore) {
  Client first, second;
  const auto old = Open(first, Manual());
  net::StreamOptions again = Manual();
  again.resume = old->session();
  const auto stream = Open(second, again);
  Send(*stream, Milliseconds(250), 0.1F);
  ASSERT_TRUE(stream->Commit());
  EXPECT_THAT(second.Wait(Kind::kText, 1), SizeIs(1));
  EXPECT_THAT(first.Wait(Kind::kText, 0), IsEmpty());
}

TEST_F(StreamsTest, AfterARestartOfTheServiceNothingThatWasCommittedIsLost) {
  Client first, second;
  std::string name;
  {
    const auto stream = Open(first, Manual());
    name = stream->session();
    Send(*stream, Milliseconds(1'000), 0.1F);
    ASSERT_TRUE(stream->Commit());
    first.Wait(Kind::kText, 1);  // it got the text, and does not say so
    scheduler_->Stop();          // nothing is decoded any more
    Send(*stream, Milliseconds(500), 0.1F);
    ASSERT_TRUE(stream->Commit());
    first.Wait(Kind::kCommitted, 2);
  }
  Make();
  net::StreamOptions again = Manual();
  again.resume = name;
  const auto stream = Open(second, again);
  const auto texts = second.Wait(Kind::kText, 2);
  EXPECT_EQ(texts[0].text, "16000 samples in en");
  EXPECT_EQ(texts[1].text, "8000 samples in en");
  EXPECT_LT(texts[0].item, texts[1].item);
}

TEST_F(StreamsTest, AMinuteAfterItsClientASessionIsGone) {
  Client client;
  std::string left, ended;
  {
    const auto a = Open(client, Manual());
    const auto b = Open(client, Manual());
    left = a->session(), ended = b->session();
    b->Forget();
    EXPECT_EQ(streams_->open(), 2U);
  }
  EXPECT_EQ(streams_->open(), 0U);
  streams_->Expire();
  EXPECT_TRUE(fs::exists(folder_ / left));
  EXPECT_FALSE(fs::exists(folder_ / ended));
  clock_.Advance(Milliseconds(61'000));
  streams_->Expire();
  EXPECT_THAT(fs::directory_iterator(folder_) == fs::directory_iterator(), true);
  net::StreamOptions again;
  again.resume = left;
  const auto gone = streams_->Open(again, [](const StreamEvent&) {});
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, Errc::kNotFound);
}

TEST_F(StreamsTest, ASessionInWhichNothingWasSaidMakesRoom) {
  most_ = 3;
  Make();
  Client client;
  const auto stays = Open(client, Manual());
  std::string spoken, first, second;
  {
    const auto a = Open(client, Manual());
    spoken = a->session();
    Send(*a, Milliseconds(500), 0.1F);
  }
  {
    const auto b = Open(client, Manual());
    first = b->session();
  }
  clock_.Advance(Milliseconds(100));
  {
    const auto c = Open(client, Manual());
    second = c->session();
    EXPECT_FALSE(fs::exists(folder_ / first));
  }
  const auto d = Open(client, Manual());
  EXPECT_FALSE(fs::exists(folder_ / second));
  EXPECT_TRUE(fs::exists(folder_ / spoken));
  const auto refused = streams_->Open(Manual(), [](const StreamEvent&) {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kBusy);
}

TEST_F(StreamsTest, ASessionWhoseTextsHaveArrivedMakesRoom) {
  most_ = 1;
  Make();
  Client client;
  std::string spoken;
  std::uint64_t item = 0;
  {
    const auto a = Open(client, Manual());
    spoken = a->session();
    Send(*a, Milliseconds(500), 0.1F);
    ASSERT_TRUE(a->Commit());
    item = client.Wait(Kind::kText, 1).front().item;
  }
  // The text may be what a client comes back for.
  EXPECT_FALSE(streams_->Open(Manual(), [](const StreamEvent&) {}));
  EXPECT_TRUE(fs::exists(folder_ / spoken));
  {
    net::StreamOptions again = Manual();
    again.resume = spoken;
    const auto a = Open(client, again);
    a->Acknowledge(item);
  }
  EXPECT_TRUE(Eventually(
      [this] { return streams_->Open(Manual(), [](const StreamEvent&) {}).has_value(); }));
  EXPECT_FALSE(fs::exists(folder_ / spoken));
}

TEST_F(StreamsTest, SessionsOfAnEarlierRunGoAfterTheirMinute) {
  Client client;
  {
    const auto stream = Open(client);
  }
  Make();
  streams_->Expire();
  EXPECT_FALSE(fs::is_empty(folder_));
  clock_.Advance(Milliseconds(61'000));
  streams_->Expire();
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(StreamsTest, ANameFromTheNetworkIsNeverAPath) {
  for (const std::string name :
       {"..", "../../etc", "/etc/passwd", "0123456789abcdef0123456789abcdeg",
        "0123456789abcdef0123456789abcdef"}) {
    net::StreamOptions options;
    options.resume = name;
    const auto stream = streams_->Open(options, [](const StreamEvent&) {});
    ASSERT_FALSE(stream) << name;
    EXPECT_EQ(stream.error().code, Errc::kNotFound);
  }
}

TEST_F(StreamsTest, WhatIsDecodedTooSlowlyIsRefusedAndNotLost) {
  scheduler_->Stop();  // nothing is decoded
  Client client;
  const auto stream = Open(client, Manual());
  std::int64_t taken = 0;
  const std::vector<float> second(16'000, 0.1F);
  EXPECT_TRUE(Eventually([&] {
    while (true) {
      const auto appended = stream->Append(second);
      if (!appended) {
        EXPECT_EQ(appended.error().code, Errc::kBusy);
        return taken > 60;  // before that its thread only does not keep up
      }
      ++taken;
    }
  }));
  EXPECT_LT(taken, 140);  // two minutes are what the spool holds
}

TEST_F(StreamsTest, ShortItemsFasterThanTheirTextsWaitUntilThereIsRoom) {
  scheduler_->Stop();  // nothing is decoded
  Client client;
  const auto stream = Open(client, Manual());
  const std::vector<float> word(1'600, 0.3F);
  std::size_t said = 0;
  // Until it has been refused for as long as any queue takes to be worked off.
  const auto say = [&] { return stream->Append(word) && stream->Commit(); };
  while (Eventually(say, Milliseconds(1'000))) ++said;
  EXPECT_GT(said, 100U);
  const auto committed = client.Wait(Kind::kCommitted, said);
  EXPECT_EQ(committed.size(), said);
  EXPECT_EQ(client.Wait(Kind::kWarning, 0).size(), 0U);
}

TEST_F(StreamsTest, ALongItemInSmallPiecesFitsItsSpool) {
  Client client;
  const auto stream = Open(client, Manual());
  const std::vector<float> piece(320, 0.3F);  // 20 ms, as telephones send it
  for (int i = 0; i < 50 * 28; ++i) {
    ASSERT_TRUE(Eventually([&] { return stream->Append(piece).has_value(); }))
        << "after " << i << " pieces";
  }
  ASSERT_TRUE(stream->Commit());
  EXPECT_EQ(client.Wait(Kind::kText, 1)[0].text, "448000 samples in en");
}

TEST_F(StreamsTest, ManyAtOnce) {
  constexpr int kClients = 20;
  std::vector<Client> clients(kClients);
  std::vector<std::unique_ptr<net::SpeechStream>> streams;
  for (Client& client : clients) streams.push_back(Open(client, Manual()));
  for (const auto& stream : streams) Send(*stream, Milliseconds(500), 0.1F);
  for (const auto& stream : streams) ASSERT_TRUE(stream->Commit());
  for (Client& client : clients)
    EXPECT_EQ(client.Wait(Kind::kText, 1)[0].text, "8000 samples in en");
}

}  // namespace
}  // namespace headroom::app
