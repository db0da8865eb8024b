// How speech is to be recognised: the one set of options that files, the control socket, HTTP,
// realtime streams, Wyoming, the configuration and the worker protocol have in common. It is here,
// beside the transcript that comes of it, since the network's rooms may see this room and not the
// recogniser's. A new option is a member and a line of ForEachOption; the wire forms follow.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace headroom::speech {

struct RecognitionOptions {
  std::string language = {};      // ISO 639-1; "": the model finds out, or the configured one
  std::string translate_to = {};  // ISO 639-1; "" or the language spoken: not translated
  bool unpunctuated = false;      // and in lower case, by models that can leave punctuation out
  bool segment_times = false;     // without them a segment is a chunk's whole text
  bool word_times = false;
  std::vector<std::string> vocabulary = {};  // words to expect, for models that take them
  std::string prompt = {};                   // context, for models that take one

  bool operator==(const RecognitionOptions&) const = default;
};

/// `visit(name, member)` for each, with its name in JSON.
template <class Options, class Visit>
void ForEachOption(Options& options, Visit&& visit) {
  visit("language", options.language);
  visit("translate_to", options.translate_to);
  visit("unpunctuated", options.unpunctuated);
  visit("segment_times", options.segment_times);
  visit("word_times", options.word_times);
  visit("vocabulary", options.vocabulary);
  visit("prompt", options.prompt);
}

}  // namespace headroom::speech
