#include "driver/api/session_status.hpp"

#include "core/error.hpp"

namespace lightloop {

Meter& Meter::operator+=(const Meter& other) {
  frames += other.frames;
  batches += other.batches;
  programs += other.programs;
  codes += other.codes;
  saturated += other.saturated;
  device_s += other.device_s;
  device_j += other.device_j;
  retries += other.retries;
  discarded += other.discarded;
  checks += other.checks;
  losses += other.losses;
  reopened += other.reopened;
  return *this;
}

std::string to_string(SessionState state) {
  switch (state) {
    case SessionState::closed:
      return "closed";
    case SessionState::opening:
      return "opening";
    case SessionState::ready:
      return "ready";
    case SessionState::running:
      return "running";
    case SessionState::degraded:
      return "degraded";
    case SessionState::lost:
      return "lost";
    case SessionState::fault:
      return "fault";
  }
  throw InternalError("session state", std::to_string(static_cast<int>(state)));
}

}  // namespace lightloop
