#pragma once
// A run and the baselines it is compared with, as the parts they are done in.
#include <optional>

#include "training/trainer.hpp"

namespace lightloop {

/// A run that may have been done by an earlier call.
struct Part {
  TrainSettings settings;
  std::optional<TrainResult> done;
};

/// What `settings` ask for: the main run, then its baselines (train.baseline). A baseline's file stands beside that of
/// the main run, with its rule in the name: run-bp.h5. With train.resume what an earlier call has done is taken from
/// its file. Throws FileError where a baseline would replace a file, before anything runs, and as baselines().
std::vector<Part> parts_of(const TrainSettings& settings);

}  // namespace lightloop
