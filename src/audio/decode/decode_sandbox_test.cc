// The decoder can do nothing but decode.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include "audio/testing/media_fixture.h"
#include "base/dirs.h"

namespace headroom::audio {
namespace {

TEST(DecodeSandbox, DeniesTheSystemCallsOfAnAttacker) {
  const auto program = FindProgram("headroom-decode");
  ASSERT_TRUE(program) << program.error().what;
  auto out = MakePipe();
  auto child = Child::Spawn({.argv = {program->string(), "--self-test"},
                             .fds = {{1, out->write.get()}},
                             .environment = {}});
  out->write.Reset();
  ASSERT_TRUE(child);
  std::string text(4096, '\0');
  text.resize(ReadFull(out->read.get(), std::as_writable_bytes(std::span(text))).value());
  EXPECT_TRUE(child->Wait()->ok());
  EXPECT_EQ(text.find("ALLOWED"), std::string::npos) << text;
  for (const char* call : {"open /etc/passwd", "execve", "fork", "socket AF_INET", "socket AF_UNIX",
                           "connect", "map code", "ptrace", "create a file", "memfd"})
    EXPECT_NE(text.find(std::string("refused ") + call + "\n"), std::string::npos) << call;
}

TEST(DecodeSandbox, TheDecoderFailsWhenRunByHand) {
  auto child = Child::Spawn(
      {.argv = {FindProgram("headroom-decode")->string(), "x.wav"}, .fds = {}, .environment = {}});
  EXPECT_EQ(child->Wait()->code, 2);
}

TEST(Playlist, ThatNamesAFileIsNotFollowed) {
  const TempFolder folder;
  const std::string secret = folder / "secret.wav";
  WriteBytes(secret, Wav({}, Sine(1000, 0.5, 16000, 1)));
  const std::string list = folder / "list.mp3";
  for (const std::string& text : std::initializer_list<std::string>{
           "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n" + secret + "\n#EXT-X-ENDLIST\n",
           "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
           "ffconcat version 1.0\nfile '" + secret + "'\n",
           "ffconcat version 1.0\nfile /etc/passwd\n"}) {
    WriteBytes(list, text);
    const auto sound = Decode(list);
    ASSERT_FALSE(sound) << text;
    EXPECT_EQ(sound.error().code, Errc::kUnsupported);
    EXPECT_EQ(sound.error().what, list + ": a playlist, which only names where the sound is");
  }
}

TEST(Playlist, ThatNamesAServerOpensNoConnection) {
  const Fd server(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(::bind(server.get(), generic, size), 0);
  ASSERT_EQ(::listen(server.get(), 1), 0);
  ASSERT_EQ(::getsockname(server.get(), generic, &size), 0);
  const std::string url = "http://127.0.0.1:" + std::to_string(::ntohs(address.sin_port)) + "/a.ts";

  const TempFolder folder;
  const std::string list = folder / "list.m3u8";
  WriteBytes(list, "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n" + url + "\n#EXT-X-ENDLIST\n");
  EXPECT_FALSE(Decode(list));
  WriteBytes(list,
             "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
             "m=audio 5004 RTP/AVP 0\r\n");
  EXPECT_FALSE(Decode(list));
  pollfd called{server.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&called, 1, 0), 0) << "the decoder connected to the server";
}

}  // namespace
}  // namespace headroom::audio
