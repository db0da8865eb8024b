#include "net/http/multipart.h"

#include <gmock/gmock.h>

#include <vector>

namespace headroom::net {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using namespace std::string_literals;
using namespace std::string_view_literals;

struct Form {
  std::vector<std::pair<std::string, std::string>> parts;  // "name" or "name*" for files, bytes
  std::size_t ended = 0;
  FormSink Sink() {
    return {[this](const FormPart& part) -> Result<> {
              parts.emplace_back(part.name + (part.is_file ? "*" : ""), "");
              return {};
            },
            [this](std::string_view bytes) -> Result<> {
              parts.back().second += bytes;
              return {};
            },
            [this]() -> Result<> {
              ++ended;
              return {};
            }};
  }
};

Result<> Read(Form& form, std::string_view body, std::size_t piece = 1 << 20) {
  MultipartReader reader("xyz", form.Sink());
  for (std::size_t at = 0; at < body.size(); at += piece) TRY(reader.Feed(body.substr(at, piece)));
  return reader.Finish();
}

constexpr std::string_view kWhole =
    "preamble\r\n--xyz\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n"
    "--xyz  \r\ncontent-disposition: FORM-DATA; filename=\"a;b\\\".wav\"; name=file\r\n"
    "Content-Type: audio/wav\r\n\r\nRIFF\r\n--xy\r\n-\0\r\r\n\r\n"
    "--xyz\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\n\r\n--xyz--\r\nepilogue"sv;

TEST(Multipart, APartIsWhatStandsBetweenBoundariesHoweverItIsCut) {
  for (std::size_t piece = 1; piece <= kWhole.size(); ++piece) {
    Form form;
    const auto read = Read(form, kWhole, piece);
    ASSERT_TRUE(read) << read.error().what << " in pieces of " << piece;
    ASSERT_THAT(form.parts,
                ElementsAre(Pair("model", "whisper-1"), Pair("file*", "RIFF\r\n--xy\r\n-\0\r\r\n"s),
                            Pair("prompt", "")))
        << piece;
    ASSERT_EQ(form.ended, 3u);
  }
}

TEST(Multipart, OneThatEndsEarlyIsRefusedAtEveryLength) {
  const std::size_t last = kWhole.find("--xyz--") + 7;
  for (std::size_t length = 0; length < last; ++length) {
    Form form;
    EXPECT_FALSE(Read(form, kWhole.substr(0, length))) << length;
  }
  Form form;
  EXPECT_TRUE(Read(form, kWhole.substr(0, last)));
}

TEST(Multipart, WhatIsNoFormSaysWhy) {
  const auto why = [](const std::string& body) {
    Form form;
    const auto read = Read(form, body);
    return read ? "" : read.error().what;
  };
  EXPECT_THAT(why(std::string(20'000, 'x')), HasSubstr("does not begin"));
  EXPECT_THAT(why("--xyzz\r\n\r\n\r\n--xyz--"), HasSubstr("alone"));
  EXPECT_THAT(why("--xyz\r\n\r\nbody\r\n--xyz--"), HasSubstr("no Content-Disposition"));
  EXPECT_THAT(why("--xyz\r\nnonsense\r\n\r\nbody\r\n--xyz--"), HasSubstr("colon"));
  EXPECT_THAT(why("--xyz\r\nContent-Disposition: attachment; name=a\r\n\r\n\r\n--xyz--"),
              HasSubstr("not form-data"));
  EXPECT_THAT(why("--xyz\r\nContent-Disposition: form-data; filename=a\r\n\r\n\r\n--xyz--"),
              HasSubstr("no name"));
  EXPECT_THAT(why("--xyz\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\n\r\n--xyz--"),
              HasSubstr("no name"));
  EXPECT_THAT(why("--xyz\r\nContent-Disposition: form-data; name=\"a\r\n\r\n\r\n--xyz--"),
              HasSubstr("no name"));
  EXPECT_THAT(why("--xyz\r\nX: " + std::string(9000, 'x')), HasSubstr("8192"));
  std::string many;
  for (int i = 0; i < 70; ++i)
    many += "--xyz\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n";
  EXPECT_THAT(why(many), HasSubstr("64 parts"));
}

TEST(Multipart, HoldsNoMoreThanABoundary) {
  std::size_t most = 0, whole = 0;
  FormSink sink{[](const FormPart&) -> Result<> { return {}; },
                [&](std::string_view bytes) -> Result<> {
                  most = std::max(most, bytes.size());
                  whole += bytes.size();
                  return {};
                },
                []() -> Result<> { return {}; }};
  MultipartReader reader("xyz", sink);
  ASSERT_TRUE(reader.Feed("--xyz\r\nContent-Disposition: form-data; name=file\r\n\r\n"));
  const std::string piece(1000, '\r');
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(reader.Feed(piece));
  EXPECT_LE(most, 1010u);
  EXPECT_GE(whole, 999'990u);
}

TEST(Multipart, ASinksErrorIsTheAnswer) {
  Form form;
  FormSink sink = form.Sink();
  sink.on_bytes = [](std::string_view) -> Result<> { return Fail(Errc::kNoSpace, "full"); };
  MultipartReader reader("xyz", sink);
  const auto fed = reader.Feed(kWhole);
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().what, "full");
}

TEST(Multipart, TheBoundaryIsFoundInTheContentType) {
  const auto of = [](std::string_view type) {
    return MultipartReader::BoundaryOf(type).value_or("none");
  };
  EXPECT_EQ(of("multipart/form-data; boundary=xyz"), "xyz");
  EXPECT_EQ(of("Multipart/Form-Data;charset=utf-8;BOUNDARY=\"x y;z\""), "x y;z");
  EXPECT_EQ(of("multipart/form-data"), "none");
  EXPECT_EQ(of("multipart/form-data; boundary="), "none");
  EXPECT_EQ(of("multipart/form-data; boundary=\"xyz"), "none");
  EXPECT_EQ(of("multipart/form-data; boundary=a; boundary=b"), "none");
  EXPECT_EQ(of("multipart/form-data; boundary=" + std::string(71, 'x')), "none");
  EXPECT_EQ(of("application/json"), "none");
  EXPECT_EQ(of(""), "none");
}

}  // namespace
}  // namespace headroom::net
