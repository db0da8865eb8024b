// Any slots as a spool: it opens or says why not, and whatever it has can be read and delivered,
// after which nothing is left. Each 16 bytes of input make a whole slot, so that the checksum does
// not keep the fuzzer out; the first byte also says where to do damage.
#include <cstdint>
#include <memory>
#include <vector>

#include "speech/spool/spool.h"
#include "speech/testing/fake_disk.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace headroom::speech;
  if (size < 2 || size > 16 * 60) return 0;
  FakeDisk disk{.keep_synced = false};
  const auto add = [&](const SlotBytes& slot) {
    disk.bytes.insert(disk.bytes.end(), slot.begin(), slot.end());
  };
  for (int copy = 0; copy < 2; ++copy) add(Encode(SpoolHeader{.epoch = data[1]}));
  const std::vector<std::byte> payload(kSlotPayload, std::byte{'a'});
  for (std::size_t at = 2; at + 16 <= size; at += 16) {
    const auto number = [&](std::size_t from, std::size_t bytes) {
      std::uint64_t value = 0;
      for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | data[at + from + i];
      return value;
    };
    add(Encode(Slot{.kind = static_cast<SlotKind>(number(0, 1) % 8),
                    .utterance = 1 + number(1, 1) % 8 + (number(2, 1) << 32),
                    .at = number(3, 1) % 2 != 0 ? number(4, 4) : number(7, 1),
                    .extra = number(8, 1) % 2 != 0 ? number(9, 4) << 24 : number(12, 1) % 8,
                    .written = static_cast<std::int64_t>(number(9, 7) << 8),
                    .payload = std::span(payload).first(number(13, 2) % (kSlotPayload + 1))}));
  }
  if (data[0] % 2 != 0) disk.bytes[data[0] * 97 % disk.bytes.size()] ^= std::byte{1};
  if (data[0] % 3 == 0) disk.bytes.resize(disk.bytes.size() - data[0]);

  const SpoolOptions options{.size = headroom::KiB(128)};
  {
    const auto spool = Spool::Over(std::make_unique<FakeFile>(disk), options);
    if (!spool) return 0;
    UtteranceId before = 0;
    for (const Pending& pending : (*spool)->pending()) {
      if (pending.id <= before || pending.state == SpoolState::kOpen) __builtin_trap();
      before = pending.id;
      const auto audio = (*spool)->Audio(pending.id);
      if (!audio || static_cast<std::int64_t>(audio->size()) != pending.samples) __builtin_trap();
      const auto done = (*spool)->SetDelivered(pending.id);
      if (!done && done.error().code != headroom::Errc::kNoSpace) __builtin_trap();
      if (!done) return 0;
    }
  }
  const auto again = Spool::Over(std::make_unique<FakeFile>(disk), options);
  if (!again || !(*again)->pending().empty()) __builtin_trap();
  if (!IsBlank(std::span(disk.bytes).subspan(kHeaderSlots * kSlotBytes))) __builtin_trap();
  return 0;
}
