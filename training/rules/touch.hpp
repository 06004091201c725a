#pragma once
// What learning asks of hardware, counted.
#include <cstdint>

namespace lightloop {

/// What a step asks of hardware on which layers and projection would run.
struct StepTouch {
  std::int64_t passes = 0;       ///< input vectors shown to a layer
  std::int64_t projections = 0;  ///< vectors shown to the fixed projection
  std::int64_t writes = 0;       ///< layers whose parameters are written
  StepTouch& operator+=(const StepTouch& more);
  bool operator==(const StepTouch&) const = default;
};

/// The part of one layer in that.
struct LayerTouch {
  std::int64_t vectors = 0;  ///< shown to it
  std::int64_t writes = 0;   ///< of its parameters
};

}  // namespace lightloop
