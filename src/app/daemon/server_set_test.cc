#include "app/daemon/server_set.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <sys/socket.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/testing/fake_scheduler.h"
#include "base/testing/temp_folder.h"
#include "net/control/client.h"
#include "net/testing/fake_service.h"
#include "net/testing/raw_client.h"
#include "speech/testing/fake_vad.h"

namespace headroom::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// Bound and not listening: no other program gets its port, and who tries to is refused.
struct Taken {
  Taken() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const plain = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(socket.get(), plain, size), 0);
    EXPECT_EQ(::getsockname(socket.get(), plain, &size), 0);
    port = ntohs(address.sin_port);
  }
  Fd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::uint16_t port = 0;
};

std::string Loopback(std::uint16_t port) {
  return fmt::format("127.0.0.1:{}", port);
}

class ServerSetTest : public testing::Test {
 protected:
  ServerSetTest() {
    config_.server.listen = config_.wyoming.listen = "";
    config_.server.tokens = folder_ / "tokens";
  }
  void StartNetwork() {
    ServingParts parts;
    parts.scheduler = [] { return asr::SchedulerStatus(); };
    parts.dictation = [] { return PipelineStatus(); };
    parts.inspect = [](const std::string&) { return std::nullopt; };
    servers_.StartNetwork(
        config_, std::move(parts), *scheduler_,
        []() -> Result<std::unique_ptr<speech::SpeechProbability>> {
          return std::make_unique<speech::FakeVad>();
        },
        service_);
  }
  static std::string Get(std::uint16_t port, const std::string& path) {
    const net::RawClient client(port);
    client.Send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    return client.Receive();
  }

  TempFolder folder_;
  Config config_;
  net::FakeService service_;
  std::unique_ptr<asr::Scheduler> scheduler_ = FakeScheduler("slow=1");
  Publisher publisher_;
  std::vector<Event> published_;
  std::vector<std::string> warnings_;
  ServerSet servers_{
      {.state = folder_,
       .publish = [this](const Event& event) { published_.push_back(event); },
       .warn = [this](const std::string& topic,
                      const std::string& text) { warnings_.push_back(topic + ": " + text); }},
      publisher_};
};

TEST_F(ServerSetTest, FollowersOfTheControlSocketSeeWhatIsPublished) {
  const auto socket = folder_ / "control.sock";
  ASSERT_TRUE(servers_.StartControl(socket, service_));
  EXPECT_FALSE(servers_.has_subscribers());
  std::vector<std::string> seen;
  const auto followed = net::ControlClient(socket).Follow(
      "GET", "/v1/events", [&](std::string_view name, const nlohmann::json& data) {
        seen.emplace_back(name);
        if (seen.size() == 1) {  // it follows
          EXPECT_TRUE(servers_.has_subscribers());
          publisher_.Publish(net::Notice{"hello"});
          net::Status status;
          status.partial = "it is";
          servers_.Publish(status);
        }
        if (seen.size() == 2) {
          EXPECT_EQ(data["text"], "hello");
        }
        if (seen.size() == 3) {
          EXPECT_EQ(data["partial"], "it is");
        }
        return seen.size() < 3;
      });
  EXPECT_TRUE(followed) << followed.error().what;
  EXPECT_THAT(seen, ElementsAre("status", "notice", "status"));
  servers_.StopRequests();
  EXPECT_EQ(net::ControlClient(socket).Ask("GET", "/v1/status").error().code, Errc::kNotFound);
  publisher_.Publish(net::Notice{"without a follower"});
}

TEST_F(ServerSetTest, WithoutAnAddressNothingIsServed) {
  StartNetwork();
  EXPECT_EQ(servers_.SetDraining(true).error().code, Errc::kUnsupported);
  EXPECT_EQ(servers_.served(), std::pair(false, 0));
  EXPECT_THAT(warnings_, IsEmpty());
  EXPECT_THAT(published_, IsEmpty());
}

TEST_F(ServerSetTest, ServesTheNetworkUntilItStops) {
  const std::uint16_t web = Taken().port, wyoming = Taken().port;
  config_.server.listen = Loopback(web);
  config_.wyoming.listen = Loopback(wyoming);
  StartNetwork();
  ASSERT_THAT(warnings_, IsEmpty());
  EXPECT_EQ(published_.size(), 2U) << "a notice for each";
  EXPECT_THAT(Get(web, "/metrics"), HasSubstr("wyoming")) << "the other server's counters, too";
  publisher_.Publish(
      net::TextDelivered{.utterance = 1, .text = "it is", .latency = Milliseconds(9)});
  EXPECT_THAT(Get(web, "/metrics"), HasSubstr("{source=\"dictation\",outcome=\"text\"} 1\n"));
  EXPECT_TRUE(net::RawClient(wyoming).connected());

  published_.clear();
  ASSERT_TRUE(servers_.SetDraining(true));
  EXPECT_EQ(servers_.served(), std::pair(true, 0));
  ASSERT_EQ(published_.size(), 1U);
  EXPECT_TRUE(std::get<net::DrainChanged>(published_[0]).on);
  ASSERT_TRUE(servers_.SetDraining(false));
  servers_.Refuse();
  EXPECT_EQ(servers_.served(), std::pair(true, 0));
  EXPECT_EQ(published_.size(), 2U) << "refusing at the end is no event";

  servers_.StopRequests();
  EXPECT_FALSE(net::RawClient(web).connected());
  EXPECT_FALSE(net::RawClient(wyoming).connected());
  EXPECT_EQ(servers_.served(), std::pair(true, 0)) << "what was begun may still be in work";
  servers_.Stop();
  EXPECT_EQ(servers_.served(), std::pair(false, 0));
}

TEST_F(ServerSetTest, AServerThatCannotStartIsAWarningAndTheOtherServes) {
  const Taken taken;
  config_.server.listen = Loopback(taken.port);
  const std::uint16_t wyoming = Taken().port;
  config_.wyoming.listen = Loopback(wyoming);
  StartNetwork();
  EXPECT_THAT(warnings_, ElementsAre(StartsWith("server: no HTTP: ")));
  EXPECT_TRUE(net::RawClient(wyoming).connected());
}

}  // namespace
}  // namespace headroom::app
