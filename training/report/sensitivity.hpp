#pragma once
// Which source of error of a device costs a network how much: each switched on alone, and off alone. A source that is
// felt only while others are there, or goes with their size (ParamInfo::only_with), is switched on beside these, and
// costs what it adds to them: noise of a kind of cells beside that kind, noise of the electronics beside the light.
#include <functional>
#include <string>
#include <vector>

#include "training/report/trial.hpp"

namespace lightloop {

/// The row of what the age of the devices costs (TrialOptions::age_s).
inline constexpr const char* kAgeRow = "age";

/// One source of error.
struct SensitivityRow {
  std::string name, unit;
  Value value, off;                          ///< as configured; the value that takes it away
  std::vector<Value> layers;                 ///< as configured for each layer; empty where it is `value` in all
  std::vector<std::string> beside;           ///< the sources that are there too when it comes alone (Trial::beside)
  Spread before;                             ///< accuracy that `alone` is compared with: of these sources, or none
  Spread alone, without;                     ///< accuracy with only this source, and with all but this one
  double lost_alone = 0;                     ///< accuracy lost when it comes alone
  double won_without = 0;                    ///< accuracy won when it alone goes
  double error_before = 0, error_alone = 0;  ///< relative rms error of the layers: as before, as alone
  double enob_alone = 0;
  /// Measured; from the errors of the others alone, not a number where their size goes with it (Trial::sizes_others).
  double enob_without = 0, enob_without_predicted = 0;
};

/// Spreads are over the repeats that calibration did not refuse (Spread::n); what none is left for is not a number.
struct Sensitivity {
  std::string device;
  double digital_accuracy = 0;
  Spread none, all;  ///< accuracy with every source off, and with all on
  double error_none = 0, error_all = 0;
  /// Of the layers with all sources on: measured, and predicted from the errors that each makes alone, taken as
  /// independent: e^2 = e_0^2 + sum_i (e_i^2 - b_i^2), e_0 with all off, b_i with what source i was measured beside.
  double enob_measured = 0, enob_predicted = 0;
  std::vector<SensitivityRow> rows;  ///< by accuracy lost, then by error, the worst first
  Index repeats = 0, samples = 0;
  double age_s = 0;                    ///< of the devices (TrialOptions)
  Index deployments = 0, refused = 0;  ///< all; those that calibration refused
  std::string refusal;                 ///< what it said first
  std::vector<LayerReport> cost;       ///< per layer, one deployment with all sources on
  double sample_j = 0;
};

/// Deploys the network (2 sources + 2) repeats times, once more for every set of sources that others are measured
/// beside. Where it is scored at an age, that is a row too: alone, every source is off but those that come with a drift
/// (Trial::drifts), and the loss is that since the weights were written; without it nothing has aged. The other rows
/// have the sources alone as they are when written. `progress` is told how many deployments are done, of how many;
/// false stops with Cancelled. Throws as Trial, Cancelled.
Sensitivity sensitivity(const Trial& trial, const std::string& device,
                        const std::function<bool(Index, Index)>& progress = {});

/// A file of kind "sensitivity", for `lightloop plot`. Throws FileError.
void save(const Sensitivity& report, const std::string& path);

}  // namespace lightloop
