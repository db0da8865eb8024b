#include "app/config/config.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <random>

#include "app/config/config_keys.h"
#include "base/dirs.h"
#include "base/file.h"
#include "base/text.h"

namespace headroom::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// "line: text" of every problem.
std::vector<std::string> Problems(std::string_view text) {
  std::vector<std::string> all;
  for (const ConfigProblem& problem : ReadConfig(text).problems)
    all.push_back(fmt::format("{}: {}", problem.line, problem.text));
  return all;
}

Config Read(std::string_view text) {
  ConfigReading reading = ReadConfig(text);
  for (const ConfigProblem& problem : reading.problems) ADD_FAILURE() << problem.text;
  return reading.config;
}

TEST(Config, AnEmptyFileIsTheDefaults) {
  EXPECT_EQ(Read(""), Config());
  EXPECT_EQ(Read("[speech]\n"), Config());
}

TEST(Config, EverythingCanBeSet) {
  const Config c = Read(R"(
[audio]
source = "file"
device = "USB"
files = ["/a.wav", "/b c.flac"]
real_time = false
[speech]
mode = "hands_free"
language = "de"
silence = "1.2s"
vad_enter = 0.6
vad_leave = 0.4
vocabulary = ["Headroom", "Müller"]
partials = false
[commands.de]
"neue zeile" = "\n"
[replacements]
"head room" = "Headroom"
[models]
tiers = ["canary-1b-flash:q8_0@gpu", "whisper-base@cpu", "/m/x.gguf"]
when_cold = "fast"
idle = "0s"
[memory]
vram_warning = "60 %"
vram_danger = 80
ram_warning = "1.5GB"
chunks = ["20s", "10s"]
[output]
targets = ["stdout", "command"]
command = ["tee", "-a", "/x"]
newline = "enter"
[spool]
size = "128MiB"
[history]
on = false
hours = 48
[shortcut]
on = false
[control]
socket = "/run/x.sock"
[log]
level = "debug"
)");
  EXPECT_EQ(c.audio.source, audio::SourceKind::kFile);
  EXPECT_THAT(c.audio.files, ElementsAre("/a.wav", "/b c.flac"));
  EXPECT_FALSE(c.audio.real_time);
  EXPECT_EQ(c.speech.mode, ListenMode::kHandsFree);
  EXPECT_EQ(c.speech.silence, Milliseconds(1200));
  EXPECT_EQ(c.speech.vad_enter, 0.6);
  EXPECT_THAT(c.speech.vocabulary, ElementsAre("Headroom", "Müller"));
  EXPECT_EQ(c.commands.at("de").at("neue zeile"), "\n");
  EXPECT_EQ(c.replacements.at("head room"), "Headroom");
  ASSERT_EQ(c.models.tiers.size(), 3u);
  EXPECT_EQ(c.models.tiers[0],
            (planner::TierPreference{"canary-1b-flash:Q8_0", planner::Place::kGpu}));
  EXPECT_EQ(TierName(c.models.tiers[1]), "whisper-base@cpu");
  EXPECT_EQ(c.models.tiers[2].model, "/m/x.gguf");
  EXPECT_EQ(c.models.idle, Milliseconds(0));
  EXPECT_EQ(c.memory.thresholds.vram, (memory::ZoneLevels<double>{60, 80, 95}));
  EXPECT_EQ(c.memory.thresholds.ram.warning, Bytes(1'500'000'000));
  EXPECT_THAT(c.memory.chunks, ElementsAre(Milliseconds(20'000), Milliseconds(10'000)));
  EXPECT_THAT(c.output.targets,
              ElementsAre(output::TargetKind::kStdout, output::TargetKind::kCommand));
  EXPECT_EQ(c.output.newline, output::Newlines::kKeep);
  EXPECT_EQ(c.spool.size, MiB(128));
  EXPECT_FALSE(c.history.on);
  EXPECT_EQ(c.control_socket, "/run/x.sock");
  EXPECT_EQ(c.log_level, LogLevel::kDebug);
}

TEST(Config, ReportsEveryMistakeWithItsLineAndTheNearestName) {
  EXPECT_THAT(
      Problems("[speech]\n"
               "silense = \"1s\"\n"
               "mode = \"togle\"\n"
               "silence = 5\n"
               "[speach]\n"
               "[audio]\n"
               "mode = \"toggle\"\n"
               "real_time = \"yes\"\n"
               "quux = 1\n"
               "[spool]\n"
               "size = \"1MiB\"\n"
               "[history]\n"
               "hours = 1.5\n"),
      ElementsAre("2: [speech] has no key silense; did you mean silence?",
                  "3: speech.mode: \"togle\" is not one of toggle, push_to_talk, hands_free; "
                  "did you mean \"toggle\"?",
                  "4: speech.silence: must be a length of time in quotes, such as "
                  "\"1500ms\"",
                  "5: unknown section [speach]; did you mean [speech]?",
                  "7: [audio] has no key mode; it belongs under [speech]",
                  "8: audio.real_time: must be true or false",
                  "9: [audio] has no key quux; known: source, device, files, real_time",
                  "11: spool.size: must be from 4MiB to 4GiB",
                  "13: history.hours: must be a whole number"));
}

TEST(Config, ReportsOtherMistakes) {
  EXPECT_THAT(Problems("mode = \"toggle\"\n"),
              ElementsAre("1: mode is outside of any section; it belongs under [speech]"));
  EXPECT_THAT(Problems("speech = 1\n"),
              ElementsAre("1: speech is a section; write [speech] on a separate line"));
  EXPECT_THAT(Problems("[speech]\nmode = \"toggle\"\nmode = \"toggle\"\n"),
              ElementsAre(HasSubstr("3: ")));
  EXPECT_THAT(Problems("[speech\n"), ElementsAre(HasSubstr("1: ")));
  EXPECT_THAT(Problems("[[speech]]\n"), ElementsAre(HasSubstr("speech is a section")));
  EXPECT_THAT(Problems("[commands]\n\"new line\" = \"\\n\"\n"),
              ElementsAre(HasSubstr("2: commands: phrases belong under a language")));
  EXPECT_THAT(Problems("[replacements]\n\"\" = \"x\"\na = 1\n"),
              ElementsAre("2: replacements: a phrase is empty",
                          "3: replacements: \"a\": must be text in quotes"));
  EXPECT_THAT(Problems("[audio]\nfiles = [\"a.wav\"]\n"),
              ElementsAre("2: audio.files: \"a.wav\" must begin with / or ~/"));
  EXPECT_THAT(Problems("[audio]\ndevice = \"a\\u0000b\"\n"),
              ElementsAre("2: audio.device: contains a character that is not text"));
  EXPECT_THAT(
      Problems("[models]\ntiers = [\"canary@tpu\"]\n"),
      ElementsAre("2: models.tiers: \"canary@tpu\": the device after @ must be gpu or cpu"));
  EXPECT_THAT(Problems("[models]\nthreads = -1\n"),
              ElementsAre("2: models.threads: must be a number from 0 to 256"));
  EXPECT_THAT(Problems("[speech]\nvad_enter = nan\n"),
              ElementsAre(HasSubstr("2: speech.vad_enter")));
  EXPECT_THAT(
      Problems("[memory]\nvram_warning = \"much\"\nram_warning = true\n"),
      ElementsAre("2: memory.vram_warning: \"much\" is not a percentage; write for example 70",
                  "3: memory.ram_warning: must be a number or a size such as \"2GB\""));
}

TEST(Config, QuotesAValueWithALineBreakOnOneLine) {
  EXPECT_THAT(Problems("[speech]\nmode = \"n\\n\"\n"), ElementsAre(Not(HasSubstr("\n"))));
}

TEST(Config, ReportsKeysThatContradictEachOther) {
  EXPECT_THAT(Problems("[speech]\n\nvad_enter = 0.2\n"),
              ElementsAre("3: speech.vad_leave: 0.35 is above vad_enter, 0.2"));
  EXPECT_THAT(Problems("[audio]\nsource = \"file\"\n"),
              ElementsAre("2: audio.source: \"file\" needs audio.files"));
  EXPECT_THAT(Problems("[output]\ntargets = [\"file\", \"command\"]\n"),
              ElementsAre("2: output.targets: \"file\" needs output.file",
                          "2: output.targets: \"command\" needs output.command"));
  EXPECT_THAT(
      Problems("[memory]\nchunks = [\"8s\", \"30s\"]\n"),
      ElementsAre("2: memory.chunks: must have at least one, longest first, without duplicates"));
  EXPECT_THAT(Problems("[memory]\nram_warning = 1\nvram_warning = 90\n"),
              ElementsAre("3: memory.vram_warning, vram_danger and vram_critical must ascend"));
}

TEST(Config, OnlyTheUsersOwnFileMayBeMissing) {
  EXPECT_EQ(LoadConfig("/does/not/exist.toml").error().code, Errc::kNotFound);
  // A user's own file need not exist.
  ASSERT_EQ(::setenv("XDG_CONFIG_HOME", "/does/not/exist", 1), 0);
  EXPECT_EQ(LoadConfig(ConfigPath()).value(), Config());
}

TEST(Config, LoadingReportsTheFirstMistakeAndHowManyMore) {
  const std::string path = ::testing::TempDir() + "config_test.toml";
  ASSERT_TRUE(WriteFileAtomic(path, "[speech]\nmode = 1\nsilence = 2\n"));
  const auto config = LoadConfig(path);
  EXPECT_EQ(config.error().code, Errc::kInvalid);
  EXPECT_EQ(config.error().what,
            path +
                ":2: speech.mode: must be text in quotes; and 1 more, run: headroom config "
                "check " +
                path);
}

TEST(Config, ReadsWhatItWrites) {
  Config c =
      Read("[commands.de]\n\"a \\\" b\" = \"\\n\\t\\u0001\\\\\"\n[replacements]\nx = \"ü\"\n");
  c.speech.vad_enter = 0.623456789;
  c.speech.silence = Milliseconds(1234);
  c.memory.thresholds.ram.warning = Bytes(1'234'567'891);
  c.audio.files = {"/a \"b\"\\c"};
  EXPECT_EQ(Read(WriteConfig(c)), c);
  EXPECT_EQ(Read(WriteConfig(Config())), Config());
}

TEST(Config, TheExampleHasTheDefaultsCommentedOutOrNot) {
  const std::string example = ExampleConfig();
  EXPECT_EQ(Read(example), Config());
  std::string active;  // every key without its '#'
  for (const std::string& line : Split(example, '\n'))
    active += (line.starts_with('#') && !line.starts_with("# ") ? line.substr(1) : line) + '\n';
  const Config c = Read(active);
  EXPECT_EQ(c.replacements.at("head room"), "Headroom");
  EXPECT_EQ(c.commands.at("en").at("smiley"), ":-)");
  Config without = c;
  without.replacements.clear();
  without.commands.clear();
  EXPECT_EQ(without, Config());
  for (const ConfigKey& key : ConfigKeys()) {
    if (!key.read) continue;
    EXPECT_THAT(example, HasSubstr(fmt::format("\n#{} = ", key.name)));
  }
}

TEST(Config, TheDocumentationListsEveryKey) {
  const std::string path = HEADROOM_DOCS_DIR "/config.md";
  std::string page = ReadFile(path).value();
  const std::string begin = "<!-- made by: headroom config docs -->\n";
  const std::size_t at = page.find(begin);
  ASSERT_NE(at, std::string::npos);
  const std::string wanted = page.substr(0, at + begin.size()) + '\n' + ConfigTables();
  if (!Environment("HEADROOM_UPDATE_DOCS").empty()) {
    std::ofstream(path) << wanted;
    page = wanted;
  }
  EXPECT_EQ(page, wanted) << "run this test with HEADROOM_UPDATE_DOCS=1";
}

TEST(Config, AppliesSettingsFromTheCommandLine) {
  Config c;
  const std::vector<std::string> good = {"speech.mode=hands_free",
                                         "speech.silence=1s",
                                         "output.targets=[\"stdout\", \"file\"]",
                                         "output.file=/x",
                                         "models.threads=3",
                                         "audio.device=12",
                                         "speech.vad_enter=0.7",
                                         "history.on=false",
                                         "speech.vocabulary=[\"a\"]",
                                         "output.after_utterance=\"\\n\""};
  const auto set = SetConfig(c, good);
  ASSERT_TRUE(set) << set.error().what;
  EXPECT_EQ(c.speech.mode, ListenMode::kHandsFree);
  EXPECT_THAT(c.output.targets,
              ElementsAre(output::TargetKind::kStdout, output::TargetKind::kFile));
  EXPECT_EQ(c.models.threads, 3);
  EXPECT_EQ(c.audio.device, "12");
  EXPECT_FALSE(c.history.on);
  EXPECT_THAT(c.speech.vocabulary, ElementsAre("a"));
  EXPECT_EQ(c.output.after_utterance, "\n");

  const auto fails = [&](const std::string& setting) {
    Config copy;
    const auto result = SetConfig(copy, std::vector{setting});
    EXPECT_EQ(copy, Config());
    return result ? "" : result.error().what;
  };
  EXPECT_EQ(fails("speech.mod=x"), "unknown key speech.mod; did you mean speech.mode?");
  EXPECT_EQ(fails("mode"), "\"mode\": write it as section.key=value");
  EXPECT_THAT(fails("speech.mode=x"), HasSubstr("speech.mode: \"x\" is not one of"));
  EXPECT_THAT(fails("output.targets=file"), HasSubstr("needs output.file"));
  EXPECT_THAT(fails("models.threads=1\nx=2"), HasSubstr("models.threads"));
}

TEST(Config, ListsChangedKeysByWhetherTheyNeedARestart) {
  Config a, b;
  EXPECT_THAT(Difference(a, b).live, IsEmpty());
  b.speech.silence = Milliseconds(900);
  b.replacements["x"] = "y";
  b.spool.size = MiB(128);
  EXPECT_THAT(Difference(a, b).live, ElementsAre("speech.silence", "replacements"));
  EXPECT_THAT(Difference(a, b).restart, ElementsAre("spool.size"));
}

TEST(Config, ASyntaxErrorIsOneLine) {
  const ConfigReading reading = ReadConfig("[speech]\npartials = tr\n");
  ASSERT_FALSE(reading.problems.empty());
  EXPECT_EQ(reading.problems[0].text.find('\n'), std::string::npos) << reading.problems[0].text;
}

// Files truncated or damaged anywhere are read safely, and an accepted one can be written and read.
TEST(Config, SurvivesDamagedFiles) {
  const std::string whole = WriteConfig(Config());
  std::mt19937 random(1);
  for (std::size_t i = 0; i < whole.size(); i += 7) {
    ReadConfig(whole.substr(0, i));
    std::string flipped = whole;
    flipped[i] = static_cast<char>(random());
    const ConfigReading reading = ReadConfig(flipped);
    if (!reading.problems.empty()) continue;
    EXPECT_EQ(Read(WriteConfig(reading.config)), reading.config);
  }
}

}  // namespace
}  // namespace headroom::app
