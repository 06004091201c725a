#pragma once
// One training run as a state that can be stepped, saved and restored.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "driver/recorder/recording.hpp"
#include "training/alignment.hpp"
#include "training/analog.hpp"
#include "training/config.hpp"
#include "training/datasets/dataset.hpp"
#include "training/feedback_path.hpp"
#include "training/physical_maps.hpp"
#include "training/run_file.hpp"

namespace lightloop {

/// Data, network, device, rule and optimizer of one run. Nothing in it depends on time or on the thread count, so equal
/// states have equal futures.
class TrainingLoop {
 public:
  /// Opens the device, makes or restores everything. `resumed` is what a run file held, if any. Sends no
  /// frame.
  TrainingLoop(TrainConfig config, TrainTest data, const Registry& registry, std::optional<RunFile> resumed);

  TrainPlan plan() const;
  /// Keeps what is to be warned of before the first step, and gives it.
  std::vector<std::string> first_warnings();
  /// Begins the recording and calibrates the device; false when there is none, or a resumed run has done it.
  bool calibrate();
  /// After calibrate(): takes the device's health, or measures the matrix of rule.matrix_from and closes its device.
  void measure();
  /// What has happened to the device since this was asked last: losses, repeats.
  std::vector<std::string> news();
  bool finished() const { return run_.position.epoch == epochs_; }
  /// One batch; returns its mean loss. The last batch of an epoch ends the epoch.
  double step();
  bool epoch_just_ended() const { return run_.position.step == 0 && !run_.epochs.empty(); }
  /// Takes the health at the end.
  void finish();
  /// Writes the run file; does nothing without train.out.
  void save();
  /// Takes away the file of a run that has failed before its first step has ended, unless it was resumed or what a
  /// device has shown for it is in the file: the next try need not replace it.
  void remove_empty_file() const;

  const RunFile& run() const { return run_; }
  Index step_in_epoch() const { return run_.position.step; }
  Index steps_per_epoch() const { return steps_per_epoch_; }
  const std::string& out() const { return config_.train.text("out"); }
  /// Completes the recording; throws FileError where that fails.
  void close_recording();
  /// What the caller gets; takes the network out and so ends the use of the loop.
  TrainResult take_result();

 private:
  void make_network();
  void open_path(const Registry& registry);
  void check_targets() const;
  std::unique_ptr<Rule> new_rule(Feedback* feedback) const;
  void make_rule();
  void open_layers(const Registry& registry);
  void check_moves_phases() const;
  void open_trials();
  /// Programmes of the layers' devices learn, and the rule knows their losses alone.
  bool tries_programmes() const { return layers_ && layers_->learns_programme() && config_.model->info.programmes; }
  void open_map(const Registry& registry);
  bool needs_twin() const;
  void begin_epoch();
  void wait_for_device();
  void end_epoch(double learning_rate);
  void check_weights() const;
  void note_device();
  LayerPass training_pass() const;
  double run_forward(AnalogNetwork* layers);
  double score_answer();
  void learn_on_devices(double lr);
  void gather_input(std::span<const std::uint32_t> which);
  void gather_targets(std::span<const std::uint32_t> which);
  Targets targets() const { return {labels_, values_, data_.train.counts}; }  ///< of the batch
  bool updates_early() const;
  void begin_update(double lr, Index rows, Index counted);
  void update_layer(Index layer);
  void check_loss(double loss) const;
  bool alignment_due() const;
  Index compared_rows() const;
  void compare_if_asked();
  void measure_alignment(const RuleBatch& batch);
  void pass_for_comparison(const RuleBatch& batch);
  void add_layer_loss(Index samples);
  void add_layers(TrainPlan& plan, const Rule& rule) const;
  void add_map(TrainPlan& plan, const Rule& rule) const;
  void add_projection(TrainPlan& plan) const;
  LayerTouch step_of_layer(const Rule& rule) const;
  LayerTouch answer_of_layer(const Rule& rule) const;
  StepTouch step_touch(StepTouch rule, Index samples) const;
  void copy_own();
  /// A device projects in every step.
  bool projects_each_step() const { return path_.projection && path_.feedback && !config_.model->info.one_hot; }
  bool columns_due(Index epoch) const;
  void read_columns();
  View<const float> feedback_matrix() const;
  Meter note_shares();
  void note_meter(const Meter& meter);
  void begin_recording();

  TrainConfig config_;
  TrainTest data_;
  FeedbackPath path_;
  std::unique_ptr<PhysicalMaps> maps_;                  ///< what stands in front of the layers; null: nothing
  std::unique_ptr<AnalogNetwork> layers_;               ///< where the forward pass runs; null: here
  std::vector<std::shared_ptr<Recording>> recordings_;  ///< several of layers on several devices
  std::unique_ptr<Rule> rule_;
  OptimizerSettings optimizer_;
  Schedule schedule_;
  Loss loss_ = Loss::cross_entropy;
  float weight_decay_ = 0;
  Index batch_ = 0, epochs_ = 0, steps_per_epoch_ = 0, alignment_every_ = 0, shift_ = 0;
  Index order_epoch_ = -1;
  std::vector<std::uint32_t> order_;
  std::vector<std::uint8_t> labels_;
  Activations activations_;
  Matrix<float> error_, gradient_, values_, unshifted_;
  Matrix<float> moved_gradient_;         ///< of what trials of programmes move
  std::optional<OptimizerStep> update_;  ///< of the present step
  std::vector<char> updated_;            ///< layers that have had it
  float gradient_scale_ = 1;
  Alignment alignment_;
  Activations compared_;  ///< of some rows, of rules with passes of their own
  Matrix<float> compared_error_;
  RunFile run_;
  Matrix<float> begun_with_;  ///< parameters of the rule itself in train.init_from
  bool resumed_ = false;
  std::int64_t told_ = 0, map_told_ = 0;  ///< events of the sessions
};

}  // namespace lightloop
