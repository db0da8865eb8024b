#include "base/sha256.h"

#include <fcntl.h>
#include <openssl/evp.h>

#include <vector>

#include "base/check.h"
#include "base/fd.h"

namespace headroom {

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  State() { CHECK(context && EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1); }
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;

void Sha256::Add(std::span<const std::byte> bytes) {
  CHECK(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1);
}

std::string Sha256::Finish() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  CHECK(EVP_DigestFinal_ex(state_->context, digest, &size) == 1);
  std::string hex;
  for (unsigned i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

Result<std::string> Sha256OfFile(const std::filesystem::path& path) {
  TRY_ASSIGN(const Fd fd, Open(path, O_RDONLY));
  std::vector<std::byte> block(1 << 20);
  Sha256 sum;
  while (true) {
    auto n = ReadSome(fd.get(), block);
    if (!n) return Within(n, "{}", path.string());
    if (*n == 0) return sum.Finish();
    sum.Add(std::span(block).first(*n));
  }
}

}  // namespace headroom
