// Writing a device, once: what moves what is there must not be sent again blindly. The device's thread only.
#include "core/error.hpp"
#include "driver/api/session_core.hpp"

namespace lightloop {

bool SessionCore::moves_by_pulses() const {
  return settings_.has("program.mode") && settings_.text("program.mode") == "pulses";
}

void SessionCore::refuse_unknown_cells() const {
  if (cells_unknown_)
    throw OnceOnly(address_, "nobody knows what its cells hold", "the link was lost while pulses move them",
                   "Write all weights (program.mode=weights, then program()), or restore() a snapshot.");
}

void SessionCore::write(SessionJob& job, const FrameBuffer& codes) {
  const ConstFrames written = codes.frames();
  if (moves_by_pulses())
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
  cells_unknown_ = false;
  if (can_reopen()) {
    programme_ = codes;
    programme_moves_ = moves_by_pulses();
  }
  remember();
  if (const auto told = observer()) told->on_program(written);
}

/// Pulses that may have arrived are undone before they are sent again, or not sent again.
void SessionCore::pulse(SessionJob& job, const ConstFrames& codes) {
  refuse_unknown_cells();
  if (!memory_ || memory_->empty()) memory_ = device_->snapshot();
  const bool undone = !memory_->empty();
  cells_unknown_ = !undone;  // until they have arrived
  const auto once_only = [&](const Error& error) {
    commit(job, [&] { note("pulses may have arrived or not: " + std::string(error.what())); });
    throw OnceOnly(
        address_, "pulses may have arrived, or not: they are not sent again", error.what(),
        "The device keeps no snapshot of its cells: write all weights (program.mode=weights, then program()).");
  };
  try {
    device_->program(codes);
  } catch (const FrameError& error) {
    if (!undone) once_only(error);
    device_->restore(*memory_);
    throw;
  } catch (const Timeout& error) {
    if (!undone) once_only(error);
    device_->restore(*memory_);
    throw;
  } catch (const LinkError& error) {
    if (undone) {  // what is opened again gets its memory back
      cells_unknown_ = !can_reopen();
      throw;
    }
    if (can_reopen()) lose(error.what());
    once_only(error);
  } catch (const InvalidParameter&) {  // refused before anything was done
    cells_unknown_ = false;
    throw;
  } catch (const Unsupported&) {
    cells_unknown_ = false;
    throw;
  }
}

}  // namespace lightloop
