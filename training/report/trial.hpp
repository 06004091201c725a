#pragma once
// One network, deployed again and again on devices of one string with some of their sources of error switched.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "training/analog.hpp"

namespace lightloop {

/// Mean, sample standard deviation and number of repeated measurements.
struct Spread {
  double mean = 0, sd = 0;
  Index n = 0;
  double standard_error() const;
};
Spread spread(const std::vector<double>& values);

/// The t with P(T <= t) = p of Student's law with `freedom` degrees; p above 0.5. Throws OutOfRange.
double student_quantile(double p, Index freedom);

/// Effective number of bits of a signal with this relative rms error: (SINAD_dB - 1.76) / 6.02. Infinite for 0.
double enob(double relative_error);

struct TrialOptions {
  Index repeats = 5;     ///< each with other seeds: other fabrication, programming and read noise
  Index samples = 1000;  ///< of the data, drawn as Dataset::some() does; 0: all
  double age_s = 0;      ///< time that passes after the weights are written; 0: none
};

/// What one deployment gave.
struct TrialResult {
  double accuracy = 0;        ///< 0 where calibration refuses the devices
  std::string refused = {};   ///< what calibration said then; no errors, no energy. Empty: it did not
  std::vector<double> error;  ///< per layer: rms of answer - product, over rms of the product, for the same inputs
  std::vector<LayerReport> layers;
  Index samples = 0;
  /// Energy of one sample once the weights are written; with one device for all tiles its rewriting is in it, shared
  /// by the samples that were scored together.
  double sample_j = 0;
  double frame_j = 0;             ///< of one frame in every layer then: without rows shown again and devices rewritten
  double relative_error() const;  ///< rms over the layers; not a number where calibration refused
};

/// Some parameters of the devices and what they are, beside those asked for.
struct Variant {
  Settings settings;          ///< of all layers
  std::vector<Settings> own;  ///< per layer; may be shorter than the net
  bool aged = true;           ///< by TrialOptions::age_s
};

/// The rule whose scores stand in for the logits, its passes on devices or, with null, in memory (answering_rule());
/// gives null where the logits answer.
using Answers = std::function<std::unique_ptr<Rule>(LayerProducts* layers)>;

class Trial {
 public:
  /// Opens the devices once to learn their settings. `physics` is what stands in front of the layers as training left
  /// it, calibrated; it must outlive this, and every deployment finds it as it is now. Throws InvalidParameter kinds,
  /// and as `answers`; Unsupported for a net with physical layers without it.
  Trial(const Registry& registry, AnalogPlace place, const Network& net, const Dataset& data, Loss loss,
        TrialOptions options, Answers answers = {}, PhysicalMaps* physics = nullptr);

  /// Settings of the devices as they were asked for.
  const ParamSet& settings() const { return settings_; }
  /// Sources of error that are there: declared (ParamInfo::off), not at that value, in force (ParamInfo::only_with).
  const std::vector<std::string>& sources() const { return sources_; }
  /// The settings that take the given sources away, and with them those that this would bring into force; settings that
  /// mean nothing then have their defaults. Without sources it is the device that was asked for.
  Variant without(const std::vector<std::string>& sources) const;
  /// All but those taken away.
  Variant with_only(const std::vector<std::string>& sources) const;
  /// The sources that have to be there for this one to be felt, or felt in its size, in the order of sources(): those
  /// that ParamInfo::only_with names, unless their "off" is one of the values it asks for, and theirs in turn.
  std::vector<std::string> beside(const std::string& source) const;
  /// Whether the size of another source goes with this one: what that one costs without it is not known from any alone.
  bool sizes_others(const std::string& source) const;
  /// Whether the answers of a device with these sources and no others depend on what was before (DeviceInfo::stateful).
  bool drifts(const std::vector<std::string>& sources) const;
  /// Settings of every layer as they were asked for, its own among them.
  std::vector<ParamSet> layer_settings() const;
  /// Deploys a variant with the seeds of repeat number `repeat`, scores it and measures its errors.
  TrialResult run(const Variant& variant, Index repeat) const;
  /// What the devices say of themselves when they are opened, before weights are written; one frame in each of them.
  struct Declared {
    double frame_j = 0, latency_s = 0;
  };
  /// Throws what devices throw that refuse these settings.
  Declared declared(const Variant& variant) const;
  double digital_accuracy() const { return digital_; }
  const TrialOptions& options() const { return options_; }
  Index layers() const { return layers_; }        ///< with weights
  bool shares_device() const { return shared_; }  ///< all layers one device: none can have settings of its own

 private:
  struct Shown {
    Matrix<float> x, y;  ///< rows, and their products in memory
  };
  class InMemory;
  void look(const Network& net);
  Evaluation in_memory(const Network& net) const;
  AnalogPlace placed(const Variant& variant) const;
  const ParamInfo& info(const std::string& name) const;

  const Registry& registry_;
  AnalogPlace place_;
  const Network& net_;
  PhysicalMaps* physics_;
  std::vector<std::byte> as_trained_;  ///< of its session
  Dataset data_;
  Loss loss_;
  TrialOptions options_;
  Answers answers_;
  ParamSet settings_;
  std::vector<std::string> sources_, asleep_;
  double digital_ = 0;
  bool shared_ = false;
  Index layers_ = 0;
  std::vector<Shown> shown_;  ///< to every matrix, of the rows that errors are measured on
};

}  // namespace lightloop
