#include "sim/detection/receiver.hpp"

#include "core/error.hpp"

namespace lightloop {

Receiver::Receiver(const ReceiverModel& model) {
  LIGHTLOOP_ASSERT(model.range > 0 && model.noise_sd >= 0 && model.bits >= 1 && model.bits <= 16);
  top_ = std::exp2(model.bits) - 1;
  gain_ = top_ / model.range;
  noise_ = gain_ * model.noise_sd;
}

double noise_for_snr(double range, double snr) { return range / std::sqrt(snr); }

}  // namespace lightloop
