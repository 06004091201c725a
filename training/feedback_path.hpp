#pragma once
// From settings to the Feedback of a broadcast rule: a matrix in memory, one measured from a device, or the device.
#include <memory>

#include "driver/api/registry.hpp"
#include "driver/projection/projection.hpp"
#include "training/config.hpp"
#include "training/feedback.hpp"

namespace lightloop {

/// The feedback and, for a device, what it stands on. For a rule of one-hot labels the device shows columns, which the
/// feedback in memory takes over (TrainingLoop::read_columns). A device without feedback is there to be measured
/// (rule.matrix_from): B lives in memory afterwards.
struct FeedbackPath {
  std::unique_ptr<Session> session;
  std::unique_ptr<Projection> projection;
  std::unique_ptr<Feedback> feedback;
  bool measures() const { return projection && !feedback; }
};

/// Checks device strings and settings as far as that goes without opening the device.
void check_device_settings(const TrainConfig& config, const Registry& registry);

/// Opens what the rule needs for B (outputs, inputs); all empty for a rule that needs nothing. Sends no frame. With
/// `resumed` a measured matrix is not measured again: the feedback then waits for its snapshot. Throws Unsupported for
/// a device that is no projection.
FeedbackPath open_feedback(const TrainConfig& config, const Registry& registry, Index inputs, Index outputs,
                           bool resumed);

}  // namespace lightloop
