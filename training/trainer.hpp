#pragma once
// From a table of settings to a trained network and its run file. The command, Python and C++ programs all come through
// here.
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "core/param.hpp"
#include "driver/api/registry.hpp"
#include "driver/projection/projection.hpp"
#include "training/datasets/dataset.hpp"
#include "training/network.hpp"
#include "training/rules/touch.hpp"

namespace lightloop {

/// The "train." settings. The command's options, the TOML table [train], Python's keywords and the docs are made from
/// this list.
std::vector<ParamInfo> train_params();

/// One namespace: "train.lr", "rule.dead_zone", "projection.readout", "device.camera.bits".
using TrainSettings = Settings;

struct EpochResult {
  Index epoch = 0;  ///< 1-based
  double train_loss = 0, test_accuracy = 0, learning_rate = 0;
  double test_loss = std::numeric_limits<double>::quiet_NaN();  ///< mean per label; NaN in files of older versions
  double validation_accuracy = std::numeric_limits<double>::quiet_NaN();  ///< NaN: the data have no such part
  std::vector<double> alignment;           ///< per hidden layer, mean over non-empty samples; NaN when none
  std::vector<double> gradient_alignment;  ///< per layer (block), the output's too; NaN when none, empty in older files
  std::vector<double> weight_alignment;    ///< per hidden layer, see Rule::weight_alignment; empty where there is none
  std::int64_t device_frames = 0;          ///< so far
  double device_s = 0, device_j = 0, train_s = 0;
  /// Of train_s, seconds in which nothing was left to do but wait for the device that projects, and read its answers;
  /// NaN without one, and in files of older versions.
  double waited_s = std::numeric_limits<double>::quiet_NaN();
  double active_fraction = 1;      ///< samples whose error reached the hidden layers
  std::vector<double> layer_loss;  ///< mean local loss of each layer, for rules that have one
  StepTouch touch;                 ///< what the layers and the projection were asked so far
  std::vector<double> probe, cka;  ///< with train.layer_metrics: see LayerMetrics; empty otherwise
  double fidelity = std::numeric_limits<double>::quiet_NaN();  ///< with train.fidelity: see projection_fidelity()
};

/// "sim:opu" of the device string "sim:opu,seed=3".
std::string device_model(const std::string& device);

/// What one kind of device did for a run.
struct DeviceShare {
  std::string part;     ///< "projection" of the error, "layers" or "map"
  std::string address;  ///< device string
  std::int64_t frames = 0;
  double seconds = 0, joules = 0;
  std::int64_t writes = 0;  ///< programmes written to it; 0 in files of older versions
};

struct TrainResult {
  Network net;
  std::string title;  ///< as in TrainPlan
  std::string rule, device, out;
  Settings settings;        ///< of the run, those of its file where it went on with one: settings_of() of run_file.hpp
  Matrix<float> own;        ///< (1, n) parameters of the rule itself, such as local heads
  std::string layers = {};  ///< device string of the forward pass; empty: digital
  std::string map = {};     ///< device string of the physics in front of the layers; empty: none
  std::vector<EpochResult> epochs;
  double test_accuracy = 0, train_seconds = 0, samples_per_second = 0;
  std::int64_t device_frames = 0, device_writes = 0;
  double device_seconds = 0, device_joules = 0;  ///< of all devices together
  std::vector<DeviceShare> devices;              ///< what each of them has in it
  std::int64_t device_retries = 0, device_losses = 0,
               device_reopened = 0;  ///< batches shown again, links lost, opened again
  std::int64_t clipped_inputs = 0;   ///< numbers beyond the range of a map, shown as its end
  std::int64_t saturated = 0;        ///< codes that the device of a map clipped
  std::vector<double> alignment;
  std::uint64_t seed = 0;
  std::string weights_sha256;
  Health health_start, health_end;
  std::vector<std::string> warnings;  ///< of data and calibration, then faults
  bool interrupted = false;           ///< stopped by `stop`; the checkpoint in `out` resumes it
};

/// What will be asked of the device, before the first frame.
struct TrainPlan {
  std::string title;  ///< what the run uses: "dfa on sim:opu, layers on sim:crossbar"
  /// `device`: of the projection or, without one, what the layers or the map run on.
  std::string device, rule, dataset;
  std::string layers, map;                   ///< as in TrainResult
  std::string encoding, readout;             ///< of the projection; empty without a device
  std::vector<Index> widths;                 ///< of a model: of its blocks
  std::string net;                           ///< Network::text()
  Index samples = 0, epochs = 0, steps = 0;  ///< steps still to do
  double samples_per_step = 0;
  StepTouch touch_per_step;  ///< at most; of a full batch
  /// Upper bound (no empty frames), calibration, scoring and probes included, and on layers every row shown as often as
  /// bound management may show it (layer.max_repeats); what faults repeat is not in it. Energies of devices that follow
  /// the weights are those of the present ones, and pulses (layer.update) count as one write per update.
  std::int64_t device_frames = 0;
  double device_seconds = 0, device_joules = 0;  ///< of these frames at the present exposure, or projection.exposure
  /// The same where no row meets the end of the ADC: what it comes near to where ranges suit the weights.
  std::int64_t frames_shown_once = 0;
  double seconds_shown_once = 0, joules_shown_once = 0;
  std::int64_t device_writes = 0;  ///< programmes written to the devices of layers, at most
  double exposure_s = 0;           ///< what calibration set; 0 before, and where there is none to set
};

/// How a caller watches and stops a training run. All members may be empty.
struct TrainObserver {
  std::function<bool(const TrainPlan&)> on_plan;        ///< return false to stop before the first frame
  std::function<void(const TrainPlan&)> on_calibrated;  ///< the plan at the exposure that calibration found
  std::function<void(const std::string&)> on_warning;   ///< of the data, of the device's calibration, and its faults
  std::function<void(Index epoch, Index step, Index steps, double loss)> on_step;
  std::function<void(const EpochResult&)> on_epoch;
  std::function<bool()> stop;  ///< asked after every step; true: save a checkpoint and return
};

/// Trains, leaves the run file in train.out (if given) and returns the network with its curves.
///
/// Settings are checked as a whole before anything is opened; the device is opened before the plan is shown, and no
/// frame is sent before `on_plan` has agreed. With train.resume the settings of the file are the defaults, a setting
/// that would change the result is refused, and the weights come out as if the run had never stopped. The run file is
/// held against other programs meanwhile (core/file_lock.hpp), and an existing one is replaced only with train.force.
/// Throws InvalidParameter kinds, Refused for a device time above train.max_device_seconds, OutOfRange for a loss or
/// weights that are no longer finite, FileError, LinkError.
/// Randomness: weights_init (instance = layer), batch_order (row = epoch), what the rule and the device draw; all from
/// train.seed, which is also the device's `seed` unless that is given.
TrainResult train(const TrainSettings& settings, const Registry& registry, const TrainObserver& observer = {});
/// The same on data already in memory; "train.dataset" then only names it in the run file.
TrainResult train(const TrainSettings& settings, TrainTest data, const Registry& registry,
                  const TrainObserver& observer = {});

/// The runs of train.baseline ("bp,dfa"): the same settings without the device, one per rule; of the rule's settings
/// those that the other rule has too. Empty without baselines. Throws UnknownName for a rule that is not there.
std::vector<TrainSettings> baselines(const TrainSettings& settings);
/// `settings` laid over those of the run file that train.resume names, for the baselines of a resumed run; without
/// train.resume: `settings`. Throws as train() does for a file or a setting that does not fit.
TrainSettings with_stored(const TrainSettings& settings);

}  // namespace lightloop
