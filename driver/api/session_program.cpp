// Writing a device, once: what moves what is there must not be sent again blindly. The device's thread only.
#include "core/error.hpp"
#include "driver/api/description.hpp"
#include "driver/api/session_core.hpp"

namespace lightloop {

void SessionCore::settle_cells() {
  if (!cells_unknown_) return;
  if (!memory_ || memory_->empty())
    throw OnceOnly(address_, "nobody knows what its cells hold", "pulses that move them may have arrived, or not",
                   "Write all weights (program.mode=weights, then program()), or restore() a snapshot.");
  device_->restore(*memory_);
  cells_unknown_ = false;
}

void SessionCore::write(SessionJob& job, const FrameBuffer& codes) {
  const ConstFrames written = codes.frames();
  if (moves_by_pulses(settings_))
    pulse(job, written);
  else
    device_->program(written);
  commit(job, [&] {
    info_.cost = device_->describe().cost;  // what it draws may depend on the programme
    ++meter_.programs;
    meter_.device_s += info_.cost.program_s;
    meter_.device_j += info_.cost.program_j;
    ++generation_;
  });
  if (can_reopen()) {
    programme_ = codes;
    programme_moves_ = moves_by_pulses(settings_);
    programme_state_.clear();
  }
  remember();
  cells_unknown_ = false;
  if (const auto told = observer()) told->on_program(written);
}

/// Pulses that may have arrived are undone before any are sent, or none are. However this ends, cells_unknown_ stays
/// set until memory_ holds what they hold.
void SessionCore::pulse(SessionJob& job, const ConstFrames& codes) {
  settle_cells();
  if (!memory_ || memory_->empty()) memory_ = device_->snapshot();
  cells_unknown_ = true;
  try {
    device_->program(codes);
  } catch (const InvalidParameter&) {  // refused before anything was done
    cells_unknown_ = false;
    throw;
  } catch (const Unsupported&) {
    cells_unknown_ = false;
    throw;
  } catch (const Error& error) {
    if (!memory_->empty()) throw;
    if (can_reopen() && dynamic_cast<const LinkError*>(&error)) lose(error.what());
    commit(job, [&] { note("pulses may have arrived or not: " + std::string(error.what())); });
    throw OnceOnly(
        address_, "pulses may have arrived, or not: they are not sent again", error.what(),
        "The device keeps no snapshot of its cells: write all weights (program.mode=weights, then program()).");
  }
}

}  // namespace lightloop
