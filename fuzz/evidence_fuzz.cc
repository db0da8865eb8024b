// Any bytes as one foreign format, in one piece and in pieces: both give the same evidence,
// whatever it is can be analysed, and the report's numbers hold together. Built once for each
// format.
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

#include "observe/analyze/analyze.h"
#include "observe/analyze/reader.h"
#include "observe/report/report.h"

namespace {

using namespace headroom;
using namespace headroom::analyze;

// The sum of all that was understood.
struct Understood {
  std::uint64_t lines = 0, samples = 0, events = 0, bad = 0, timeless = 0;
  friend bool operator==(const Understood&, const Understood&) = default;
};

Understood Read(std::string_view bytes, std::size_t piece, Packs& packs, Evidence& evidence) {
  ReadOptions options;
  options.packs = &packs;
  options.zone = TimeZone::Fixed(Milliseconds(0));
  options.reference = Instant(std::chrono::hours(24 * 365 * 56));
  options.boot = *options.reference - std::chrono::hours(1);
  const std::uint32_t index = evidence.AddSource("fuzz", "fuzz");
  const auto parser = MakeParser(Format::HEADROOM_FORMAT, options, index, evidence);
  for (std::size_t at = 0; at < bytes.size(); at += piece) parser->Feed(bytes.substr(at, piece));
  parser->End();
  const Source& source = evidence.sources()[index];
  return {source.lines, source.samples, source.events, source.bad, source.timeless};
}

void Check(bool holds) {
  if (!holds) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Packs packs = *Packs::Load({HEADROOM_PACKS});
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Evidence whole, pieces;
  const Understood once = Read(bytes, size + 1, packs, whole);
  Check(once == Read(bytes, 1 + size % 23, packs, pieces));
  if (once.samples + once.events == 0 || size > 4096) return 0;
  whole.Finish();
  const Findings findings = Analyze(whole, {});
  double shares = 0;
  for (const Hypothesis& hypothesis : findings.hypotheses) shares += hypothesis.share;
  Check(shares <= 1.001 && findings.confidence >= 0 && findings.confidence <= 1);
  for (const Gauge& gauge : findings.gauges) {
    Milliseconds zoned{};
    for (const Milliseconds time : gauge.zone_time) zoned += time;
    Check(!gauge.zoned || zoned == gauge.known);
    Check(gauge.known >= Milliseconds(0) && gauge.unknown >= Milliseconds(0));
  }
  for (std::size_t i = 1; i < findings.phases.size(); ++i)
    Check(findings.phases[i - 1].to <= findings.phases[i].from);
  const report::Report report{whole, findings, TimeZone::Fixed(Milliseconds(0))};
  (void)report::ToJson(report).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  (void)report::ToMarkdown(report);
  (void)report::ToHtml(report);
  return 0;
}
