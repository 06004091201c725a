#include "driver/projection/shots.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace lightloop {

Shots::Shots(Session& session, Index inputs, Index anchor) : session_(session), inputs_(inputs), anchor_(anchor) {
  const DeviceInfo& info = session.info();
  if (info.input.bytes() != 1)
    throw Unsupported("projection on " + info.model, std::to_string(info.input.bits) + " bits per input code",
                      "at most 8", "A projection needs a binary modulator.");
  for (std::size_t i = 0; i < info.aux_inputs.size(); ++i) {
    if (info.aux_inputs[i].name == "reference_phase") phase_ = static_cast<Index>(i);
    if (info.aux_inputs[i].name == "reference_shutter") shutter_ = static_cast<Index>(i);
  }
}

void Shots::begin(Index frames) {
  const DeviceInfo& info = session_.info();
  in_.resize(frames, info.input.size());
  aux_.resize(frames, static_cast<Index>(info.aux_inputs.size()));
  count_ = 0;
}

void Shots::add(std::span<const std::uint8_t> pattern, const Shot& shot) {
  LIGHTLOOP_ASSERT(count_ < in_.rows() && static_cast<Index>(pattern.size()) == inputs_);
  const DeviceInfo& info = session_.info();
  const auto on = static_cast<std::uint8_t>(info.input.highest());
  std::uint8_t* mirrors = in_.row(count_).data();
  for (std::size_t i = 0; i < pattern.size(); ++i) mirrors[i] = pattern[i] ? on : std::uint8_t{0};
  std::fill_n(mirrors + inputs_, anchor_, shot.anchor ? on : std::uint8_t{0});
  std::fill(mirrors + inputs_ + anchor_, mirrors + in_.cols(), std::uint8_t{0});

  for (Index i = 0; i < aux_.cols(); ++i)
    aux_(count_, i) = static_cast<std::uint16_t>(info.aux_inputs[static_cast<std::size_t>(i)].rest);
  if (shutter_ >= 0) aux_(count_, shutter_) = shot.reference;
  if (phase_ >= 0 && shot.reference) aux_(count_, phase_) = shot.phase;
  ++count_;
}

void Shots::run() {
  if (count_ == 0) return;
  out_.resize(session_.info().output, count_);
  session_.run(frames(), out_.frames());
  answers_ = out_.frames();
}

void Shots::submit() {
  if (count_ > 0) ticket_ = session_.submit(frames());
}

void Shots::wait() {
  if (count_ == 0) return;
  try {
    answers_ = ticket_.frames();
  } catch (...) {
    session_.continue_at(ticket_.first_frame_id());
    throw;
  }
}

ConstFrames Shots::frames() const {
  const View<const std::uint8_t> in = in_.view().rows(0, count_);
  return aux_.cols() > 0 ? ConstFrames(in, aux_.view().rows(0, count_)) : ConstFrames(in);
}

void Shots::accumulate(Index frame, float weight, std::span<float> sum) const {
  const ConstFrames& out = answers_;
  const auto add_row = [&](auto codes) {
    float* to = sum.data();
    const auto* from = codes.data();
    for (std::size_t i = 0; i < codes.size(); ++i) to[i] += weight * static_cast<float>(from[i]);
  };
  if (out.bytes == 1)
    add_row(out.u8().row(frame));
  else
    add_row(out.u16().row(frame));
}

Index Shots::frame_bytes() const {
  const DeviceInfo& info = session_.info();
  return info.input.size() + info.output.size() * info.output.bytes();
}

int Shots::phase_bits() const {
  if (phase_ < 0 || shutter_ < 0)
    throw Unsupported("projection.readout", "phase stepping on " + session_.info().model,
                      "a device with a reference arm (auxiliary inputs reference_phase and reference_shutter)",
                      "Switch the arm on where the device has a setting for it (reference.*), or use readout=anchor.");
  return session_.info().aux_inputs[static_cast<std::size_t>(phase_)].bits;
}

}  // namespace lightloop
