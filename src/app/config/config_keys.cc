#include "app/config/config_keys.h"

#include <algorithm>
#include <array>
#include <utility>

#include "app/config/config_value.h"
#include "base/dirs.h"
#include "base/duration.h"
#include "base/text.h"
#include "memory/settings.h"

namespace headroom::app {
namespace {

// Each of these makers binds one member: `get` returns a reference to it in a Config or const
// Config.

template <class E>
using Names = std::vector<std::pair<std::string, E>>;

// Of kinds that have a Name.
template <class E, std::size_t N>
Names<E> NamesOf(const std::array<E, N>& kinds) {
  Names<E> names;
  for (const E kind : kinds) names.emplace_back(Name(kind), kind);
  return names;
}

const Names<audio::SourceKind> kSources = NamesOf(audio::kSourceKinds);
const Names<ListenMode> kModes = NamesOf(kListenModes);
const Names<planner::Place> kDevices = {
    {"auto", planner::Place::kAny}, {"gpu", planner::Place::kGpu}, {"cpu", planner::Place::kCpu}};
const Names<asr::WhenCold> kWhenCold = {{"wait", asr::WhenCold::kWait},
                                        {"fast", asr::WhenCold::kFast}};
const Names<output::TargetKind> kTargets = NamesOf(output::kTargetKinds);
const Names<std::string> kTyping = [] {
  Names<std::string> names = {{"auto", "auto"}};
  for (const std::string_view injector : output::kInjectors) names.emplace_back(injector, injector);
  return names;
}();
const Names<output::Newlines> kNewlines = {{"space", output::Newlines::kSpace},
                                           {"shift_enter", output::Newlines::kShiftEnter},
                                           {"enter", output::Newlines::kKeep}};
const Names<LogLevel> kLevels = {{"error", LogLevel::kError},
                                 {"warning", LogLevel::kWarning},
                                 {"info", LogLevel::kInfo},
                                 {"debug", LogLevel::kDebug}};
const Names<std::string> kPasteKeys = {{"auto", "auto"},
                                       {"ctrl+v", "ctrl+v"},
                                       {"ctrl+shift+v", "ctrl+shift+v"},
                                       {"shift+insert", "shift+insert"}};

template <class E>
std::string Listed(const Names<E>& names, std::string_view between) {
  std::string text;
  for (const auto& [name, value] : names) text += (text.empty() ? "" : std::string(between)) + name;
  return text;
}

template <class E>
Result<E> FromName(const Names<E>& names, const std::string& word) {
  std::vector<std::string> known;
  for (const auto& [name, value] : names) {
    if (name == word) return value;
    known.push_back(name);
  }
  const auto near = NearestNames(word, known, 1);
  return Fail(Errc::kInvalid, "\"{}\" is not one of {}{}", Printable(word), fmt::join(known, ", "),
              near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near.front()));
}

template <class E>
std::string ToName(const Names<E>& names, const E& wanted) {
  for (const auto& [name, value] : names) {
    if (value == wanted) return name;
  }
  return names.front().first;
}

struct Row {
  std::string section, name, text;
};

template <class Get>
ConfigKey Flag(Row row, Get get) {
  return {row.section,
          row.name,
          "true | false",
          row.text,
          false,
          [get](const Config& c) { return std::string(get(c) ? "true" : "false"); },
          [get](const ConfigValue& value, Config& c) -> Result<> {
            TRY_ASSIGN(get(c), ReadFlag(value));
            return {};
          }};
}

template <class Get>
ConfigKey Whole(Row row, Get get, int low, int high) {
  return {row.section,
          row.name,
          fmt::format("{} to {}", low, high),
          row.text,
          false,
          [get](const Config& c) { return fmt::format("{}", get(c)); },
          [get, low, high](const ConfigValue& value, Config& c) -> Result<> {
            TRY_ASSIGN(const double number, ReadNumber(value, low, high));
            if (number != static_cast<int>(number))
              return Fail(Errc::kInvalid, "must be a whole number");
            get(c) = static_cast<int>(number);
            return {};
          }};
}

template <class Get>
ConfigKey Number(Row row, Get get, double low, double high) {
  return {row.section,
          row.name,
          fmt::format("{} to {}", low, high),
          row.text,
          false,
          [get](const Config& c) { return TomlNumber(get(c)); },
          [get, low, high](const ConfigValue& value, Config& c) -> Result<> {
            TRY_ASSIGN(get(c), ReadNumber(value, low, high));
            return {};
          }};
}

template <class Get>
ConfigKey Duration(Row row, Get get, Milliseconds low, Milliseconds high) {
  return {row.section,
          row.name,
          fmt::format("{} to {}", FormatDuration(low), FormatDuration(high)),
          row.text,
          false,
          [get](const Config& c) { return TomlText(FormatDuration(get(c))); },
          [get, low, high](const ConfigValue& value, Config& c) -> Result<> {
            TRY_ASSIGN(get(c), ReadDuration(value, low, high));
            return {};
          }};
}

template <class Get>
ConfigKey Text(Row row, std::string values, Get get) {
  return {row.section,
          row.name,
          std::move(values),
          row.text,
          false,
          [get](const Config& c) { return TomlText(get(c)); },
          [get](const ConfigValue& value, Config& c) -> Result<> {
            TRY_ASSIGN(get(c), ReadText(value));
            return {};
          }};
}

template <class Get>
ConfigKey Path(Row row, Get get) {
  return {row.section,
          row.name,
          "a path",
          row.text,
          false,
          [get](const Config& c) { return TomlText(get(c).string()); },
          [get](const ConfigValue& value, Config& c) -> Result<> {
            TRY_ASSIGN(const std::string text, ReadText(value));
            TRY_ASSIGN(get(c), ReadPath(text));
            return {};
          }};
}

template <class E, class Get>
ConfigKey Choice(Row row, const Names<E>& names, Get get) {
  return {row.section,
          row.name,
          Listed(names, " | "),
          row.text,
          false,
          [&names, get](const Config& c) { return TomlText(ToName(names, get(c))); },
          [&names, get](const ConfigValue& value, Config& c) -> Result<> {
            TRY_ASSIGN(const std::string word, ReadText(value));
            TRY_ASSIGN(get(c), FromName(names, word));
            return {};
          }};
}

// A list. `from` reads an element, `to` writes one.
template <class Get, class From, class To>
ConfigKey List(Row row, std::string values, Get get, From from, To to) {
  return {row.section,
          row.name,
          std::move(values),
          row.text,
          false,
          [get, to](const Config& c) {
            std::vector<std::string> texts;
            for (const auto& element : get(c)) texts.push_back(to(element));
            return TomlList(texts);
          },
          [get, from](const ConfigValue& value, Config& c) -> Result<> {
            TRY_ASSIGN(const std::vector<std::string> texts, ReadTexts(value));
            std::remove_cvref_t<decltype(get(c))> elements;
            for (const std::string& text : texts) {
              TRY_ASSIGN(auto element, from(text));
              elements.push_back(std::move(element));
            }
            get(c) = std::move(elements);
            return {};
          }};
}

constexpr auto kSame = [](const std::string& text) -> Result<std::string> { return text; };
constexpr auto kItself = [](const std::string& text) { return text; };

ConfigKey Restart(ConfigKey key) {
  key.restart = true;
  return key;
}

#define AT(member) [](auto& c) -> auto& { return c.member; }

void AddAudio(std::vector<ConfigKey>& keys) {
  keys.push_back(Choice({"audio", "source",
                         "The source of audio. auto: PulseAudio or PipeWire, "
                         "else ALSA. none: no microphone, only the API."},
                        kSources, AT(audio.source)));
  keys.push_back(Text({"audio", "device",
                       "A microphone's name as `headroom devices` lists it, or part of it. Empty: "
                       "the desktop's default, followed when it changes."},
                      "a name", AT(audio.device)));
  keys.push_back(List({"audio", "files",
                       "For source = \"file\": recordings, played one after the "
                       "other."},
                      "paths", AT(audio.files), ReadPath,
                      [](const std::filesystem::path& path) { return path.string(); }));
  keys.push_back(
      Flag({"audio", "real_time", "For files and standard input: no faster than it was spoken."},
           AT(audio.real_time)));
}

void AddSpeech(std::vector<ConfigKey>& keys) {
  keys.push_back(Choice({"speech", "mode",
                         "toggle: one key press begins, the next ends. push_to_talk: while the key "
                         "is held. hands_free: always, utterances end at pauses."},
                        kModes, AT(speech.mode)));
  keys.push_back(
      Text({"speech", "language",
            "The spoken language, such as \"de\". auto: the model detects it, where it can."},
           "auto | a code", AT(speech.language)));
  keys.push_back(Text({"speech", "translate_to",
                       "Translate text into this language, such as \"en\". Only models that can "
                       "are used: Whisper into English, Canary into more."},
                      "a code", AT(speech.translate_to)));
  keys.push_back(Flag({"speech", "punctuation",
                       "false: lower case without punctuation, from models with that option "
                       "(Canary). Others always punctuate."},
                      AT(speech.punctuation)));
  keys.push_back(Duration({"speech", "silence", "This much silence ends an utterance."},
                          AT(speech.silence), Milliseconds(100), Milliseconds(10'000)));
  keys.push_back(Duration({"speech", "min_speech", "Shorter sounds are not speech."},
                          AT(speech.min_speech), Milliseconds(0), Milliseconds(2'000)));
  keys.push_back(Duration({"speech", "pre_roll",
                           "Audio from before speech was detected that belongs to the utterance."},
                          AT(speech.pre_roll), Milliseconds(0), Milliseconds(2'000)));
  keys.push_back(Duration({"speech", "inactivity",
                           "After this time without speech an open utterance ends and, except in "
                           "hands_free, listening too."},
                          AT(speech.inactivity), Milliseconds(5'000), Milliseconds(3'600'000)));
  keys.push_back(
      Number({"speech", "vad_enter", "Speech begins at this probability. Higher: less sensitive."},
             AT(speech.vad_enter), 0.05, 0.99));
  keys.push_back(
      Number({"speech", "vad_leave", "Silence begins below this probability; not above vad_enter."},
             AT(speech.vad_leave), 0.01, 0.99));
  keys.push_back(Flag({"speech", "partials",
                       "Text while you are still speaking, for the status "
                       "line and for programs. Only final text is typed."},
                      AT(speech.partials)));
  keys.push_back(Flag({"speech", "commands",
                       "Spoken commands: \"comma\", \"new line\", \"scratch that\" and so on."},
                      AT(speech.commands)));
  keys.push_back(Flag({"speech", "digits", "Spoken numbers as digits."}, AT(speech.digits)));
  keys.push_back(List({"speech", "vocabulary", "Names and terms to expect, as they are written."},
                      "texts", AT(speech.vocabulary), kSame, kItself));
  keys.push_back(Path({"speech", "vocabulary_file", "More of them, one per line."},
                      AT(speech.vocabulary_file)));
}

void AddModels(std::vector<ConfigKey>& keys) {
  keys.push_back(List({"models", "tiers",
                       "Models to use, best first, as \"name:quantisation@device\" with device gpu "
                       "or cpu. Empty: chosen from the models on disk."},
                      "names", AT(models.tiers), ParseTierName, TierName));
  keys.push_back(
      Choice({"models", "device",
              "Where models without a device in their name may run. gpu: never on the CPU."},
             kDevices, AT(models.device)));
  keys.push_back(Text({"models", "card",
                       "Which GPU, where there are several: its PCI address as `headroom doctor` "
                       "shows it, such as \"0000:01:00.0\". Empty: a discrete one before others."},
                      "an address", AT(models.gpu)));
  keys.push_back(Choice({"models", "when_cold",
                         "The first sentence after an idle time: wait for the good model, or be "
                         "fast and use the last CPU tier."},
                        kWhenCold, AT(models.when_cold)));
  keys.push_back(
      Whole({"models", "threads",
             "Compute threads. 0: one per core, without slow cores that would delay fast ones."},
            AT(models.threads), 0, 256));
  keys.push_back(Whole(
      {"models", "batch",
       "On a GPU: this many waiting utterances are decoded in one run, for a server with many "
       "clients. It takes more GPU memory; fewer where that does not fit. On the CPU always one."},
      AT(models.batch), 1, kMostBatch));
  keys.push_back(
      Duration({"models", "idle",
                "After this time without speech the model gives its memory back. 0s: never."},
               AT(models.idle), Milliseconds(0), Milliseconds(86'400'000)));
}

std::string ThresholdText(const std::string& key) {
  const auto threshold = key.substr(key.rfind('_') + 1);
  const auto gauge = key.substr(0, key.rfind('_'));
  const std::string what =
      gauge == "vram"  ? "the GPU's memory, used by all processes, percent"
      : gauge == "ram" ? "memory of our processes"
      : gauge == "ram_percent"
          ? "memory of our processes, percent of MemoryHigh or of a small host; the smaller counts"
      : gauge == "swap"     ? "swap of our processes"
      : gauge == "psi_some" ? "memory pressure, share of time that some "
                              "process waited, percent"
                            : "memory pressure, share of time that all "
                              "waited, percent";
  return threshold == "warning" ? "Zone " + threshold + ": " + what + "."
                                : "Zone " + threshold + ".";
}

void AddMemory(std::vector<ConfigKey>& keys) {
  for (const memory::Setting& setting : memory::SettingsOf({})) {
    const std::string key = setting.key;
    const bool size = std::holds_alternative<std::string>(setting.value);
    keys.push_back({"memory", key, size ? "a size" : "percent", ThresholdText(key), false,
                    [key](const Config& c) {
                      for (const memory::Setting& one : memory::SettingsOf(c.memory.thresholds)) {
                        if (one.key != key) continue;
                        const double* number = std::get_if<double>(&one.value);
                        return number ? TomlNumber(*number)
                                      : TomlText(std::get<std::string>(one.value));
                      }
                      return std::string();
                    },
                    [key](const ConfigValue& value, Config& c) -> Result<> {
                      memory::Setting one{key, 0.0};
                      if (const auto* text = std::get_if<std::string>(&value))
                        one.value = *text;
                      else if (const auto* whole = std::get_if<std::int64_t>(&value))
                        one.value = static_cast<double>(*whole);
                      else if (const auto* number = std::get_if<double>(&value))
                        one.value = *number;
                      else
                        return Fail(Errc::kInvalid, "must be a number or a size such as \"2GB\"");
                      auto set = memory::SetThreshold(c.memory.thresholds, one);
                      if (set) return {};
                      std::string what = set.error().what;
                      if (what.starts_with(key + ": ")) what.erase(0, key.size() + 2);
                      return Fail(Errc::kInvalid, "{}", what);
                    }});
  }
  keys.push_back(List(
      {"memory", "chunks",
       "The longest chunk of speech that a model gets, longest first. Shorter ones are used when "
       "memory is short."},
      "3s to 40s each", AT(memory.chunks),
      [](const std::string& text) {
        return ReadDuration(text, Milliseconds(3'000), Milliseconds(40'000));
      },
      FormatDuration));
}

void AddOutput(std::vector<ConfigKey>& keys) {
  keys.push_back(List(
      {"output", "targets",
       "Where text goes; several are allowed. Programs on the control socket get it "
       "in any case."},
      Listed(kTargets, ", "), AT(output.targets),
      [](const std::string& word) { return FromName(kTargets, word); },
      [](output::TargetKind target) { return ToName(kTargets, target); }));
  keys.push_back(Choice({"output", "typing",
                         "How text is typed. auto: the first that is exact in this session; see "
                         "`headroom doctor output`."},
                        kTyping, AT(output.typing)));
  keys.push_back(Duration(
      {"output", "key_delay", "Delay between two typed keys, for programs that lose some."},
      AT(output.key_delay), Milliseconds(0), Milliseconds(200)));
  keys.push_back(Choice({"output", "newline",
                         "What a line break types. space: never Enter, which runs a command in a "
                         "terminal. shift_enter: a new line in most chat windows."},
                        kNewlines, AT(output.newline)));
  keys.push_back(Choice(
      {"output", "paste_key",
       "For typing = \"paste\". auto: shift+insert, which windows and terminals have in common."},
      kPasteKeys, AT(output.paste_key)));
  keys.push_back(
      Flag({"output", "restore_clipboard", "After pasting, the previous clipboard is restored."},
           AT(output.restore_clipboard)));
  keys.push_back(Text({"output", "after_utterance", "Appended to each text."}, "text",
                      AT(output.after_utterance)));
  keys.push_back(
      Path({"output", "file", "For the target file; text is added at its end."}, AT(output.file)));
  keys.push_back(
      List({"output", "command",
            "For the target command: a program and its arguments. It is started for each "
            "text and gets it on standard input."},
           "texts", AT(output.command), kSame, kItself));
  keys.push_back(
      Flag({"output", "notify", "Desktop notifications: a text did not arrive, memory runs short."},
           AT(output.notify)));
}

ConfigKey SpoolSize() {
  return {"spool",
          "size",
          "4MiB to 4GiB",
          "Room for speech on its way to text. 64MiB hold 33 minutes.",
          true,
          [](const Config& c) { return TomlText(FormatExact(c.spool.size)); },
          [](const ConfigValue& value, Config& c) -> Result<> {
            TRY_ASSIGN(c.spool.size, ReadSize(value, MiB(4), GiB(4)));
            return {};
          }};
}

ConfigKey UploadLimit() {
  return {"server",
          "upload_limit",
          "1MiB to 64GiB",
          "The largest recording that is accepted.",
          true,
          [](const Config& c) { return TomlText(FormatExact(c.server.upload_limit)); },
          [](const ConfigValue& value, Config& c) -> Result<> {
            TRY_ASSIGN(c.server.upload_limit, ReadSize(value, MiB(1), GiB(64)));
            return {};
          }};
}

void AddServer(std::vector<ConfigKey>& keys) {
  keys.push_back(
      Text({"server", "listen",
            "Address of OpenAI's transcription routes, the realtime socket, /metrics and the page. "
            "Empty: none. Beyond this machine it requires tokens, and a certificate or insecure."},
           "address:port", AT(server.listen)));
  keys.push_back(Path({"server", "tokens",
                       "The file of `headroom token`. If it exists, every client needs a token "
                       "from it. Empty: $XDG_CONFIG_HOME/headroom/tokens."},
                      AT(server.tokens)));
  keys.push_back(List({"server", "origins",
                       "Web pages that may use the server, such as \"https://notes.example\"."},
                      "texts", AT(server.origins), kSame, kItself));
  keys.push_back(
      List({"server", "hosts",
            "Further names that clients call this machine by, such as \"studio.local\"."},
           "texts", AT(server.hosts), kSame, kItself));
  keys.push_back(
      Path({"server", "tls_certificate", "A certificate, PEM."}, AT(server.tls_certificate)));
  keys.push_back(Path({"server", "tls_key", "Its key, PEM."}, AT(server.tls_key)));
  keys.push_back(Flag({"server", "insecure",
                       "Beyond this machine without a certificate: tokens and speech can be read "
                       "on the way."},
                      AT(server.insecure)));
  keys.push_back(Flag({"server", "history",
                       "Whether /api/history shows dictated text to every client with access."},
                      AT(server.history)));
  keys.push_back(UploadLimit());
  keys.push_back(Text({"wyoming", "listen",
                       "Address for Home Assistant, such as \"0.0.0.0:10300\". Empty: none. The "
                       "protocol has no authentication."},
                      "address:port", AT(wyoming.listen)));
  keys.push_back(
      List({"wyoming", "allow",
            "Addresses that may connect, such as \"192.168.1.0/24\". Empty: only this machine."},
           "texts", AT(wyoming.allow), kSame, kItself));
}

std::vector<ConfigKey> MakeKeys() {
  std::vector<ConfigKey> keys;
  AddAudio(keys);
  AddSpeech(keys);
  keys.push_back(
      {"commands", "", "texts",
       "Your own spoken commands, one table per language: the phrase, and what is written for it.",
       false, WriteCommands, nullptr});
  keys.push_back({"replacements", "", "texts",
                  "Words that are recognised wrongly, and how to write them.", false,
                  [](const Config& c) { return WritePhrases(c.replacements); }, nullptr});
  AddModels(keys);
  AddMemory(keys);
  AddOutput(keys);
  keys.push_back(SpoolSize());
  keys.push_back(Flag({"spool", "keep",
                       "Keep the audio of delivered text until its space is needed. false: it is "
                       "overwritten immediately."},
                      AT(spool.keep)));
  keys.push_back(
      Flag({"history", "on", "Keep the texts, so that they can be pasted again."}, AT(history.on)));
  keys.push_back(
      Whole({"history", "hours", "How long texts are kept."}, AT(history.hours), 1, 8760));
  keys.push_back(Flag({"shortcut", "on",
                       "Ask the desktop for a global shortcut, where it has that portal. Elsewhere "
                       "bind `headroom toggle` to a key."},
                      AT(shortcut.on)));
  keys.push_back(Text({"shortcut", "keys",
                       "The keys to propose, as the portal writes them. You decide in its dialog."},
                      "such as CTRL+ALT+d", AT(shortcut.keys)));
  keys.push_back(Restart(Path(
      {"control", "socket", "The control socket. Empty: $XDG_RUNTIME_DIR/headroom/control.sock."},
      AT(control_socket))));
  AddServer(keys);
  keys.push_back(Choice({"log", "level", "How much is logged. No level logs what you say."},
                        kLevels, AT(log_level)));
  // Sections that are read only when the service starts.
  for (ConfigKey& key : keys) {
    for (const char* section :
         {"models", "memory", "spool", "history", "shortcut", "control", "server", "wyoming"})
      key.restart = key.restart || key.section == section;
  }
  return keys;
}

}  // namespace

const std::vector<ConfigKey>& ConfigKeys() {
  static const std::vector<ConfigKey> keys = MakeKeys();
  return keys;
}

const std::vector<ConfigSection>& ConfigSections() {
  static const std::vector<ConfigSection> sections = {
      {"audio", "The source of audio."},
      {"speech", "When the service listens, and how speech is cut into utterances."},
      {"commands", "Spoken commands of your own."},
      {"replacements", "Words to write differently."},
      {"models", "What turns speech into text."},
      {"memory", "When memory counts as short, and what happens then."},
      {"output", "Where text goes."},
      {"spool", "Speech that is not yet text."},
      {"history", "Texts of the last hours."},
      {"shortcut", "A global shortcut."},
      {"control", "The socket that commands and programs talk to."},
      {"server", "The loaded model for other programs, over HTTP."},
      {"wyoming", "The loaded model for Home Assistant."},
      {"log", "What is written to the journal."}};
  return sections;
}

}  // namespace headroom::app
