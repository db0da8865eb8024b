// What a user may set: $XDG_CONFIG_HOME/headroom/config.toml as a plain value.
//
// Every key is one row of the table behind ConfigKeys() (config_keys.h): its type, range, default
// and text come from there, and so do the checks, docs/config.md, the example and the completion.
// Reading never throws and reports all mistakes together, each with its line. Any thread.
#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/output/target.h"
#include "asr/planner/tier_preference.h"
#include "asr/scheduler/when_cold.h"
#include "audio/capture/source.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "memory/fit.h"
#include "memory/zones.h"

namespace headroom::app {

enum class ListenMode { kToggle, kPushToTalk, kHandsFree };
inline constexpr std::array kListenModes = {ListenMode::kToggle, ListenMode::kPushToTalk,
                                            ListenMode::kHandsFree};
std::string_view Name(ListenMode mode);  // "toggle", …
enum class LogLevel { kError, kWarning, kInfo, kDebug };

struct AudioConfig {
  audio::SourceKind source = audio::SourceKind::kAuto;
  std::string device;                        // "" : the default one
  std::vector<std::filesystem::path> files;  // kFile: played one after the other
  bool real_time = true;                     // kFile, kStdin: not faster than real time
  friend bool operator==(const AudioConfig&, const AudioConfig&) = default;
};

struct SpeechConfig {
  ListenMode mode = ListenMode::kToggle;
  std::string language = "auto";
  std::string translate_to;         // ISO 639-1; "": not translated
  bool punctuation = true;          // where a model supports it
  Milliseconds silence{800};        // this much ends an utterance
  Milliseconds min_speech{128};     // shorter sounds are ignored
  Milliseconds pre_roll{500};       // audio kept from before speech
  Milliseconds inactivity{60'000};  // an open utterance ends, and toggle mode stops listening
  double vad_enter = 0.5;           // probability at which speech begins
  double vad_leave = 0.35;          // below which it ends; not above vad_enter
  bool partials = true;             // text while speaking
  bool commands = true;             // "new line", "comma", …
  bool digits = true;               // numbers as digits
  std::vector<std::string> vocabulary;
  std::filesystem::path vocabulary_file;  // one a line; "" : none
  friend bool operator==(const SpeechConfig&, const SpeechConfig&) = default;
};

/// One tier as the user wrote it: "canary-1b-flash:Q8_0@gpu".
Result<planner::TierPreference> ParseTierName(std::string_view text);
std::string TierName(const planner::TierPreference& tier);

inline constexpr std::size_t kMostTiers = 8;
inline constexpr int kMostBatch = 16;

struct ModelsConfig {
  std::vector<planner::TierPreference> tiers;  // best first; empty: chosen from installed models
  planner::Place device = planner::Place::kAny;
  std::string gpu;  // its PCI address; "": the best
  asr::WhenCold when_cold = asr::WhenCold::kWait;
  int threads = 0;             // 0: one for each core this process may use
  int batch = 1;               // utterances that a GPU decodes together
  Milliseconds idle{300'000};  // the worker ends after this long without speech; 0: never
  friend bool operator==(const ModelsConfig&, const ModelsConfig&) = default;
};

struct MemoryConfig {
  memory::Thresholds thresholds;
  std::vector<Milliseconds> chunks = memory::kChunks;  // longest first
  friend bool operator==(const MemoryConfig&, const MemoryConfig&) = default;
};

struct OutputConfig {
  std::vector<output::TargetKind> targets = {output::TargetKind::kType};
  std::string typing = "auto";                          // or one of output::kInjectors
  Milliseconds key_delay{0};                            // between two typed keys
  output::Newlines newline = output::Newlines::kSpace;  // of typed text; kKeep: Enter
  std::string paste_key = "auto";     // "auto", "ctrl+v", "ctrl+shift+v", "shift+insert"
  bool restore_clipboard = true;      // after pasting
  std::string after_utterance = " ";  // put after each text
  std::filesystem::path file;         // for the target file
  std::vector<std::string> command;   // argv for the target command; the text is its input
  bool notify = true;                 // desktop notifications
  friend bool operator==(const OutputConfig&, const OutputConfig&) = default;
};

struct SpoolConfig {
  Bytes size = MiB(64);
  bool keep = false;  // keeps delivered audio until its space is needed
  friend bool operator==(const SpoolConfig&, const SpoolConfig&) = default;
};

struct HistoryConfig {
  bool on = true;
  int hours = 24;
  friend bool operator==(const HistoryConfig&, const HistoryConfig&) = default;
};

struct ShortcutConfig {
  bool on = true;               // ask the desktop's GlobalShortcuts portal, where there is one
  std::string keys = "LOGO+h";  // what it is asked for; the user decides there
  friend bool operator==(const ShortcutConfig&, const ShortcutConfig&) = default;
};

/// phrase -> text to write instead
using Phrases = std::map<std::string, std::string>;

/// OpenAI's routes, the realtime socket, metrics and the page.
struct ServerConfig {
  std::string listen = "127.0.0.1:7310";  // "" : off
  std::filesystem::path tokens;           // "" : tokens beside the configuration
  std::vector<std::string> origins;       // of web pages that may use the server
  std::vector<std::string> hosts;         // other names of this machine
  std::filesystem::path tls_certificate, tls_key;
  bool insecure = false;
  bool history = false;  // texts to every client with access
  Bytes upload_limit = GiB(1);
  friend bool operator==(const ServerConfig&, const ServerConfig&) = default;
};

struct WyomingConfig {
  std::string listen;              // "" : off
  std::vector<std::string> allow;  // addresses and networks; empty: this machine
  friend bool operator==(const WyomingConfig&, const WyomingConfig&) = default;
};

struct Config {
  AudioConfig audio;
  SpeechConfig speech;
  std::map<std::string, Phrases> commands;  // by language: the user's own spoken commands
  Phrases replacements;
  ModelsConfig models;
  MemoryConfig memory;
  OutputConfig output;
  SpoolConfig spool;
  HistoryConfig history;
  ShortcutConfig shortcut;
  ServerConfig server;
  WyomingConfig wyoming;
  std::filesystem::path control_socket;  // "" : $XDG_RUNTIME_DIR/headroom/control.sock
  LogLevel log_level = LogLevel::kInfo;
  friend bool operator==(const Config&, const Config&) = default;
};

/// $XDG_CONFIG_HOME/headroom/config.toml
std::filesystem::path ConfigPath();

struct ConfigProblem {
  std::int64_t line = 0;  // 0: of the whole file
  std::string text;       // without file and line
};

/// A configuration and all of its mistakes. Not to be used when it has any.
struct ConfigReading {
  Config config;
  std::vector<ConfigProblem> problems;  // by line
};
/// `text` is TOML 1.0. Keys that are not set have their defaults.
ConfigReading ReadConfig(std::string_view text);

/// The user's file, or the defaults when `path` does not exist and is ConfigPath(). kInvalid names
/// the first mistake with file and line, says how many more there are, and how to see them.
Result<Config> LoadConfig(const std::filesystem::path& path);

/// Applies settings from a command line: "speech.mode=hands_free". The value is TOML, but text
/// needs no quotes. `config` is unchanged when one of them is invalid.
Result<> SetConfig(Config& config, std::span<const std::string> settings);

/// The targets that `config` names, with their options.
std::vector<output::TargetOptions> TargetOptionsFor(const Config& config);

/// The keys ("speech.silence") in which the two differ.
struct ConfigChange {
  std::vector<std::string> live;     // applied while running
  std::vector<std::string> restart;  // applied after a restart
};
ConfigChange Difference(const Config& before, const Config& after);

}  // namespace headroom::app
