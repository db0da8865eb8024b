// The text as a target may have it: valid UTF-8, no control characters, new lines as asked for.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/output/target.h"

namespace headroom::output {

/// Control characters but \n and \t become spaces, what is not UTF-8 becomes U+FFFD, \r\n becomes
/// \n. With kSpace every run of white space that has a \n in it becomes one space, and at the end
/// of the text nothing.
std::string TextFor(std::string_view text, Newlines newlines);

/// For keys: as TextFor, a tab is a space (it would move the focus), and the text is cut at each \n
/// that is left; each cut is one Enter.
std::vector<std::string> KeyLines(std::string_view text, Newlines newlines);

/// So many times Backspace deletes the text again; nullopt where that is not certain, because
/// characters are made of several (accents of their own, emoji) or it is empty.
std::optional<int> BackspacesFor(std::string_view text);

}  // namespace headroom::output
