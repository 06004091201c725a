// Writing a device, once: what moves what is there must not be sent again blindly. The device's thread only.
#include <algorithm>
#include <cstring>

#include "core/error.hpp"
#include "driver/api/description.hpp"
#include "driver/api/session_core.hpp"

namespace lightloop {
namespace {

/// A hash of 64 bits, never 0. Programmes are large and written often: eight bytes a round instead of a SHA.
std::uint64_t fingerprint(const ConstFrames& codes) {
  const auto* next = static_cast<const std::byte*>(codes.data);
  auto left = static_cast<std::size_t>(codes.count * codes.size * codes.bytes);
  std::uint64_t hash = left;
  while (left > 0) {
    std::uint64_t word = 0;
    const std::size_t n = std::min(left, sizeof word);
    std::memcpy(&word, next, n);
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;  // 2^64 over the golden ratio (Knuth)
    hash ^= hash >> 32;
    next += n;
    left -= n;
  }
  return hash | 1u;
}

}  // namespace

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
    overwrite(job, written);
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

void SessionCore::overwrite(SessionJob& job, const ConstFrames& codes) {
  const auto now_holds = [&](std::uint64_t programme) { commit(job, [&] { written_ = programme; }); };
  const std::uint64_t before = written_;
  now_holds(0);
  try {
    device_->program(codes);
  } catch (const InvalidParameter&) {  // refused before anything was done
    now_holds(before);
    throw;
  } catch (const Unsupported&) {
    now_holds(before);
    throw;
  }
  now_holds(fingerprint(codes));
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
