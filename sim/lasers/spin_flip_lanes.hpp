#pragma once
// Lasers of one value type: their state, and in and out of it. Private to spin_flip: one source per precision
// instantiates it, with spin_flip_rates.hpp and spin_flip_run.hpp.
#include <algorithm>
#include <vector>

#include "core/error.hpp"
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
