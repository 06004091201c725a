#include "driver/reservoir/delay_reservoir.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <memory>
#include <optional>

#include "core/error.hpp"

using namespace lightloop;

namespace {

/// A bench that plays a waveform and returns, for each output, half of the last sample plus half of the present one.
class Wave : public Device {
 public:
  Wave(Index samples, Index outputs, std::optional<double> delay_s = {}, const char* kind = "reservoir") {
    info_.kind = kind;
    info_.model = "wave";
    info_.input = {{samples}, 8, "DAC code"};
    info_.output = {{outputs * samples}, 12, "ADC code"};
    info_.stateful = true;
    if (delay_s)
      params_ = ParamSet("wave",
                         {{"feedback.delay_s", "s", *delay_s, 0, 0, "loop"}, {"sample_s", "s", 1e-9, 0, 0, "sample"}});
  }
  const DeviceInfo& describe() const override { return info_; }
  const ParamSet& settings() const override { return params_; }
  void configure(const Settings& changes) override { params_ = changed(changes); }
  void reset() override { last_ = 0; }
  RunReport run(ConstFrames in, Frames out, const RunOptions& options) override {
    check_frames(in, out, options);
    RunReport report;
    for (Index f = 0; f < in.count; ++f)
      for (Index i = 0; i < in.size; ++i) {
        const double now = in.at(f, i) / 255.0, y = 0.5 * (now + last_);
        last_ = now;
        for (Index c = 0; c < out.size / in.size; ++c)
          out.set(f, c * in.size + i, static_cast<std::uint32_t>(std::lround(4095 * y / static_cast<double>(c + 1))));
        if (now == 1) ++report.saturated;
      }
    report.frames = in.count;
    report.codes = in.count * out.size;
    return report;
  }
  void close() override {}

 private:
  DeviceInfo info_;
  ParamSet params_;
  double last_ = 0;
};

Session wave(Index samples, Index outputs = 1, std::optional<double> delay_s = {}) {
  return Session(std::make_unique<Wave>(samples, outputs, delay_s), "wave");
}

Matrix<float> mask(Index nodes) {
  Matrix<float> m(nodes, 1);
  for (Index i = 0; i < nodes; ++i) m(i, 0) = i % 2 ? -0.5f : 0.8f;
  return m;
}

Matrix<double> ramp(Index times) {
  Matrix<double> u(times, 1);
  for (Index t = 0; t < times; ++t) u(t, 0) = std::sin(0.7 * static_cast<double>(t));
  return u;
}

}  // namespace

TEST_CASE("one input becomes one mask of samples, and states are what comes back, without a gap") {
  auto session = wave(4);
  DelayReservoir reservoir(session, mask(4), {.gain = 0.9, .bias = 0.05});
  const auto u = ramp(50);
  Matrix<float> states(50, 4);
  reservoir.run(u, states);
  double last = 0;
  for (Index t = 0; t < 50; ++t)
    for (Index i = 0; i < 4; ++i) {
      const double s = 0.9 * static_cast<double>(mask(4)(i, 0)) * u(t, 0) + 0.05;
      const double now = std::rint((s + 1) / 2 * 255) / 255;
      CHECK(static_cast<double>(states(t, i)) == Approx(0.5 * (now + last)).margin(1.0 / 4095));
      last = now;
    }
  CHECK(reservoir.counts().drive == 200);
  CHECK(reservoir.counts().drive_clipped == 0);
}

TEST_CASE("several inputs in a frame give what one input per frame gives") {
  const auto u = ramp(21);
  Matrix<float> one(21, 4), many(21, 4);
  auto small = wave(4), large = wave(20);
  DelayReservoir(small, mask(4)).run(u, one);
  DelayReservoir five(large, mask(4));
  CHECK(five.inputs_per_frame() == 5);
  five.run(u, many);  // the last frame is filled up
  CHECK(std::equal(one.flat().begin(), one.flat().end(), many.flat().begin()));
}

TEST_CASE("a held node is read as the mean of its samples or as one of them") {
  auto session = wave(8);
  const auto u = ramp(10);
  Matrix<float> mean(10, 4), first(10, 4), last(10, 4);
  DelayReservoir(session, mask(4), {.samples_per_node = 2}).run(u, mean);
  session.reset();
  DelayReservoir(session, mask(4), {.samples_per_node = 2, .read_sample = 0}).run(u, first);
  session.reset();
  DelayReservoir(session, mask(4), {.samples_per_node = 2, .read_sample = 1}).run(u, last);
  for (Index i = 0; i < mean.size(); ++i)
    CHECK(mean.data()[i] == Approx(0.5f * (first.data()[i] + last.data()[i])).margin(1e-6));
  CHECK(first.data()[5] != last.data()[5]);
}

TEST_CASE("a device with two outputs has two states per node, output by output") {
  auto session = wave(4, 2);
  DelayReservoir reservoir(session, mask(4));
  CHECK(reservoir.nodes() == 8);
  Matrix<float> states(6, 8);
  reservoir.run(ramp(6), states);
  for (Index i = 0; i < 4; ++i) CHECK(states(5, 4 + i) == Approx(states(5, i) / 2).margin(2e-4));
}

TEST_CASE("drive beyond the converter's range is clipped and counted") {
  auto session = wave(4);
  DelayReservoir reservoir(session, mask(4), {.gain = 2});
  Matrix<double> u(3, 1);
  u(1, 0) = 1;  // s = 1.6, -1, 1.6, -1
  Matrix<float> states(3, 4);
  reservoir.run(u, states);
  CHECK(reservoir.counts().drive_clipped == 2);
  CHECK(reservoir.counts().detected_clipped == 2);
}

TEST_CASE("masks that do not fit the loop, the frame or the device are refused") {
  auto loop = wave(4, 1, 3e-9);
  CHECK_THROWS_WITH(DelayReservoir(loop, mask(4)), Catch::Contains("mask longer than the delay"));
  auto longer = wave(4, 1, 4e-9);
  CHECK_NOTHROW(DelayReservoir(longer, mask(4)));
  auto session = wave(4);
  CHECK_THROWS_AS(DelayReservoir(session, mask(4), {.delay_samples = 3}), InvalidParameter);
  CHECK_THROWS_AS(DelayReservoir(session, mask(3)), ShapeMismatch);
  CHECK_THROWS_AS(DelayReservoir(session, mask(8)), ShapeMismatch);
  CHECK_THROWS_AS(DelayReservoir(session, mask(4), {.read_sample = 1}), OutOfRange);
  Session other(std::make_unique<Wave>(4, 1, std::nullopt, "layer"), "layer");
  CHECK_THROWS_AS(DelayReservoir(other, mask(4)), Unsupported);
  DelayReservoir reservoir(session, mask(4));
  Matrix<double> u(2, 1);
  u(1, 0) = std::nan("");
  Matrix<float> states(2, 4);
  CHECK_THROWS_AS(reservoir.run(u, states), InvalidParameter);
  CHECK_THROWS_AS(reservoir.run(Matrix<double>(2, 2), states), ShapeMismatch);
}

TEST_CASE("collect throws the washout away") {
  auto session = wave(4);
  DelayReservoir reservoir(session, mask(4));
  const auto u = ramp(12);
  const auto all = collect(reservoir, u, 0), kept = collect(reservoir, u, 5);
  CHECK(kept.rows() == 7);
  for (Index i = 0; i < kept.size(); ++i) CHECK(kept.data()[i] == all.data()[20 + i]);
  CHECK_THROWS_AS(collect(reservoir, u, 12), OutOfRange);
}
