// The spool against power cuts, damage and kills: whatever happens, what was acknowledged is there.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/testing/temp_folder.h"
#include "speech/spool/spool.h"
#include "speech/testing/fake_disk.h"

namespace headroom::speech {
namespace {

float SampleOf(UtteranceId id, std::int64_t at) {  // never 0
  return static_cast<float>((at * 11 + static_cast<std::int64_t>(id % 97) * 13) % 30'000 + 1) /
         32'768.0F;
}

std::vector<float> Sound(UtteranceId id, std::int64_t from, std::int64_t size) {
  std::vector<float> sound;
  for (std::int64_t at = from; at < from + size; ++at) sound.push_back(SampleOf(id, at));
  return sound;
}

std::string TextOf(UtteranceId id) {
  std::string text = fmt::format("text of {} ", id);
  if (id % 5 == 0) text.append(5000, 'x');  // two slots
  return text;
}

// What a caller knows of an utterance, and which changes it may have begun besides.
struct Known {
  SpoolState state = SpoolState::kOpen, tried = SpoolState::kOpen;
  std::int64_t samples = 0, tried_samples = 0, least = 0;
  std::int64_t sure = 0;   // beyond it a piece that was being appended may be silent
  bool discarded = false;  // tried
};

// Does things until one fails.
void Work(Spool& spool, std::map<UtteranceId, Known>& known, std::mt19937& random) {
  const auto one_in = [&](unsigned n) { return random() % n == 0; };
  for (int step = 0; step < 150; ++step) {
    if (known.empty() || one_in(6)) {
      const auto id = spool.Begin({.session = 3, .began = {}, .language = "en"});
      if (!id) return;
      known[*id] = {};
      continue;
    }
    auto which = known.begin();
    std::advance(which, static_cast<std::ptrdiff_t>(random() % known.size()));
    auto& [id, it] = *which;
    Result<> done;
    const auto try_state = [&](SpoolState state, const auto& action) {
      it.tried = std::max(it.tried, state);
      done = action();
      if (done) it.state = state;
    };
    if (one_in(25)) {
      it.discarded = true;
      try_state(SpoolState::kDelivered, [&] { return spool.Discard(id); });
    } else if (it.state == SpoolState::kOpen && !one_in(3)) {
      const auto size = static_cast<std::int64_t>(random() % 5000);
      it.tried_samples = it.samples + size;
      done = spool.Append(id, Sound(id, it.samples, size));
      if (done) it.sure = it.least = it.samples += size;
    } else if (it.state == SpoolState::kOpen) {
      const std::int64_t end = it.samples - static_cast<std::int64_t>(random() % 100);
      if (end <= 0) continue;
      it.least = end;
      try_state(SpoolState::kSpooled, [&] { return spool.End(id, end); });
      if (done) it.samples = it.tried_samples = end;
    } else if (it.state == SpoolState::kSpooled) {
      try_state(SpoolState::kDecoded, [&] { return spool.SetDecoded(id, TextOf(id)); });
    } else if (it.state == SpoolState::kDecoded) {
      try_state(SpoolState::kOffered, [&] { return spool.SetOffered(id); });
    } else if (it.state == SpoolState::kOffered) {
      try_state(SpoolState::kDelivered, [&] { return spool.SetDelivered(id); });
    }
    if (it.state == SpoolState::kDelivered) {
      known.erase(which);
      continue;
    }
    if (!done && done.error().code == Errc::kNoSpace) {  // full; make room
      it.tried = SpoolState::kDelivered;
      if (!spool.Discard(id)) return;
      known.erase(which);
      continue;
    }
    ASSERT_TRUE(done || done.error().code == Errc::kIo) << done.error().what;
    if (!done) return;
  }
}

// Compares the reopened spool with what the caller knew, then takes over the spool's state.
void Compare(const Spool& spool, std::map<UtteranceId, Known>& known) {
  std::map<UtteranceId, Known> now;
  UtteranceId before = 0;
  for (const Pending& pending : spool.pending()) {
    ASSERT_GT(pending.id, before) << "not in order";
    before = pending.id;
    ASSERT_TRUE(known.contains(pending.id)) << "came back from the dead";
    const Known& it = known.at(pending.id);
    ASSERT_GE(pending.state, std::max(it.state, SpoolState::kSpooled));
    if (!it.discarded && it.tried != SpoolState::kDelivered) {
      ASSERT_LE(pending.state, std::max(it.tried, SpoolState::kSpooled));
    }
    if (it.state == SpoolState::kOpen) {
      ASSERT_GE(pending.samples, it.least);
      ASSERT_LE(pending.samples, it.tried_samples);
    } else {
      ASSERT_EQ(pending.samples, it.samples);
    }
    const auto audio = spool.Audio(pending.id);
    ASSERT_TRUE(audio) << audio.error().what;
    ASSERT_EQ(static_cast<std::int64_t>(audio->size()), pending.samples);
    for (std::int64_t at = 0; at < pending.samples; ++at) {
      const float sample = (*audio)[static_cast<std::size_t>(at)];
      if (at >= it.sure && sample == 0) continue;
      ASSERT_EQ(sample, SampleOf(pending.id, at));
    }
    if (pending.state == SpoolState::kDecoded || pending.state == SpoolState::kOffered) {
      ASSERT_EQ(pending.text, TextOf(pending.id));
    }
    now[pending.id] = {.state = pending.state,
                       .tried = pending.state,
                       .samples = pending.samples,
                       .tried_samples = pending.samples,
                       .least = pending.samples,
                       .sure = it.sure};
  }
  for (const auto& [id, it] : known) {
    if (now.contains(id) || it.tried == SpoolState::kDelivered) continue;
    ASSERT_EQ(it.samples, 0) << "utterance " << id << " is lost";
  }
  known = std::move(now);
}

class SpoolPower : public testing::TestWithParam<unsigned> {};

TEST_P(SpoolPower, CutAtAnyMomentLosesNothingThatWasAcknowledged) {
  std::mt19937 random(GetParam());
  for (int disks = 0; disks < 6; ++disks) {
    FakeDisk disk;
    std::map<UtteranceId, Known> known;
    for (int round = 0; round < 12; ++round) {
      disk.fail_at = static_cast<int>(1 + random() % (round == 0 ? 40 : 250));
      if (auto spool = Spool::Over(std::make_unique<FakeFile>(disk), {.size = KiB(256)}))
        Work(**spool, known, random);
      if (HasFatalFailure()) return;
      disk.CutPower(random);
      const auto spool = Spool::Over(std::make_unique<FakeFile>(disk), {.size = KiB(256)});
      ASSERT_TRUE(spool) << spool.error().what;
      Compare(**spool, known);
      if (HasFatalFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, SpoolPower, testing::Range(1U, 9U));

TEST(SpoolCrash, OneFailingOperationIsAnErrorAndNothingElse) {
  for (int fail = 1; fail < 120; ++fail) {
    FakeDisk disk;
    std::mt19937 random(static_cast<unsigned>(fail));
    std::map<UtteranceId, Known> known;
    auto spool = Spool::Over(std::make_unique<FakeFile>(disk), {.size = KiB(256)});
    ASSERT_TRUE(spool);
    disk.fail_once_at = disk.operations + fail;
    Work(**spool, known, random);
    spool->reset();
    disk.CutPower(random);
    spool = Spool::Over(std::make_unique<FakeFile>(disk), {.size = KiB(256)});
    ASSERT_TRUE(spool) << spool.error().what;
    Compare(**spool, known);
    if (HasFatalFailure()) return;
  }
}

// A spool with an utterance in each state, and which slots each of them has.
struct Sample {
  FakeDisk disk;
  std::vector<UtteranceId> ids;
  std::vector<UtteranceId> owner;  // by slot; 0: free
  std::size_t used = 0;            // slots up to the last that is used
};

Sample OneOfEach() {
  Sample sample;
  auto spool = Spool::Over(std::make_unique<FakeFile>(sample.disk), {.size = KiB(128)}).value();
  for (int i = 0; i < 4; ++i) {
    const UtteranceId id = sample.ids.emplace_back(spool->Begin({}).value());
    EXPECT_TRUE(spool->Append(id, Sound(id, 0, i == 3 ? 2500 : 500)));
    if (i < 3) {
      EXPECT_TRUE(spool->End(id, 400));
    }
    if (i == 1 || i == 2) {
      EXPECT_TRUE(spool->SetDecoded(id, TextOf(id)));
    }
    if (i == 2) {
      EXPECT_TRUE(spool->SetOffered(id));
    }
  }
  for (std::size_t at = 0; at < sample.disk.bytes.size(); at += kSlotBytes) {
    const auto slot = DecodeSlot(std::span(sample.disk.bytes).subspan(at).first<kSlotBytes>());
    sample.owner.push_back(slot ? slot->utterance : 0);
    if (slot) sample.used = sample.owner.size();
  }
  return sample;
}

// Every position is looked at; a whole spool is opened for those that could differ from their
// neighbours and some of the others.
bool OpensAt(std::size_t at, const Sample& sample) {
  const std::size_t in_slot = at % kSlotBytes;
  return in_slot < 64 || in_slot > kSlotBytes - 4 ||
         at % (at < sample.used * kSlotBytes ? 53 : 997) == 0;
}

bool Whole(const FakeDisk& disk, std::size_t slot) {
  return DecodeSlot(std::span(disk.bytes).subspan(slot * kSlotBytes).first<kSlotBytes>())
      .has_value();
}

// Of each utterance no slot of which is among [from, to) everything must be there.
void ExpectTheOthers(const Sample& sample, const Spool& spool, std::size_t from, std::size_t to) {
  std::map<UtteranceId, Pending> found;
  for (const Pending& pending : spool.pending()) found[pending.id] = pending;
  for (std::size_t i = 0; i < sample.ids.size(); ++i) {
    const UtteranceId id = sample.ids[i];
    const bool hit = std::find(sample.owner.begin() + static_cast<std::ptrdiff_t>(from),
                               sample.owner.begin() + static_cast<std::ptrdiff_t>(to),
                               id) != sample.owner.begin() + static_cast<std::ptrdiff_t>(to);
    if (hit) continue;
    ASSERT_TRUE(found.contains(id)) << i;
    constexpr SpoolState kStates[] = {SpoolState::kSpooled, SpoolState::kDecoded,
                                      SpoolState::kOffered, SpoolState::kSpooled};
    ASSERT_EQ(found[id].state, kStates[i]);
    const std::int64_t size = i == 3 ? 2500 : 400;
    ASSERT_EQ(spool.Audio(id).value(), Sound(id, 0, size));
    if (i == 1 || i == 2) {
      ASSERT_EQ(found[id].text, TextOf(id));
    }
  }
}

TEST(SpoolCrash, EveryTruncatedLengthOpens) {
  const Sample sample = OneOfEach();
  for (std::size_t length = 0; length <= sample.disk.bytes.size(); ++length) {
    if (!OpensAt(length, sample)) continue;
    FakeDisk disk{.keep_synced = false};
    disk.bytes.assign(sample.disk.bytes.begin(),
                      sample.disk.bytes.begin() + static_cast<std::ptrdiff_t>(length));
    const auto spool = Spool::Over(std::make_unique<FakeFile>(disk), {.size = KiB(128)});
    if (!spool) {
      ASSERT_LT(length, 36U) << "a header in part";
      ASSERT_EQ(spool.error().code, Errc::kCorrupt);
      continue;
    }
    ExpectTheOthers(sample, **spool, length / kSlotBytes, sample.owner.size());
    if (HasFatalFailure()) FAIL() << "at " << length;
  }
}

TEST(SpoolCrash, EveryFlippedByteCostsAtMostItsUtterance) {
  const Sample sample = OneOfEach();
  const UtteranceId offered = sample.ids[2];
  FakeDisk flipped = sample.disk;
  for (std::size_t at = 0; at < sample.disk.bytes.size(); ++at) {
    flipped.bytes[at] ^= static_cast<std::byte>(1U << (at % 8));
    ASSERT_FALSE(Whole(flipped, at / kSlotBytes)) << "not noticed at " << at;
    flipped.bytes[at] = sample.disk.bytes[at];
    if (!OpensAt(at, sample)) continue;
    FakeDisk disk{.keep_synced = false};
    disk.bytes = sample.disk.bytes;
    disk.bytes[at] ^= static_cast<std::byte>(1U << (at % 8));
    const auto spool = Spool::Over(std::make_unique<FakeFile>(disk), {.size = KiB(128)});
    ASSERT_TRUE(spool) << at << ": " << spool.error().what;
    const std::size_t slot = at / kSlotBytes;
    ExpectTheOthers(sample, **spool, slot, slot + 1);
    if (HasFatalFailure()) FAIL() << "at " << at;
    // What may have been typed is never typed again.
    for (const Pending& pending : (*spool)->pending()) {
      if (pending.id == offered) {
        ASSERT_EQ(pending.state, SpoolState::kOffered) << at;
      }
    }
    ASSERT_LE((*spool)->repair().damaged_slots, 1);
  }
}

TEST(SpoolCrash, DamagedSlotsAreWiped) {
  Sample sample = OneOfEach();
  const auto open = [&] {
    return Spool::Over(std::make_unique<FakeFile>(sample.disk), {.size = KiB(128)}).value();
  };
  open();  // ends what was open, so that the next has nothing to write
  std::size_t text = kHeaderSlots;
  const auto slot = [&] {
    return std::span(sample.disk.bytes).subspan(text * kSlotBytes).first<kSlotBytes>();
  };
  while (DecodeSlot(slot())->kind != SlotKind::kText) ++text;
  sample.disk.bytes[text * kSlotBytes + 41] ^= std::byte{1};
  const auto spool = open();
  EXPECT_EQ(spool->repair().damaged_slots, 1);
  EXPECT_TRUE(IsBlank(slot()));
  EXPECT_EQ(spool->pending()[1].state, SpoolState::kSpooled) << "to be decoded again";
}

// --- A real process, really killed. ---

struct Line {  // what the child says after each call that returned
  UtteranceId id;
  std::int64_t samples;
  SpoolState state;
};

[[noreturn]] void Speak(const std::string& path, int to, unsigned seed) {
  auto opened = Spool::Open(path, {.size = MiB(1)});
  if (!opened) ::_exit(2);
  Spool& spool = **opened;
  std::mt19937 random(seed);
  while (true) {
    const UtteranceId id = spool.Begin({}).value();
    Line line{id, 0, SpoolState::kOpen};
    const auto say = [&] {
      if (::write(to, &line, sizeof line) != sizeof line) ::_exit(3);
    };
    for (unsigned i = 0; i < 1 + random() % 6; ++i) {
      if (!spool.Append(id, Sound(id, line.samples, 4000))) ::_exit(0);  // full
      line.samples += 4000;
      say();
    }
    if (!spool.End(id, line.samples)) ::_exit(4);
    line.state = SpoolState::kSpooled, say();
    if (random() % 4 == 0) continue;
    if (!spool.SetDecoded(id, TextOf(id))) ::_exit(5);
    line.state = SpoolState::kDecoded, say();
    if (!spool.SetOffered(id)) ::_exit(6);
    line.state = SpoolState::kOffered, say();
    if (!spool.SetDelivered(id)) ::_exit(7);
    line.state = SpoolState::kDelivered, say();
  }
}

TEST(SpoolCrash, AKilledProgramLosesNothingThatWasConfirmed) {
  const TempFolder folder;
  const std::string path = folder / "spool";
  std::mt19937 random(5);
  int lines_seen = 0;
  for (unsigned round = 0; round < 25; ++round) {
    auto pipe = MakePipe().value();
    const pid_t child = ::fork();
    if (child == 0) Speak(path, pipe.write.get(), round);
    pipe.write.Reset();
    // Killed after a number of answers, so that it does not depend on the machine's speed.
    std::map<UtteranceId, Known> known;
    const auto answers = random() % 40;
    Line line{};
    for (unsigned i = 0; ::read(pipe.read.get(), &line, sizeof line) == sizeof line; ++i) {
      Known& it = known[line.id];
      it.state = it.tried = line.state;
      it.samples = line.samples;
      ++lines_seen;
      if (i == answers) ::kill(child, SIGKILL);
    }
    if (answers == 0) ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0) << WEXITSTATUS(status);

    auto spool = Spool::Open(path, {.size = MiB(1)});
    ASSERT_TRUE(spool) << spool.error().what;
    EXPECT_EQ((*spool)->repair().damaged_slots, 0);
    std::map<UtteranceId, Pending> found;
    for (const Pending& pending : (*spool)->pending()) found[pending.id] = pending;
    for (const auto& [id, it] : known) {
      if (it.state == SpoolState::kDelivered) {
        ASSERT_FALSE(found.contains(id));
        continue;
      }
      // The call after the last answer may have been done, too.
      if (!found.contains(id)) {
        ASSERT_EQ(it.state, SpoolState::kOffered);
        continue;
      }
      ASSERT_GE(found[id].state, std::max(it.state, SpoolState::kSpooled));
      ASSERT_GE(found[id].samples, it.samples);
      ASSERT_EQ((*spool)->Audio(id).value(), Sound(id, 0, found[id].samples));
    }
    for (const auto& [id, pending] : found) {
      // The killed program may have begun one more than the caller knows.
      ASSERT_TRUE(known.contains(id) || id == found.rbegin()->first);
      ASSERT_TRUE((*spool)->SetDelivered(id));
    }
  }
  EXPECT_GT(lines_seen, 200);
}

}  // namespace
}  // namespace headroom::speech
