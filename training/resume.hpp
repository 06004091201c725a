#pragma once
// Continuing a run: its file gives the settings, and whatever would change its result is refused.
#include "training/config.hpp"
#include "training/run_file.hpp"

namespace lightloop {

/// The settings of the stored run, with those of `settings` laid over it that do not change the result (where files
/// are, how many threads, how often to save). Throws InvalidParameter naming the first key whose value differs from the
/// stored one, or for a run that is complete.
TrainConfig resumed_config(const TrainSettings& settings, const RunFile& stored);
/// The settings of the stored run, as somebody would have to give them: those of one call of the program and those
/// without effect (idle()) left out.
TrainSettings stored_settings(const RunFile& stored);

}  // namespace lightloop
