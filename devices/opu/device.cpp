#include "devices/opu/device.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <thread>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/linalg.hpp"
#include "core/threads.hpp"
#include "sim/media/binary_field.hpp"

namespace lightloop::opu {
Opu::Opu(const ParamSet& params) : params_(params), physics_(params), info_(physics_.info()), medium_(physics_) {}

void Opu::configure(const Settings& changes) {
  check_open(open_);
  ParamSet next = changed(changes);
  Physics physics(next);
  params_ = std::move(next);
  physics_ = std::move(physics);
  info_ = physics_.info();
  medium_.update_constant(physics_);
}

RunReport Opu::run(ConstFrames in, Frames out, const RunOptions& options) {
  check_open(open_);
  check_frames(in, out, options);
  follow_wall_clock();
  RunReport report;
  const Index most = frames_at_once(medium_.constant.cols());
  for (Index first = 0; first < in.count;) {
    check_deadline(options, info_.model);
    medium_.advance(physics_, clock_ns_);
    Index count = 1;
    while (count < std::min(most, in.count - first) &&
           physics_.drift.step_at(clock_ns_ + count * physics_.frame_ns) == medium_.step)
      ++count;
    report.saturated += expose(in.slice(first, count), out.slice(first, count),
                               options.first_frame_id + static_cast<std::uint64_t>(first), clock_ns_);
    clock_ns_ += count * physics_.frame_ns;
    first += count;
  }
  report.frames = in.count;
  report.codes = in.count * out.size;
  report.device_s = info_.cost.seconds(in.count, 1);
  report.device_j = info_.cost.joules(in.count, 1);
  if (params_.text("clock") == "wall") std::this_thread::sleep_until(opened_ + std::chrono::nanoseconds(clock_ns_));
  return report;
}

Index Opu::expose(const ConstFrames& in, const Frames& out, std::uint64_t first_id, std::int64_t time_ns) {
  const Index planes = medium_.constant.cols();
  fields_.resize(in.count, planes);
  if (physics_.medium_jitter > 0) fresh_.resize(in.count, planes);
  clipped_.assign(static_cast<std::size_t>(in.count), 0);
  if (physics_.inputs > kMostBinaryInputs) form_fields(in);
  parallel_for(in.count, [&](Index f) {
    const double time_s = static_cast<double>(time_ns + f * physics_.frame_ns) * 1e-9;
    clipped_[static_cast<std::size_t>(f)] = detect(in, out, f, first_id + static_cast<std::uint64_t>(f), time_s);
  });
  return std::accumulate(clipped_.begin(), clipped_.end(), Index{0});
}

void Opu::form_fields(const ConstFrames& in) {
  bits_.resize(in.count, physics_.inputs);
  const auto codes = in.u8();
  for (Index f = 0; f < in.count; ++f) std::copy_n(codes.row(f).data(), physics_.inputs, bits_.row(f).data());
  gemm(Transpose::no, Transpose::no, 1.0f, bits_.view().rows(0, in.count), medium_.matrix.matrix(), 0.0f,
       fields_.view().rows(0, in.count));
}

Index Opu::detect(const ConstFrames& in, const Frames& out, Index f, std::uint64_t id, double time_s) {
  const auto field = fields_.row(f);
  const auto constant = medium_.constant.row(0);
  const auto bits = in.u8().row(f);
  if (physics_.inputs <= kMostBinaryInputs) binary_field(medium_.matrix.matrix(), bits, field);
  const auto contrast = static_cast<float>(physics_.dmd.contrast);
  if (physics_.medium_jitter > 0) {
    const auto on = static_cast<double>(std::accumulate(bits.begin(), bits.end(), Index{0}));
    const double off_power = physics_.dmd.leak * physics_.dmd.leak;
    const double power = on + off_power * (static_cast<double>(physics_.inputs) - on) + physics_.dmd.background_power;
    const auto fresh = fresh_.row(f);
    Stream(physics_.seed, physics_.instance, Purpose::medium_jitter).normal(id, 0, fresh);
    jitter_field(physics_.medium_jitter, power, constant, contrast, fresh, field);
  }
  const bool interfere = !in.aux.empty() && in.aux(f, 1) == 1;
  const auto beam =
      interfere ? physics_.reference.beam(2 * std::numbers::pi * in.aux(f, 0) / 256, physics_.phase_jitter_rad, id)
                : ReferenceField{};
  const auto pixels = static_cast<std::size_t>(physics_.pixels);
  const auto light = field.first(pixels), scratch = field.subspan(pixels, pixels);
  pixel_intensity(physics_.grain_weights, field, constant, contrast, beam, light);
  const double photons = physics_.photons_per_s * physics_.laser.gain(id, time_s);
  return out.bytes == 1 ? physics_.camera.read(id, photons, light, scratch, out.u8().row(f))
                        : physics_.camera.read(id, photons, light, scratch, out.u16().row(f));
}

void Opu::follow_wall_clock() {
  if (params_.text("clock") != "wall") return;
  const std::chrono::nanoseconds elapsed = std::chrono::steady_clock::now() - opened_;
  clock_ns_ = std::max<std::int64_t>(clock_ns_, elapsed.count());
}

void Opu::reset() {
  check_open(open_);
  clock_ns_ = 0;
  opened_ = std::chrono::steady_clock::now();
  if (physics_.drift.on()) medium_ = Medium(physics_);
}

std::vector<std::byte> Opu::snapshot() const {
  if (!info_.stateful) return {};
  ByteWriter bytes;
  bytes.put(clock_ns_);
  bytes.put(medium_.step);
  if (physics_.drift.on()) bytes.put_all(std::as_const(medium_.matrix).entries().flat());
  return bytes.take();
}

void Opu::restore(const std::vector<std::byte>& state) {
  check_open(open_);
  if (!info_.stateful) return Device::restore(state);
  Matrix<float>& entries = medium_.matrix.entries();
  const std::size_t expected = 16 + (physics_.drift.on() ? entries.flat().size_bytes() : 0);
  ByteReader bytes(state, info_.model + " snapshot");
  if (state.size() != expected)
    bytes.refuse(std::to_string(state.size()) + " bytes instead of " + std::to_string(expected));
  clock_ns_ = bytes.get<std::int64_t>();
  medium_.step = bytes.get<std::uint64_t>();
  if (physics_.drift.on()) bytes.get_all(entries.flat());
  medium_.update_constant(physics_);
}

std::vector<Monitor> Opu::monitors() const {
  const double time_s = static_cast<double>(clock_ns_) * 1e-9;
  return {{"clock", "s", time_s},
          {"laser.pixel_power", "W", params_.real("laser.pixel_power") * physics_.laser.drift_gain(time_s)},
          {"medium.field_correlation", "1", physics_.drift.correlation(physics_.drift.on() ? medium_.step : 0)}};
}

void Opu::close() { open_ = false; }

}  // namespace lightloop::opu
