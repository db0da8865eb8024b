// Byte-pair merges read back from the order of a vocabulary.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace headroom::models {

/// A byte-level BPE vocabulary lists the single bytes first and then one token per merge, in the
/// order of the merges. Each token is cut by all earlier merges into the two parts that its own
/// merge joined: "left right". Tokens that do not come apart into exactly two are left out.
std::vector<std::string> RecoverMerges(std::span<const std::string> tokens);

}  // namespace headroom::models
