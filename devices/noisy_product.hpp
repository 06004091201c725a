#pragma once
// A batch through passive optics with balanced detection: codes -> amplitudes -> a real matrix -> noise -> codes.
#include "core/linalg.hpp"
#include "core/random.hpp"
#include "driver/api/device.hpp"

namespace lightloop {

/// y = gain * op(map) x + noise_sd * xi for every frame x. `map` is (outputs, inputs) and op(map) is map itself, or its
/// transpose where `backwards`. xi: Stream `noise`, row = frame id, one normal per output.
struct NoisyProduct {
  View<const float> map;
  bool backwards = false;
  float gain = 1;
  double noise_sd = 0;
  Stream noise;
  double range = 1;  ///< |y| at the converter's ends; beyond it a code is clipped and counted
};

/// Workspaces of the batch, one row per frame; kept by the device so that a run allocates nothing new.
struct ProductWork {
  Matrix<float> drive, sums, draws;
};

/// Runs frames that Device::check_frames has passed; nothing to do for none. Bits do not depend on threads or on how
/// the batch is cut.
RunReport run_product(const NoisyProduct& product, const DeviceInfo& info, const ConstFrames& in, const Frames& out,
                      std::uint64_t first_frame_id, ProductWork& work);

}  // namespace lightloop
