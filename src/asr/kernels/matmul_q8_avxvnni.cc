// Compiled for AVX2 with AVX-VNNI: nothing of it may run, or be inlined elsewhere, without them.
#include "asr/kernels/matmul_q8_avx_parts.h"
#include "asr/kernels/matmul_q8_parts.h"
#include "asr/kernels/matmul_q8_tiles.h"

namespace headroom::kernels {
namespace {

struct AvxVnni : Avx {
  using RowCode = std::int8_t;
  using ColumnCode = std::uint8_t;  // 128 larger: one factor of the instruction is unsigned
  static constexpr std::size_t kUnrolled = 8;

  static Int AddProducts(Int sum, Int is_unsigned, Int is_signed) {
    return _mm256_dpbusd_avx_epi32(sum, is_unsigned, is_signed);
  }
  static void TakeColumn(const std::int8_t* from, std::uint8_t* to) {
    const Int codes = _mm256_loadu_si256(reinterpret_cast<const Int*>(from));
    _mm256_store_si256(reinterpret_cast<Int*>(to), _mm256_xor_si256(codes, _mm256_set1_epi8(-128)));
  }
  static Int TakeRow(const std::int8_t* from) {
    return _mm256_loadu_si256(reinterpret_cast<const Int*>(from));
  }
  template <std::size_t kGroups>
  static void StoreStarts(const RowCode (&codes)[kGroups][kRows][4], std::int32_t* starts) {
    Int sums = _mm256_setzero_si256();
    for (const auto& group : codes) sums = AddProducts(sums, _mm256_set1_epi8(1), Load(group));
    _mm256_store_si256(reinterpret_cast<Int*>(starts),
                       _mm256_slli_epi32(_mm256_sub_epi32(_mm256_setzero_si256(), sums), 7));
  }
};

}  // namespace

void MultiplyQ8AvxVnni(const Q8Product& product, std::size_t part, std::size_t parts) {
  Q8Tiles<AvxVnni>::Multiply(product, part, parts);
}

}  // namespace headroom::kernels
