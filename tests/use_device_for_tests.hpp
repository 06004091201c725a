#pragma once
// For tests only: everything a device can do, whatever it is, so that the same device behind two doors can be compared.
#include <vector>

#include "core/random.hpp"
#include "devices/catalogue.hpp"
#include "driver/api/session.hpp"
#include "driver/backends/backends.hpp"

namespace lightloop::test {

inline Registry all_devices() {
  Registry registry;
  add_devices(registry);
  add_backends(registry);
  return registry;
}

inline FrameBuffer random_frames(const FrameFormat& format, Index count, std::uint64_t set) {
  FrameBuffer frames(format, count);
  std::vector<float> draw(static_cast<std::size_t>(count * format.size()));
  Stream(5, set, Purpose::user).uniform(0, 0, draw);
  for (Index i = 0; i < count * format.size(); ++i)
    frames.frames().set(0, i, static_cast<std::uint32_t>(draw[std::size_t(i)] * float(format.highest())));
  return frames;
}

/// Programmes, batches in both directions, auxiliary codes, memory put back, reset: as far as the device has them.
/// Returns every code that came back.
inline std::vector<std::uint32_t> use(Session& session) {
  std::vector<std::uint32_t> all;
  const auto run = [&](std::uint64_t set, Pass pass = Pass::forward) {
    const DeviceInfo& info = session.info();
    FrameFormat from = pass == Pass::forward ? info.input : info.output;
    FrameFormat to = pass == Pass::forward ? info.output : info.input;
    from.bits = info.input.bits;
    to.bits = info.output.bits;
    const FrameBuffer in = random_frames(from, 7, set);
    FrameBuffer out(to, 7);
    Matrix<std::uint16_t> aux(7, static_cast<Index>(info.aux_inputs.size()));
    for (Index i = 0; i < aux.size(); ++i) aux.data()[i] = static_cast<std::uint16_t>(i % 2);
    ConstFrames frames = in.frames();
    if (aux.cols() > 0 && pass == Pass::forward) frames.aux = aux;
    session.run(frames, out.frames(), {.pass = pass});
    for (Index k = 0; k < 7 * to.size(); ++k) all.push_back(out.frames().at(0, k));
  };
  for (std::uint64_t i = 0; i < 3; ++i) {
    if (session.info().program) {
      const FrameBuffer codes = random_frames(*session.info().program, 1, 10 + i);
      session.program(codes.frames());
    }
    run(i);
  }
  if (session.info().transposed) run(3, Pass::transposed);
  const auto memory = session.snapshot();
  run(4);
  session.restore(memory);
  run(4);
  session.reset();
  run(5);
  return all;
}

}  // namespace lightloop::test
