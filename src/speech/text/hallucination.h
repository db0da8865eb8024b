// Speech models were trained on captioned video and, given near-silence, write what such captions
// end with: "Thank you.", "Thanks for watching!", the names of subtitlers. Such a phrase is
// dropped, but only when nothing else speaks for speech: who really says "Thank you" is heard.
// Pure.
#pragma once

#include <string_view>

#include "speech/vad/chunker.h"

namespace headroom::speech {

/// The whole text is one of the phrases of `language` (ISO 639-1; "" means any) or of English, or
/// nothing but a note such as "[Music]", "(applause)" or "♪".
bool IsHallucinatedPhrase(std::string_view text, std::string_view language);

/// Below these the speech of a chunk is doubtful. Measured with Silero v6: single short words such
/// as "Bye." and "You" have 290 to 380 ms at 0.89 to 0.98, sentences 0.94 and more; the noise that
/// got past the detector at all had 0.59. So shortness alone proves nothing.
inline constexpr float kUnsureSpeech = 0.7F;
inline constexpr Milliseconds kShortSpeech{400};
inline constexpr float kUnsureShortSpeech = 0.8F;
bool IsWeak(const Evidence& evidence);

/// Whether the text of a chunk should be left out; the caller counts and reports it.
inline bool IsHallucination(std::string_view text, std::string_view language,
                            const Evidence& evidence) {
  return IsWeak(evidence) && IsHallucinatedPhrase(text, language);
}

}  // namespace headroom::speech
