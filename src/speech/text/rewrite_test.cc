#include "speech/text/rewrite.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>

#include "base/file.h"
#include "base/testing/temp_folder.h"
#include "speech/text/words.h"

namespace headroom::speech {
namespace {

struct Case {
  const char* said;
  const char* written;
};

// The tables as they are shipped.
RewriteTable Shipped(const std::string& language) {
  const std::string file = language + ".toml";
  RewriteTable table{.language = language};
  const auto text = ReadFile(std::string(HEADROOM_DICTATION_DIR "/") + file);
  EXPECT_TRUE(text) << text.error().what;
  const auto read = ReadRewriteTable(*text, file, table);
  EXPECT_TRUE(read) << read.error().what;
  return table;
}

void Expect(const Rewriter& rewriter, std::initializer_list<Case> cases) {
  for (const Case& c : cases) EXPECT_EQ(rewriter.Rewrite(c.said).text, c.written) << c.said;
}

TEST(Rewrite, EnglishPunctuation) {
  Expect(Rewriter(Shipped("en"), {}),
         {
             {"hello comma how are you question mark", "hello, how are you?"},
             {"Hello, comma, how are you? Question mark.", "Hello, how are you?"},
             {"I went home period then I slept period", "I went home period then I slept."},
             {"I went home period. Then I slept. Period.", "I went home. Then I slept."},
             {"I went home period Then I slept full stop", "I went home. Then I slept."},
             {"that is all full stop thank you", "that is all. Thank you"},
             {"two things colon eggs semicolon milk exclamation mark", "two things: eggs; milk!"},
             {"she said open quote no close quote and left", "she said “no” and left"},
             {"She said, open quote, no, unquote, and left.", "She said, “no” and left."},
             {"see open paren below close paren full stop", "see (below)."},
             {"a well hyphen known and forward slash or case", "a well-known and/or case"},
             {"wait dot dot dot what", "wait… What"},
             {"mail me at info at sign example", "mail me at info@example"},
             {"research ampersand development", "research & development"},
             {"give me B comma C", "give me B, C"},
             {"", ""},
             {"comma", ","},
         });
}

TEST(Rewrite, EnglishLinesAndCapitals) {
  Expect(Rewriter(Shipped("en"), {}),
         {
             {"dear Ann comma new line thank you new paragraph bye", "dear Ann,\nThank you\n\nBye"},
             {"Dear Ann, new line, thank you.", "Dear Ann\nThank you."},
             {"First point. New line. Second point. New paragraph.",
              "First point.\nSecond point.\n\n"},
             {"the capital smith and mister cap jones", "the capital smith and mister Jones"},
             {"mister capital smith", "mister Smith"},
             {"this is all caps urgent please", "this is all caps urgent please"},
             {"mark it all caps urgent please", "mark it URGENT please"},
             {"caps on read me caps off please", "READ ME please"},
             {"foo no space bar", "foobar"},
             {"write literal comma here", "write comma here"},
             {"a literal translation", "a literal translation"},
             {"literal", "literal"},
         });
}

TEST(Rewrite, WhatIsMeantAsWordsStays) {
  Expect(Rewriter(Shipped("en"), {}),
         {
             {"the period of time", "the period of time"},
             {"Over that period, of course, it rained.", "Over that period, of course, it rained."},
             {"comma separated values", "comma separated values"},
             {"You need a comma here.", "You need a comma here."},
             {"We are still in the trial period.", "We are still in the trial period."},
             {"colon cancer screening", "colon cancer screening"},
             {"a new line of products", "a new line of products"},
             {"the capital of France", "the capital of France"},
             {"human capital matters", "human capital matters"},
             {"London is a capital city", "London is a capital city"},
             {"he made a dash for the door", "he made a dash for the door"},
             {"She wore a dash of red", "She wore a dash of red"},
             {"I must underscore the point", "I must underscore the point"},
             {"there was no space left", "there was no space left"},
             {"I need to scratch that itch", "I need to scratch that itch"},
             {"You can scratch that off the list", "You can scratch that off the list"},
             {"it came to a full stop", "it came to a full stop"},
             {"one of them", "one of them"},
             {"another question mark over the plan", "another question mark over the plan"},
             {"The commander, periodically, dashed.", "The commander, periodically, dashed."},
         });
}

TEST(Rewrite, ScratchThat) {
  const Rewriter rewriter(Shipped("en"), {});
  struct Scratch {
    const char* said;
    const char* written;
    bool previous;
  };
  const Scratch cases[] = {
      {"Meet at five. Scratch that. Meet at six.", "Meet at six.", false},
      {"Scratch that.", "", true},
      {"scratch that", "", true},
      {"Scratch that. Six.", "Six.", true},
      {"hello there scratch that", "", false},
      {"Hello. Strike that. Scratch that.", "", true},
      {"please scratch that for me", "please scratch that for me", false},
  };
  for (const Scratch& c : cases) {
    const Rewritten rewritten = rewriter.Rewrite(c.said);
    EXPECT_EQ(rewritten.text, c.written) << c.said;
    EXPECT_EQ(rewritten.scratch_previous, c.previous) << c.said;
  }
}

TEST(Rewrite, EnglishNumbers) {
  Expect(Rewriter(Shipped("en"), {}),
         {
             {"I have twenty five apples", "I have 25 apples"},
             {"twenty-five apples.", "25 apples."},
             {"one hundred and five", "105"},
             {"two thousand three hundred forty two", "2342"},
             {"fifteen hundred people", "1500 people"},
             {"a hundred people", "a hundred people"},
             {"two million", "two million"},
             {"twenty million people", "20 million people"},
             {"two million five hundred thousand", "2500000"},
             {"in nineteen eighty four and twenty twenty six", "in 1984 and 2026"},
             {"three point one four", "3.14"},
             {"zero point five percent", "0.5%"},
             {"five percent", "5%"},
             {"call five five five one two", "call 55512"},
             {"one two", "one two"},
             {"ten, eleven and twelve", "10, 11 and 12"},
             {"the twenty first of May", "the twenty first of May"},
             {"five or six", "five or six"},
             {"one hundred comma two hundred", "100, 200"},
             {"no one at all", "no one at all"},
             {"twenty. five", "20. five"},
             {"zero", "zero"},
         });
  Expect(Rewriter(Shipped("en"), {.digits = false}), {{"twenty five comma ok", "twenty five, ok"}});
}

TEST(Rewrite, German) {
  Expect(
      Rewriter(Shipped("de"), {}),
      {
          {"Hallo Komma wie geht es Fragezeichen", "Hallo, wie geht es?"},
          {"Hallo, Komma, wie geht es? Fragezeichen.", "Hallo, wie geht es?"},
          {"Das ist gut Punkt wir gehen Ausrufezeichen", "Das ist gut. Wir gehen!"},
          {"Der Punkt ist wichtig", "Der Punkt ist wichtig"},
          {"Das ist ein wichtiger Punkt", "Das ist ein wichtiger Punkt"},
          {"Wir treffen uns Punkt acht", "Wir treffen uns Punkt acht"},
          {"Hier fehlt ein Komma", "Hier fehlt ein Komma"},
          {"Liebe Grüße neue Zeile Ärzte neuer Absatz über uns", "Liebe Grüße\nÄrzte\n\nÜber uns"},
          {"eine neue Zeile beginnen", "eine neue Zeile beginnen"},
          {"er sagte Doppelpunkt Anführungszeichen auf nein Anführungszeichen zu",
           "er sagte: „nein“"},
          {"das ist großgeschrieben wichtig", "das ist großgeschrieben wichtig"},
          {"einundzwanzig Leute und dreihundertfünfundvierzig Euro", "21 Leute und 345 Euro"},
          {"zweitausendvierundzwanzig", "2024"},
          {"neunzehnhundertvierundachtzig", "1984"},
          {"drei Komma fünf Prozent", "3,5 %"},
          {"drei Komma dann mehr", "drei, dann mehr"},
          {"zehn Komma zwölf", "10,12"},
          {"eine Million", "eine Million"},
          {"ein Haus und zwei Bäume", "ein Haus und zwei Bäume"},
          {"Achtung, hundert Leute", "Achtung, hundert Leute"},
          {"Das war falsch. Streich das. Besser so.", "Besser so."},
          {"Streich das Wort.", "Streich das Wort."},
          {"Müller Bindestrich Lüdenscheid", "Müller-Lüdenscheid"},
      });
}

TEST(Rewrite, SwitchedOffAndUnknownLanguagesChangeNothing) {
  const Rewriter off(Shipped("en"), {.commands = false, .digits = false});
  const Rewriter unknown(RewriteTable{.language = "xx"}, {});
  for (const char* text : {"hello comma twenty five new line", "Thank you — really?! (yes)",
                           "“Quoted,” he said - twice.", "你好，世界。", "¿Qué tal? ¡Bien!"}) {
    EXPECT_EQ(off.Rewrite(text).text, text);
    EXPECT_EQ(unknown.Rewrite(text).text, text);
  }
}

TEST(Rewrite, OwnCommandsReplacementsAndVocabulary) {
  RewriteOptions options;
  options.own_commands = {{"smiley face", ":-)"}, {"comma", ""}, {"bullet", "\n• "}, {"...", "x"}};
  options.replacements = {
      {"btw", "by the way"}, {"my address", "1 Main St, Springfield"}, {"", "x"}};
  options.vocabulary = {"Kubernetes", "PostgreSQL", "Claude", "Ann Lee", "Go"};
  Expect(Rewriter(Shipped("en"), options),
         {
             {"that's great smiley face", "that's great :-)"},
             {"one comma two", "one comma two"},
             {"list bullet one bullet two", "list\n• One\n• Two"},
             {"BTW, it works.", "by the way, it works."},
             {"send it to my address.", "send it to 1 Main St, Springfield."},
             {"we run cooper netties, of course", "we run Kubernetes, of course"},
             {"kubernetes's pods", "Kubernetes's pods"},
             {"I like postgre SQL and post gre sequel", "I like PostgreSQL and post gre sequel"},
             {"the cloud is grey", "the cloud is grey"},
             {"ask an lee", "ask Ann Lee"},
             {"let's go", "let's Go"},
             {"so we good to see", "so we good to see"},
         });
}

TEST(Rewrite, TheUsersFileAddsToTheShippedOne) {
  const TempFolder folder;
  const std::string before = [] {
    const char* set = std::getenv("XDG_CONFIG_HOME");
    return std::string(set ? set : "");
  }();
  ::setenv("XDG_CONFIG_HOME", folder.path().c_str(), 1);
  const auto write = [&](std::string_view text) {
    ASSERT_TRUE(MakeDirectories(folder / "headroom/dictation"));
    ASSERT_TRUE(WriteFileAtomic(folder / "headroom/dictation/en.toml", text));
  };
  write("[[command]]\nsay = [\"smile\"]\nwrite = \"☺\"\n[[command]]\nsay = [\"comma\"]\n");
  const auto table = LoadRewriteTable("en");
  ASSERT_TRUE(table) << table.error().what;
  const Rewriter rewriter(*table, {});
  EXPECT_EQ(rewriter.Rewrite("a comma smile full stop").text, "a comma ☺.");
  write("[[command]]\nsay = [\"x\"]\nwirte = \"☺\"\n");
  const auto wrong = LoadRewriteTable("en");
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().what.find("en.toml:3: unknown key \"wirte\""), std::string::npos)
      << wrong.error().what;
  EXPECT_TRUE(LoadRewriteTable("xx")->commands.empty());
  EXPECT_TRUE(LoadRewriteTable("../en")->commands.empty());
  EXPECT_TRUE(LoadRewriteTable("")->commands.empty());
  if (before.empty())
    ::unsetenv("XDG_CONFIG_HOME");
  else
    ::setenv("XDG_CONFIG_HOME", before.c_str(), 1);
}

TEST(Rewrite, MistakesInATableNameTheLine) {
  const Case cases[] = {
      {"x = 1", "t:1: unknown key \"x\""},
      {"articles = 3", "t:1: articles must be a list"},
      {"[[command]]\nwrite = \"x\"", "t:1: a command must have something to say"},
      {"[[command]]\nsay = [\"!\"]\nwrite = \"x\"", "cannot be spoken"},
      {"[[command]]\nsay = [\"x\"]\njoins = \"up\"", "t:3: joins must be"},
      {"[[command]]\nsay = [\"x\"]\naction = \"jump\"", "t:3: there is no action"},
      {"[numbers.ones]\nx = 20", "between 0 and 19"},
      {"[numbers]\ncommand = 1", "unknown key"},
      {"command = 1", "[[command]]"},
      {"a = [", "t:1"},
  };
  for (const Case& c : cases) {
    RewriteTable table;
    const auto read = ReadRewriteTable(c.said, "t", table);
    ASSERT_FALSE(read) << c.said;
    EXPECT_NE(read.error().what.find(c.written), std::string::npos) << read.error().what;
  }
}

// Words that are no command come out as they went in, whatever stands around them.
TEST(Rewrite, NothingIsLostOrInvented) {
  constexpr const char* kWords[] = {"comma",   "new",      "line",  "word",    "Other.",  "twenty",
                                    "point",   "five,",    "quote", "open",    "capital", "literal",
                                    "scratch", "\"that\"", "wörd",  "hundred", "percent", "no"};
  const Rewriter rewriter(Shipped("en"), {.vocabulary = {"Wort", "Twenty Five"}});
  for (unsigned seed = 0; seed < 2000; ++seed) {
    std::mt19937 random(seed);
    std::string said;
    for (unsigned i = 0; i < random() % 12; ++i)
      said += std::string(kWords[random() % std::size(kWords)]) + " ";
    const Rewritten once = rewriter.Rewrite(said);
    if (said.find("scratch") == std::string::npos) {
      std::size_t in = 0, out = 0;
      for (const Token& token : Tokenise(said)) in += token.folded == "word" ? 1 : 0;
      for (const Token& token : Tokenise(once.text)) out += token.folded == "word" ? 1 : 0;
      ASSERT_EQ(in, out) << said << " -> " << once.text;
    }
    ASSERT_EQ(once.text.find("  "), std::string::npos) << said << " -> " << once.text;
  }
}

}  // namespace
}  // namespace headroom::speech
