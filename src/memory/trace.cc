#include "memory/trace.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <set>

#include "base/text.h"

namespace headroom::memory {
namespace {

// Since 1970 until 2096; in nanoseconds, with room to add to it, still a 64-bit number.
constexpr double kLastSecond = 4e9;

constexpr std::size_t kLongestLine = 4096;
constexpr std::size_t kNamed = 10;  // bad rows that are described
constexpr double kMebibyte = 1048576, kMegabyte = 1e6;

using Put = Result<> (*)(std::string_view cell, TraceRow& row);

Result<double> Number(std::string_view cell, double largest) {
  double value = 0;
  const auto [end, err] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (err != std::errc() || end != cell.data() + cell.size() || !std::isfinite(value))
    return Fail(Errc::kInvalid, "\"{}\" is not a number", Printable(cell.substr(0, 40)));
  if (value < 0 || value > largest)
    return Fail(Errc::kInvalid, "{:g} is negative or absurd", value);
  return value;
}

template <std::optional<Bytes> Sample::* Field, int Unit>
Result<> PutSize(std::string_view cell, TraceRow& row) {
  TRY_ASSIGN(const double value, Number(cell, 1e9));
  row.sample.*Field = Bytes(std::llround(value * (Unit == 2 ? kMebibyte : kMegabyte)));
  return {};
}

template <std::optional<double> Sample::* Field>
Result<> PutPercent(std::string_view cell, TraceRow& row) {
  TRY_ASSIGN(row.sample.*Field, Number(cell, 100));
  return {};
}

template <bool Sample::* Field>
Result<> PutFlag(std::string_view cell, TraceRow& row) {
  if (cell != "0" && cell != "1")
    return Fail(Errc::kInvalid, "\"{}\" is neither 0 nor 1", Printable(cell.substr(0, 40)));
  row.sample.*Field = cell == "1";
  return {};
}

Result<> PutTime(std::string_view cell, TraceRow& row) {
  TRY_ASSIGN(const double seconds, Number(cell, kLastSecond));
  row.at = Milliseconds(std::llround(seconds * 1000));
  return {};
}

Result<> PutDecodeLeft(std::string_view cell, TraceRow& row) {
  TRY_ASSIGN(const double value, Number(cell, 1e9));
  row.sample.decode_left = Milliseconds(std::llround(value));
  return {};
}

Result<> PutEvent(std::string_view cell, TraceRow& row) {
  if (cell == "suspend") {
    row.sample.suspending = true;
  } else if (cell == "resume") {
    row.sample.resumed = true;
  } else if (const auto failure = FailureFromName(cell)) {
    row.sample.failure = failure;
  } else {
    return Fail(Errc::kInvalid, "\"{}\" is no event", Printable(cell.substr(0, 40)));
  }
  return {};
}

struct Column {
  std::string_view name;
  Put put;
};
constexpr std::array<Column, 18> kColumns = {{
    {"time_s", PutTime},
    {"vram_used_mib", PutSize<&Sample::vram_used, 2>},
    {"vram_total_mib", PutSize<&Sample::vram_total, 2>},
    {"vram_others_mib", PutSize<&Sample::vram_others, 2>},
    {"vram_ours_mib", PutSize<&Sample::vram_ours, 2>},
    {"rss_mb", PutSize<&Sample::ram, 10>},
    {"swap_mb", PutSize<&Sample::swap, 10>},
    {"ram_available_mb", PutSize<&Sample::ram_available, 10>},
    {"host_total_mb", PutSize<&Sample::host_total, 10>},
    {"memory_high_mb", PutSize<&Sample::memory_high, 10>},
    {"psi_some", PutPercent<&Sample::psi_some>},
    {"psi_full", PutPercent<&Sample::psi_full>},
    {"psi", PutPercent<&Sample::psi_full>},
    {"wanted", PutFlag<&Sample::wanted>},
    {"decoding", PutFlag<&Sample::decoding>},
    {"yielded", PutFlag<&Sample::yielded>},
    {"decode_left_ms", PutDecodeLeft},
    {"event", PutEvent},
}};

// One cell at a time, so that a line full of commas makes no list of a thousand strings.
std::string_view NextCell(std::string_view& rest) {
  const std::size_t comma = rest.find(',');
  const std::string_view cell = Trim(rest.substr(0, comma));
  rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
  return cell;
}

struct Header {
  std::vector<const Column*> columns;  // nullptr: unknown
};

Result<Header> ReadHeader(std::string_view line, Trace& trace) {
  Header header;
  std::set<std::string_view> seen;
  const auto cells = static_cast<std::size_t>(std::count(line.begin(), line.end(), ',')) + 1;
  for (std::size_t i = 0; i < cells; ++i) {
    const std::string_view name = NextCell(line);
    const auto known = std::find_if(kColumns.begin(), kColumns.end(),
                                    [&](const Column& column) { return column.name == name; });
    header.columns.push_back(known == kColumns.end() ? nullptr : &*known);
    if (known == kColumns.end()) {
      if (!name.empty() && trace.unknown_columns.size() < kNamed)
        trace.unknown_columns.push_back(Printable(name.substr(0, 60)));
    } else if (!seen.insert(known->put == kColumns[12].put ? "psi_full" : known->name).second) {
      return Fail(Errc::kInvalid, "column {} is there twice", name);
    }
  }
  if (!seen.contains("time_s"))
    return Fail(Errc::kInvalid, "the header names no time_s column; it begins with \"{}\"",
                Printable(trace.unknown_columns.empty() ? "" : trace.unknown_columns.front()));
  trace.has_wanted = seen.contains("wanted");
  trace.has_others = seen.contains("vram_others_mib");
  trace.has_ours = seen.contains("vram_ours_mib");
  return header;
}

Result<TraceRow> ReadRow(std::string_view line, const Header& header) {
  TraceRow row;
  bool has_time = false;
  const auto cells = static_cast<std::size_t>(std::count(line.begin(), line.end(), ',')) + 1;
  if (cells != header.columns.size())
    return Fail(Errc::kInvalid, "{} cells where the header has {}", cells, header.columns.size());
  for (const Column* column : header.columns) {
    const std::string_view cell = NextCell(line);
    if (!column || cell.empty()) continue;
    Result<> put = column->put(cell, row);
    if (!put) return Within(put, "{}", column->name);
    has_time = has_time || column->put == PutTime;
  }
  if (!has_time) return Fail(Errc::kInvalid, "no time");
  return row;
}

}  // namespace

Result<Trace> ParseTrace(std::string_view text, std::size_t most_rows) {
  Trace trace;
  std::optional<Header> header;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // spreadsheets write a BOM
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end > kLongestLine)
      return Fail(Errc::kInvalid, "line {} is longer than {} bytes", number, kLongestLine);
    const std::string_view line = Trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.starts_with('#')) continue;
    if (!header) {
      Result<Header> read = ReadHeader(line, trace);
      if (!read) return Within(read, "line {}", number);
      header = std::move(*read);
      continue;
    }
    Result<TraceRow> row = ReadRow(line, *header);
    if (row && !trace.rows.empty() && row->at < trace.rows.back().at)
      row = Fail(Errc::kInvalid, "time goes backwards");
    if (!row) {
      if (trace.bad.size() < kNamed)
        trace.bad.push_back(fmt::format("line {}: {}", number, row.error().what));
      ++trace.bad_rows;
      continue;
    }
    if (trace.rows.size() >= most_rows) return Fail(Errc::kInvalid, "more than {} rows", most_rows);
    row->line = number;
    trace.rows.push_back(*row);
  }
  if (!header) return Fail(Errc::kInvalid, "no header: the first line must name the columns");
  return trace;
}

}  // namespace headroom::memory
