#include "asr/worker/placement.h"
#include "asr/worker/transcribe_main.h"

int main(int argc, char** argv) {
  return headroom::worker::TranscribeMain(argc, argv,
                                          headroom::worker::MakeDevicePlacement("cuda", "CUDA"));
}
