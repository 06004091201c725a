#pragma once
// A batch through passive optics with balanced detection: codes -> amplitudes -> a real matrix -> noise -> codes.
#include "core/factor.hpp"
#include "devices/front_end.hpp"
#include "devices/symbol_filter.hpp"
#include "driver/api/device.hpp"

namespace lightloop {

/// y = (1 + intensity_sd xi) gain op(map) x + noise_sd xi for every frame x that the front end has read, behind
/// `filter` with what it remembers of gain op(map) x of former frames, and codes by the front end. `pass` is what the
/// frames are billed as. op(map) is map itself, of this pass's (outputs, inputs), or its transpose where `turned`.
/// Streams: row = frame id; `noise` one normal per output, `intensity` one per frame (for intensity_sd > 0).
struct NoisyProduct {
  const FrontEnd& front;
  Factor& map;
  Pass pass;
  bool turned = false;
  float gain = 1;
  double noise_sd = 0;      ///< of the physics; the front end's early noise is drawn with it
  double intensity_sd = 0;  ///< of the relative amplitude
  Stream noise, intensity;
  ConverterStreams converters;
  SymbolFilter* filter = nullptr;  ///< of the receivers; none: without memory
};

/// Workspaces of the batch, one row per frame; kept by the device so that a run allocates nothing new.
struct ProductWork {
  Matrix<float> drive, sums, quiet;
};

/// Runs frames that Device::check_frames has passed; nothing to do for none. Bits do not depend on threads or on how
/// the batch is cut.
RunReport run_product(const NoisyProduct& product, const DeviceInfo& info, const ConstFrames& in, const Frames& out,
                      std::uint64_t first_frame_id, ProductWork& work);

}  // namespace lightloop
