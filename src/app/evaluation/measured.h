// What `headroom bench models` found out about models, and which of them are worth having. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"

namespace headroom::evaluation {

struct Latency {
  Milliseconds audio{};
  double seconds = 0;  // from the last sample to the text, the model being ready
};

/// One model in one quantisation. What was not measured is not there.
struct Measured {
  std::string model, quantisation;
  Bytes size;                          // of its file
  std::optional<Bytes> plan;           // memory, planned for `Conditions::longest`
  std::optional<Bytes> peak;           // of the worker, measured
  std::optional<double> load_seconds;  // from starting the worker until it is ready
  std::optional<double> rate;          // seconds of computing for one of audio
  std::vector<Latency> latencies;      // ascending
  std::optional<double> wer;           // percent
  bool published = false;              // the rate of errors is the catalogue's, of other speech
  std::string error;                   // why nothing was measured

  /// "whisper-base Q8_0"
  std::string Title() const;
  /// What it takes: measured, or else planned.
  std::optional<Bytes> Memory() const { return peak ? peak : plan; }
};

/// How it was measured.
struct Conditions {
  std::size_t clips = 0, words = 0;
  double seconds = 0;  // of audio in the clips
  int threads = 0;
  Milliseconds longest{30'000};
  std::string wer_source;  // of published rates
};

/// A thing to be had for less memory: both smaller is better.
struct Point {
  std::size_t row = 0;
  double memory = 0;  // MiB
  double cost = 0;    // percent of words, or seconds of computing for one of audio
  bool front = false;
  bool published = false;
};

/// Those rows that have both numbers, by memory; `front`: no other row has less of one without
/// having more of the other.
std::vector<Point> ErrorsByMemory(const std::vector<Measured>& rows);
std::vector<Point> TimeByMemory(const std::vector<Measured>& rows);

/// For a terminal, in columns, with both pictures in characters.
std::string ShowText(const std::vector<Measured>& rows, const Conditions& run);
/// One file without anything from elsewhere, with both pictures as SVG.
std::string ShowPage(const std::vector<Measured>& rows, const Conditions& run);
nlohmann::json ShowJson(const std::vector<Measured>& rows, const Conditions& run);

}  // namespace headroom::evaluation
