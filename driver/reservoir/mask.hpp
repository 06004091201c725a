#pragma once
// Input masks of time-multiplexed reservoirs: how one input becomes a train of drive values, one per virtual node.
#include <cstdint>
#include <string>
#include <vector>

#include "core/array.hpp"

namespace lightloop {

/// How a mask is made. All values lie in [-1, 1].
struct MaskSettings {
  std::string kind = "random";  ///< one of mask_kinds()
  Index hold = 1;               ///< piecewise: nodes that share a value
  Index levels = 6;             ///< piecewise: equally spaced values from -1 to 1
  double first_cycles = 1;      ///< chirp: frequency at the start of the mask, in cycles per mask
  double last_cycles = 0;       ///< chirp: at its end; 0: a quarter of the nodes
  std::uint64_t seed = 1;
};

/// "random", "binary", "chirp", "piecewise".
const std::vector<std::string>& mask_kinds();

/// The mask M (nodes, inputs): node i is driven by sum_k M(i, k) u_k.
///
///   random     uniform on [-1, 1]
///   binary     -1 or 1 with equal chance (Appeltant et al., Nat. Commun. 2, 468 (2011))
///   piecewise  one of `levels` values, each held for `hold` nodes
///   chirp      sin(2 pi (f0 x + (f1 - f0) x^2 / 2) + 2 pi k / inputs), x = i / nodes: no randomness
/// Throws UnknownName and OutOfRange. Randomness: stream input_mask, row = input, column = node (fabrication).
Matrix<float> make_mask(Index nodes, Index inputs, const MaskSettings& settings);

}  // namespace lightloop
