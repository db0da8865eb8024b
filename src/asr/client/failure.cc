#include "asr/client/failure.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace headroom::asr {
namespace {

using memory::Failure;

struct Words {
  std::string_view text;
  Failure failure;
};

// CUDA's cudaGetErrorString, Vulkan's result names as ggml prints them, HIP's hipGetErrorString;
// lower case. The first that is found counts.
constexpr std::array kWords = {
    Words{"out of memory", Failure::kOutOfMemory},
    Words{"outofdevicememory", Failure::kOutOfMemory},
    Words{"outofhostmemory", Failure::kOutOfMemory},
    Words{"out_of_device_memory", Failure::kOutOfMemory},
    Words{"failed to allocate", Failure::kOutOfMemory},
    Words{"memory allocation of size", Failure::kOutOfMemory},  // ggml's Vulkan
    Words{"outofpoolmemory", Failure::kOutOfMemory},
    Words{"status_alloc_failed", Failure::kOutOfMemory},  // cuBLAS
    Words{"resource allocation failed", Failure::kOutOfMemory},
    Words{"devicelost", Failure::kLost},
    Words{"device_lost", Failure::kLost},
    Words{"device lost", Failure::kLost},
    Words{"fallen off the bus", Failure::kLost},
    Words{"no cuda-capable device", Failure::kLost},
    Words{"busy or unavailable", Failure::kLost},  // 46: after a suspend, or another has it alone
    Words{"errorinitializationfailed", Failure::kLost},
    Words{"no rocm-capable device", Failure::kLost},
    Words{"gpu is lost", Failure::kLost},
    Words{"uncorrectable ecc", Failure::kLost},
    Words{"illegal memory access", Failure::kSticky},
    Words{"unspecified launch failure", Failure::kSticky},
    Words{"unknown error", Failure::kSticky},
    Words{"illegal instruction was encountered", Failure::kSticky},
    Words{"misaligned address", Failure::kSticky},
    Words{"hardware stack error", Failure::kSticky},
    Words{"device-side assert", Failure::kSticky},
    Words{"context is destroyed", Failure::kSticky},
    Words{"errorunknown", Failure::kSticky},
    Words{"launch timed out", Failure::kHang},
    Words{"no kernel image", Failure::kCrash},  // built for other cards: no error of this one
    Words{"cuda error", Failure::kSticky},
    Words{"rocm error", Failure::kSticky},
};

}  // namespace

std::optional<Failure> FailureOf(const Error& error, bool alive) {
  if (error.code == Errc::kNoMemory) return Failure::kOutOfMemory;
  if (error.code == Errc::kTimeout) return Failure::kHang;
  if (alive && (error.code == Errc::kInvalid || error.code == Errc::kUnsupported))
    return std::nullopt;
  std::string text = error.what;
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const Words& words : kWords) {
    if (text.find(words.text) != std::string::npos) return words.failure;
  }
  return Failure::kCrash;
}

}  // namespace headroom::asr
