#include "asr/worker/serve.h"

int main() {
  const auto engine = headroom::worker::MakeFakeEngine();
  return headroom::worker::Serve(*engine, headroom::Fd(headroom::worker::kChannelFd));
}
