#pragma once
#include <memory>

#include "core/param.hpp"
#include "driver/api/twin.hpp"

namespace lightloop::pendula {

/// The pendula as they are meant: nominal frequencies, couplings and drives, codes as real numbers, no noise, no
/// clipping. Gradients of the discrete steps (swing_back); OutOfRange where
/// steps times pendula are more than 2^22.
std::unique_ptr<Twin> make_twin(const ParamSet& params);

}  // namespace lightloop::pendula
