#include "net/server/tokens.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

namespace headroom::net {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class Tokens : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/headroom_tokens.XXXXXX";
    folder_ = ::mkdtemp(name.data());
    path_ = folder_ / "new" / "tokens";
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string Add(const std::string& name) {
    return AddToken(path_, name, FakeClock().WallNow()).value();
  }
  fs::path folder_, path_;
};

TEST_F(Tokens, OneForEachClientAndOnlyItsHashIsKept) {
  const std::string phone = Add("phone"), tower = Add("tower");
  EXPECT_NE(phone, tower);
  EXPECT_EQ(phone.size(), 67u);
  const std::string text = ReadFile(path_).value();
  EXPECT_THAT(text, Not(HasSubstr(phone)));
  EXPECT_THAT(text, Not(HasSubstr(phone.substr(3))));
  struct stat file{};
  ASSERT_EQ(::stat(path_.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600u);
  const auto again = AddToken(path_, "phone", {});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::kExists);
  for (const char* wrong : {"", "a b", "a\nb", "ä", "#x"})
    EXPECT_FALSE(AddToken(path_, wrong, {})) << wrong;
  const auto all = ReadTokens(path_).value();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].name, "phone");
  EXPECT_EQ(all[0].since, "2019-12-20");
}

TEST_F(Tokens, AGateFollowsTheFile) {
  TokenGate gate(path_, false), strict(path_, true);
  EXPECT_EQ(gate.Admit("").value_or("refused"), "") << "no file: no token is needed";
  EXPECT_FALSE(strict.Admit("")) << "nor can there be one that is right";
  const std::string phone = Add("phone"), tower = Add("tower");
  for (TokenGate* one : {&gate, &strict}) {
    EXPECT_EQ(one->Admit(phone).value_or("refused"), "phone");
    EXPECT_EQ(one->Admit(tower).value_or("refused"), "tower");
    EXPECT_FALSE(one->Admit(""));
    EXPECT_FALSE(one->Admit("hr_"));
    EXPECT_FALSE(one->Admit(phone + "0"));
    EXPECT_FALSE(one->Admit(phone.substr(0, 66)));
    EXPECT_TRUE(one->Knows("phone"));
    EXPECT_FALSE(one->Knows("")) << "a client of the time when none was needed";
  }
  ASSERT_TRUE(RevokeToken(path_, "phone"));
  EXPECT_FALSE(gate.Admit(phone));
  EXPECT_FALSE(gate.Knows("phone"));
  EXPECT_TRUE(gate.Admit(tower));
  EXPECT_EQ(RevokeToken(path_, "phone").error().code, Errc::kNotFound);
  ASSERT_TRUE(RevokeToken(path_, "tower"));
  EXPECT_FALSE(gate.Admit("")) << "revoking the last one must not let every client in";
  EXPECT_FALSE(gate.Admit(tower));
}

TEST_F(Tokens, AFileThatCannotBeTrustedLetsNobodyIn) {
  const std::string phone = Add("phone");
  TokenGate gate(path_, false);
  ASSERT_TRUE(gate.Admit(phone));
  ::chmod(path_.c_str(), 0644);
  EXPECT_FALSE(gate.Admit(phone));
  EXPECT_THAT(ReadTokens(path_).error().what, HasSubstr("chmod 600"));
  ::chmod(path_.c_str(), 0600);
  EXPECT_TRUE(gate.Admit(phone));
  ASSERT_TRUE(WriteFileAtomic(path_, ReadFile(path_).value() + "rubbish\n"));
  EXPECT_FALSE(gate.Admit(phone));
  EXPECT_THAT(ReadTokens(path_).error().what, HasSubstr("line 4"));
  EXPECT_FALSE(AddToken(path_, "tower", {})) << "it would throw away what is not understood";
}

TEST_F(Tokens, AFileCutAnywhereHasNoOtherTokens) {
  Add("phone");
  Add("tower");
  const std::string text = ReadFile(path_).value();
  const auto whole = ParseTokens(text).value();
  for (std::size_t length = 0; length < text.size(); ++length) {
    const auto cut = ParseTokens(text.substr(0, length));
    if (!cut) continue;
    for (std::size_t i = 0; i < cut->size(); ++i) {
      EXPECT_EQ((*cut)[i].name, whole[i].name);
      EXPECT_EQ((*cut)[i].hash, whole[i].hash);
    }
  }
  EXPECT_FALSE(ParseTokens(text + text)) << "twice the same";
}

}  // namespace
}  // namespace headroom::net
