#pragma once
#include <memory>

#include "core/param.hpp"
#include "driver/api/twin.hpp"

namespace lightloop::mzi_mesh {

/// The chip with perfect splitters and no crosstalk, with its loss, phases and codes as real numbers, unclipped: what
/// the corrected chip comes near to. With monitors=true the chip itself, splitters and heat as they are, but for the
/// phases' errors. Gradients of phases by the three intensities of in_situ_gradient().
std::unique_ptr<Twin> make_twin(const ParamSet& params);

}  // namespace lightloop::mzi_mesh
