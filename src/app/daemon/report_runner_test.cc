#include "app/daemon/report_runner.h"

#include <gtest/gtest.h>

#include <latch>
#include <nlohmann/json.hpp>

namespace headroom::app {
namespace {

using Given = Result<nlohmann::json>;

// An answer, and where it arrives.
std::pair<net::Answer, std::future<Given>> MakeAnswer() {
  auto promise = std::make_shared<std::promise<Given>>();
  auto future = promise->get_future();
  return {net::Answer([promise](Given given) { promise->set_value(std::move(given)); }),
          std::move(future)};
}

TEST(ReportRunner, MakesAPageOfTheRecord) {
  ReportRunner runner([](const std::filesystem::path& record, Milliseconds since) {
    return Result<std::string>(record.native() + " " + std::to_string(since.count()));
  });
  auto [answer, given] = MakeAnswer();
  runner.Make("/record.db", "2min", std::move(answer));
  const Given page = given.get();
  ASSERT_TRUE(page) << page.error().what;
  EXPECT_EQ((*page)["html"], "/record.db 120000");
}

TEST(ReportRunner, RefusesWhatMakesNoSense) {
  ReportRunner runner([](const auto&, Milliseconds) { return Result<std::string>(""); });
  for (const char* since : {"", "0s", "yesterday"}) {
    auto [answer, given] = MakeAnswer();
    runner.Make("/record.db", since, std::move(answer));
    EXPECT_EQ(given.get().error().code, Errc::kInvalid) << since;
  }
  auto [answer, given] = MakeAnswer();
  runner.Make("", "1h", std::move(answer));
  EXPECT_EQ(given.get().error().code, Errc::kNotFound);
}

TEST(ReportRunner, OneIsMadeAtATime) {
  std::latch go_on(1);
  ReportRunner runner([&](const auto&, Milliseconds) {
    go_on.wait();
    return Result<std::string>("page");
  });
  auto [first, first_given] = MakeAnswer();
  runner.Make("/record.db", "1h", std::move(first));
  auto [second, second_given] = MakeAnswer();
  runner.Make("/record.db", "1h", std::move(second));
  EXPECT_EQ(second_given.get().error().code, Errc::kBusy);
  go_on.count_down();
  EXPECT_TRUE(first_given.get());
}

}  // namespace
}  // namespace headroom::app
