#pragma once
// Lasers of one value type. Private to spin_flip: one source per precision instantiates it.
#include <cmath>
#include <numbers>
#include <vector>

#include "core/denormals.hpp"
#include "core/error.hpp"
#include "sim/detection/receiver.hpp"
#include "sim/lasers/spin_flip.hpp"
#include "sim/lasers/spin_flip_kernel.hpp"

namespace lightloop::spin_flip {

template <class V>
class LaserLanes final : public Lasers {
 public:
  using Scalar = typename LanesOf<V>::Scalar;
  static constexpr int kLanes = LanesOf<V>::kCount;

  explicit LaserLanes(const LaserGrid& grid)
      : grid_(grid),
        parts_(grid.two_polarisations ? 4 : 2),
        past_(static_cast<std::size_t>(grid.delay_steps) * parts_),
        models_(kLanes),
        bandwidth_(kLanes, -1.0) {
    LIGHTLOOP_ASSERT(grid.delay_steps >= 1);
    for (int lane = 0; lane < kLanes; ++lane) set(lane, {}, kUnlimited);
  }

  int lanes() const override { return kLanes; }
  const LaserGrid& grid() const override { return grid_; }
  const LaserModel& model(int lane) const override { return models_[static_cast<std::size_t>(lane)]; }
  void set(int lane, const LaserModel& model, double bandwidth_hz) override;
  LaserState state(int lane) const override;
  void set_state(int lane, const LaserState& state) override;
  void advance(Index steps, const double* pump, const double* injected, const float* normals, Index stride,
               double* mean_x, double* mean_y) override;
  void save(ByteWriter& bytes) const override;
  void load(ByteReader& bytes) override;

 private:
  /// Lane `lane` of a value.
  static Scalar& at(V& value, int lane) { return reinterpret_cast<Scalar*>(&value)[lane]; }
  static const Scalar& at(const V& value, int lane) { return reinterpret_cast<const Scalar*>(&value)[lane]; }
  static void put(Pair<V>& pair, int lane, std::complex<double> z) {
    at(pair.r, lane) = static_cast<Scalar>(z.real());
    at(pair.i, lane) = static_cast<Scalar>(z.imag());
  }
  void turn_past(int lane, double change_hz);
  template <bool two, bool saturated, bool noisy>
  void run(Index steps, const double* pump, const double* injected, const float* normals, Index stride, double* mean_x,
           double* mean_y);

  LaserGrid grid_;
  std::size_t parts_;
  Rates<V> rates_;
  // State. past_ holds, per step, Re and Im of x (and y): the slot after `slot_` is the oldest of delay_steps; the
  // value one step older still, which a step starts from, is oldest_.
  Fields<V> fields_;
  std::vector<V> past_;
  V oldest_[4] = {};
  V filtered_x_{}, filtered_y_{};
  std::size_t slot_ = 0;
  // What the lanes were set to.
  std::vector<LaserModel> models_;
  std::vector<double> bandwidth_;
};

template <class V>
void LaserLanes<V>::set(int lane, const LaserModel& m, double bandwidth_hz) {
  LIGHTLOOP_ASSERT(lane >= 0 && lane < kLanes);
  using Complex = std::complex<double>;
  const double h = grid_.step_s, k = 0.5 / m.photon_lifetime_s, g = 1 / m.carrier_lifetime_s;
  const bool two = grid_.two_polarisations;
  LaserModel& before = models_[static_cast<std::size_t>(lane)];
  if (before.detuning_hz != m.detuning_hz) turn_past(lane, m.detuning_hz - before.detuning_hz);
  const auto store = [&](V& to, double value) { at(to, lane) = static_cast<Scalar>(value); };
  store(rates_.k, k * h);
  store(rates_.k_alpha, k * m.alpha * h);
  store(rates_.g, g * h);
  store(rates_.saturation, m.saturation);
  store(rates_.dichroism, m.dichroism_rate * h);
  store(rates_.noise, m.spontaneous * g * h * (two ? 0.25 : 0.5));

  // Exact rotation by the angle a = -(detuning +- birefringence) h; a constant c gives c h (e^{ia} - 1) / (ia).
  const double detuning = 2 * std::numbers::pi * m.detuning_hz * h;
  const double split = two ? m.birefringence_rad_per_s * h : 0;
  const auto integral = [](double a) {
    if (std::abs(a) < 1e-4) return Complex(1 - a * a / 6, a / 2);
    return (std::polar(1.0, a) - 1.0) / Complex(0, a);
  };
  const double ax = -detuning - split, ay = -detuning + split, kick = m.injection_rate * h;
  put(rates_.whole_x, lane, std::polar(1.0, ax));
  put(rates_.whole_y, lane, std::polar(1.0, ay));
  put(rates_.half_x, lane, std::polar(1.0, ax / 2));
  put(rates_.half_y, lane, std::polar(1.0, ay / 2));
  put(rates_.injected_x, lane, kick * (two ? std::cos(m.injection_angle_rad) : 1.0) * integral(ax));
  put(rates_.injected_y, lane, kick * std::sin(m.injection_angle_rad) * integral(ay));

  // e^{i phi} E(t - tau), and the turn of the frame in the meantime (whole turns taken off before rounding).
  const double turns = std::fmod(m.detuning_hz * h * static_cast<double>(grid_.delay_steps), 1.0);
  const Complex back = std::polar(m.feedback_rate * h, m.feedback_phase_rad - 2 * std::numbers::pi * turns);
  put(rates_.feedback_x, lane, grid_.feedback == FeedbackPath::x_to_y ? 0 : back);
  put(rates_.feedback_y, lane, back);

  const double z = m.spin_rate * h;
  const double phi1 = z > 1e-3 ? -std::expm1(-z) / z : 1 - z / 2 + z * z / 6;
  const double phi2 = z > 1e-3 ? (std::expm1(-z) + z) / (z * z) : 0.5 - z / 6 + z * z / 24;
  store(rates_.spin_keep, std::exp(-z));
  store(rates_.spin_predict, phi1);
  store(rates_.spin_first, phi1 - phi2);
  store(rates_.spin_second, phi2);

  const double keep = low_pass_keep(bandwidth_hz, h);
  store(rates_.filter_keep, keep);
  store(rates_.filter_take, 1 - keep);
  before = m;
  bandwidth_[static_cast<std::size_t>(lane)] = bandwidth_hz;
}

/// Another detuning means another frame from now on: light of age a must look as if it had always been in it.
template <class V>
void LaserLanes<V>::turn_past(int lane, double change_hz) {
  const auto turn = [&](V* value, double age) {
    const double turns = std::fmod(change_hz * grid_.step_s * age, 1.0);
    for (std::size_t c = 0; c < parts_; c += 2) {
      Scalar &re = at(value[c], lane), &im = at(value[c + 1], lane);
      const auto z = std::complex<double>(re, im) * std::polar(1.0, 2 * std::numbers::pi * turns);
      re = static_cast<Scalar>(z.real());
      im = static_cast<Scalar>(z.imag());
    }
  };
  const auto slots = static_cast<std::size_t>(grid_.delay_steps);
  for (std::size_t age = 0; age < slots; ++age)
    turn(&past_[((slot_ + slots - age) % slots) * parts_], static_cast<double>(age));
  turn(oldest_, static_cast<double>(slots));
}

template <class V>
LaserState LaserLanes<V>::state(int lane) const {
  const Fields<V>& f = fields_;
  return {{at(f.xr, lane), at(f.xi, lane)}, {at(f.yr, lane), at(f.yi, lane)}, at(f.carriers, lane), at(f.spin, lane)};
}

template <class V>
void LaserLanes<V>::set_state(int lane, const LaserState& state) {
  const auto store = [&](V& to, double value) { at(to, lane) = static_cast<Scalar>(value); };
  store(fields_.xr, state.x.real());
  store(fields_.xi, state.x.imag());
  store(fields_.yr, state.y.real());
  store(fields_.yi, state.y.imag());
  store(fields_.carriers, state.carriers);
  store(fields_.spin, state.spin);
  for (V& value : past_) store(value, 0);
  for (V& value : oldest_) store(value, 0);
  const V now[4] = {fields_.xr, fields_.xi, fields_.yr, fields_.yi};
  for (std::size_t c = 0; c < parts_; ++c) at(past_[slot_ * parts_ + c], lane) = at(now[c], lane);
  store(filtered_x_, std::norm(state.x));
  store(filtered_y_, std::norm(state.y));
}

template <class V>
void LaserLanes<V>::advance(Index steps, const double* pump, const double* injected, const float* normals, Index stride,
                            double* mean_x, double* mean_y) {
  const FlushDenormals flush;
  bool saturated = false;
  for (const LaserModel& m : models_) saturated |= m.saturation != 0;
  const auto go = [&](auto two, auto sat, auto noisy) {
    run<two.value, sat.value, noisy.value>(steps, pump, injected, normals, stride, mean_x, mean_y);
  };
  const auto choose = [&](auto two, auto sat) {
    if (normals)
      go(two, sat, std::true_type{});
    else
      go(two, sat, std::false_type{});
  };
  const auto with = [&](auto two) {
    if (saturated)
      choose(two, std::true_type{});
    else
      choose(two, std::false_type{});
  };
  if (grid_.two_polarisations)
    with(std::true_type{});
  else
    with(std::false_type{});
}

template <class V>
template <bool two, bool saturated, bool noisy>
void LaserLanes<V>::run(Index steps, const double* pump, const double* injected, const float* normals, Index stride,
                        double* mean_x, double* mean_y) {
  constexpr std::size_t parts = two ? 4 : 2;
  const std::size_t slots = static_cast<std::size_t>(grid_.delay_steps);
  // the polarisation that feeds x, and the one that feeds y
  const std::size_t into_x = two && grid_.feedback != FeedbackPath::isotropic ? 2 : 0, into_y = two ? 2 - into_x : 0;
  const Rates<V>& r = rates_;
  Drive<V> begin, end;
  begin.g_mu = end.g_mu = r.g * LanesOf<V>::load(pump);
  const V light = LanesOf<V>::load(injected);
  const Pair<V> jx{r.injected_x.r * light, r.injected_x.i * light}, jy{r.injected_y.r * light, r.injected_y.i * light};
  const auto feed = [&](Drive<V>& drive, const V* from) {
    drive.feedback_x = turned(r.feedback_x, from[into_x], from[into_x + 1]);
    if constexpr (two) drive.feedback_y = turned(r.feedback_y, from[into_y], from[into_y + 1]);
  };
  feed(begin, oldest_);

  Fields<V> s = fields_;
  V filtered_x = filtered_x_, filtered_y = filtered_y_, sum_x{}, sum_y{};
  std::size_t slot = slot_;
  for (Index n = 0; n < steps; ++n) {
    slot = slot + 1 == slots ? 0 : slot + 1;
    V* const then = &past_[slot * parts];
    feed(end, then);
    if (n + 1 == steps)
      for (std::size_t c = 0; c < parts; ++c) oldest_[c] = then[c];
    V xi[4];
    if constexpr (noisy)
      for (Index c = 0; c < (two ? 4 : 2); ++c) xi[c] = LanesOf<V>::load(normals + (n * 4 + c) * stride);
    step<two, saturated, noisy>(r, s, begin, end, jx, jy, xi);
    begin = end;
    then[0] = s.xr;
    then[1] = s.xi;
    filtered_x = r.filter_keep * filtered_x + r.filter_take * (s.xr * s.xr + s.xi * s.xi);
    sum_x = sum_x + filtered_x;
    if constexpr (two) {
      then[2] = s.yr;
      then[3] = s.yi;
      filtered_y = r.filter_keep * filtered_y + r.filter_take * (s.yr * s.yr + s.yi * s.yi);
      sum_y = sum_y + filtered_y;
    }
  }
  fields_ = s;
  filtered_x_ = filtered_x;
  filtered_y_ = filtered_y;
  slot_ = slot;
  for (int lane = 0; lane < kLanes; ++lane) {
    mean_x[lane] = static_cast<double>(at(sum_x, lane)) / static_cast<double>(steps);
    mean_y[lane] = static_cast<double>(at(sum_y, lane)) / static_cast<double>(steps);
  }
}

template <class V>
void LaserLanes<V>::save(ByteWriter& bytes) const {
  bytes.put(static_cast<std::uint32_t>(sizeof(V) * parts_));
  bytes.put(static_cast<std::uint32_t>(kLanes));
  bytes.put(static_cast<std::uint64_t>(past_.size()));
  bytes.put(static_cast<std::uint64_t>(slot_));
  bytes.put(fields_);
  bytes.put(oldest_);
  bytes.put(filtered_x_);
  bytes.put(filtered_y_);
  bytes.put_all(std::span<const V>(past_));
}

template <class V>
void LaserLanes<V>::load(ByteReader& bytes) {
  const auto kind = bytes.get<std::uint32_t>(), count = bytes.get<std::uint32_t>();
  const auto size = bytes.get<std::uint64_t>(), slot = bytes.get<std::uint64_t>();
  if (kind != sizeof(V) * parts_ || count != kLanes || size != past_.size() || slot * parts_ >= past_.size())
    bytes.refuse("lasers of another delay, precision or number");
  const auto fields = bytes.get<Fields<V>>();
  V oldest[4], filtered[2];
  bytes.get_all(std::span<V>(oldest));
  bytes.get_all(std::span<V>(filtered));
  bytes.get_all(std::span<V>(past_));  // the last to fail, and it fails before it writes
  fields_ = fields;
  std::copy_n(oldest, 4, oldest_);
  filtered_x_ = filtered[0];
  filtered_y_ = filtered[1];
  slot_ = static_cast<std::size_t>(slot);
}

}  // namespace lightloop::spin_flip
