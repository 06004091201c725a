#pragma once
// From settings to the Feedback of a broadcast rule: a matrix in memory, one measured from a device, or the device.
#include <memory>

#include "driver/api/registry.hpp"
#include "driver/projection/projection.hpp"
#include "training/config.hpp"
#include "training/feedback.hpp"

namespace lightloop {

/// The feedback and, for a device, what it stands on.
struct FeedbackPath {
  std::unique_ptr<Session> session;
  std::unique_ptr<Projection> projection;
  std::unique_ptr<Feedback> feedback;
};

/// Checks device strings and settings as far as that goes without opening the device.
void check_device_settings(const TrainConfig& config, const Registry& registry);

/// Opens what the rule needs for B (outputs, inputs); all empty for a rule that needs nothing. No frame is sent, except
/// for rule.matrix_from, whose device is measured here and closed again. Throws Unsupported for a device that is no
/// projection.
FeedbackPath open_feedback(const TrainConfig& config, const Registry& registry, Index inputs, Index outputs);

}  // namespace lightloop
