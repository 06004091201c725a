#pragma once
// The file of a run: what was asked, how it went, the weights, and all that a bit-exact resume needs.
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "core/param.hpp"
#include "driver/api/session_status.hpp"
#include "driver/projection/projection.hpp"
#include "training/alignment.hpp"
#include "training/network.hpp"
#include "training/optimizer.hpp"
#include "training/trainer.hpp"

namespace lightloop {

/// Where a run stands: `step` steps of epoch `epoch` (0-based) are done, with these sums over them.
struct RunPosition {
  Index epoch = 0, step = 0;
  double loss_sum = 0, samples = 0, active = 0;
  AlignmentSums alignment, gradient_alignment;
  std::vector<double> layer_loss;  ///< per layer, summed over the samples
  double train_s = 0;              ///< so far, evaluation left out
  double waited_s = 0;             ///< of that: see EpochResult
  std::int64_t trained = 0;        ///< samples so far
};

struct RunDevice {
  std::string address, kind, model, serial, version, calibration_id;
  std::int64_t frames = 0;
  std::int64_t writes = 0;                                            ///< as in DeviceShare
  double device_s = 0, device_j = 0, saturation = 0;                  ///< of all devices together
  std::vector<DeviceShare> shares;                                    ///< empty in older files
  std::int64_t retries = 0, discarded = 0, losses = 0, reopened = 0;  ///< as in Meter
  std::int64_t clipped_inputs = 0, saturated = 0;                     ///< of a map (MapReport)
};

struct RunFile {
  ParamSet train, rule, projection, device;  ///< every setting with its unit; the last two empty without a device
  TrainSettings asked;                       ///< projection. and device. settings as they were given
  bool complete = false;
  Network net;
  std::string alphabet;  ///< of a network that learned a text: the character of each code
  OptimizerState optimizer;
  Matrix<float> own;  ///< (1, n) parameters of the rule itself
  OptimizerState own_optimizer;
  StepTouch touch;  ///< so far
  RunPosition position;
  std::string data_sha256;  ///< of what it was trained and tested on: see Dataset's content_sha256
  RunDevice about_device;
  std::vector<EpochResult> epochs;
  std::vector<double> step_loss;      ///< mean loss of every step's batch
  std::vector<std::string> warnings;  ///< of data and calibration, then faults
  Health health_start, health_end;
  Matrix<float> reference;  ///< train.fidelity: the projection's matrix as measured at the start
  std::vector<std::byte> session, projection_state, feedback_state, rule_state, layers_state, map_state;
  std::optional<Meter> measured;  ///< of a device that was closed after rule.matrix_from
};

/// Lower-case SHA-256 of the parameters as little-endian float32, layer by layer, weights before bias; of a
/// model its parameters, then its state.
std::string weights_sha256(const Network& net);
/// Of all that was learned: where the rule has parameters of its own they follow the network's.
std::string weights_sha256(const RunFile& run);

/// Writes the whole file beside its place and renames it, so that a killed program leaves the previous one. Throws
/// FileError.
void save_run(const RunFile& run, const std::string& path);
/// Reads what save_run wrote. Throws FileError for a file that is no run, is damaged or of a newer format.
RunFile load_run(const std::string& path);
/// Only the network of a run file.
Network load_network(const std::string& path);
/// What training returned for this run, except that the network stays where it is.
TrainResult result_of(const RunFile& run, const std::string& path);
/// What the run uses, as TrainPlan::title; "digital" where that is no device.
std::string title_of(const RunFile& run);
/// All settings of the run: train. and rule., projection. and device. as they were in force, others as they were given.
TrainSettings settings_of(const RunFile& run);

/// What is at `path`: nothing, a run that can go on, one that is complete, or anything else. Never throws.
enum class RunState { missing, unfinished, complete, foreign };
RunState run_state(const std::string& path);
/// Throws FileError, saying what it is and what to do, when `out` names an existing file; empty: nothing to check.
void refuse_existing(const std::string& out);

}  // namespace lightloop
