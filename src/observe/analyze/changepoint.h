// Where several series change together: pieces that a straight line describes, found exactly by
// PELT (Killick, Fearnhead, Eckley 2012) with the squared distance from each piece's own line.
#pragma once

#include <span>
#include <vector>

namespace headroom::analyze {

/// `rows`: series of equal length, each in units of its own noise. The indices at which a new piece
/// begins, ascending, without 0. `penalty`: what one more piece costs. Quadratic at worst: keep the
/// length at a few thousand.
std::vector<std::size_t> ChangePoints(std::span<const std::vector<double>> rows, double penalty);

/// The noise of a series that may have steps: from the differences of neighbours (MAD / 0.6745 /
/// √2).
double Noise(std::span<const double> values);

}  // namespace headroom::analyze
