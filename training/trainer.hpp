#pragma once
// From a table of settings to a trained network and its run file. The command, Python and C++ programs all come through
// here.
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/param.hpp"
#include "driver/api/registry.hpp"
#include "driver/projection/projection.hpp"
#include "training/network.hpp"

namespace lightloop {

/// The "train." settings: dataset, data_dir, net, activation, loss, rule, device, baseline, optimizer, momentum, lr,
/// schedule, batch, epochs, seed, threads, out, record, init_from, resume, alignment_every, checkpoint_every,
/// max_device_seconds, ... The command's options, the TOML table [train], Python's keywords and the docs are made from
/// this list.
std::vector<ParamInfo> train_params();

/// One namespace: "train.lr", "rule.dead_zone", "projection.readout", "device.camera.bits".
using TrainSettings = Settings;

struct EpochResult {
  Index epoch = 0;  ///< 1-based
  double train_loss = 0, test_accuracy = 0, learning_rate = 0;
  std::vector<double> alignment;   ///< per hidden layer, mean over non-empty samples; NaN when none
  std::int64_t device_frames = 0;  ///< so far
  double device_s = 0, device_j = 0, train_s = 0;
  double active_fraction = 1;  ///< samples whose error reached the hidden layers
};

struct TrainResult {
  Network net;
  std::string rule, device, out;
  std::vector<EpochResult> epochs;
  double test_accuracy = 0, train_seconds = 0, samples_per_second = 0;
  std::int64_t device_frames = 0;
  double device_seconds = 0, device_joules = 0;
  std::vector<double> alignment;
  std::uint64_t seed = 0;
  std::string weights_sha256;
  Health health_start, health_end;
  bool interrupted = false;  ///< stopped by `stop`; the checkpoint in `out` resumes it
};

/// What will be asked of the device, before the first frame.
struct TrainPlan {
  std::string device, rule, dataset;
  std::vector<Index> widths;
  Index samples = 0, epochs = 0, steps = 0;
  std::int64_t device_frames = 0;  ///< upper bound (no empty frames)
  double device_seconds = 0, device_joules = 0;
};

/// How a caller watches and stops a training run. All members may be empty.
struct TrainObserver {
  std::function<bool(const TrainPlan&)> on_plan;  ///< return false to stop before the first frame
  std::function<void(Index epoch, Index step, Index steps, double loss)> on_step;
  std::function<void(const EpochResult&)> on_epoch;
  std::function<bool()> stop;  ///< asked after every step; true: save a checkpoint and return
};

/// Trains. Throws InvalidParameter kinds before anything is opened, FileError, LinkError.
TrainResult train(const TrainSettings& settings, const Registry& registry, const TrainObserver& observer = {});

}  // namespace lightloop
