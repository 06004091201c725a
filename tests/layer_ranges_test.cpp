// Running ranges of inputs and ADC on the simulated crossbar.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <memory>

#include "core/error.hpp"
#include "core/random.hpp"
#include "core/threads.hpp"
#include "devices/catalogue.hpp"
#include "driver/api/registry.hpp"
#include "driver/layer/layer.hpp"

namespace lightloop {
namespace {

const std::string kFine = "sim:crossbar,preset=ideal,dac.bits=12,weight.bits=14,adc.bits=14";

std::unique_ptr<Session> open(const std::string& address, Index n_in, Index n_out) {
  Registry registry;
  add_devices(registry);
  const Settings sizes{{"input.size", n_in}, {"output.size", n_out}};
  return std::make_unique<Session>(registry.open(address, sizes), address);
}

Matrix<float> normal(Index rows, Index cols, std::uint64_t set, float size = 1) {
  Matrix<float> m(rows, cols);
  for (Index r = 0; r < rows; ++r) Stream(11, set, Purpose::user).normal(static_cast<std::uint64_t>(r), 0, m.row(r));
  for (float& value : m.flat()) value *= size;
  return m;
}

Settings windows(const char* input, const char* output, Index rows, double memory = 0.7, double percentile = 100) {
  return {{"noise_management", std::string(input)},
          {"output_range", std::string(output)},
          {"range_rows", rows},
          {"memory", memory},
          {"range_percentile", percentile}};
}

struct Opened {
  std::unique_ptr<Session> session;
  Layer layer;
  Opened(const std::string& address, View<const float> w, const Settings& settings)
      : session(open(address, w.cols(), w.rows())), layer(*session, w.cols(), w.rows(), settings) {
    layer.program(w);
  }
  Matrix<float> operator()(View<const float> x) {
    Matrix<float> y(x.rows(), layer.outputs());
    layer.forward(x, y);
    return y;
  }
};

/// A crossbar that refuses one batch.
class Refusing : public Device {
 public:
  explicit Refusing(std::unique_ptr<Device> device) : device_(std::move(device)) {}
  int refused = -1;  ///< counts down to it

  const DeviceInfo& describe() const override { return device_->describe(); }
  const ParamSet& settings() const override { return device_->settings(); }
  void configure(const Settings& changes) override { device_->configure(changes); }
  RunReport run(ConstFrames in, Frames out, const RunOptions& options) override {
    if (refused >= 0 && refused-- == 0) throw Unsupported("a batch", "refused", "");
    return device_->run(in, out, options);
  }
  void program(ConstFrames codes) override { device_->program(codes); }
  void reset() override { device_->reset(); }
  std::vector<std::byte> snapshot() const override { return device_->snapshot(); }
  void restore(const std::vector<std::byte>& state) override { device_->restore(state); }
  void close() override { device_->close(); }

 private:
  const std::unique_ptr<Device> device_;
};

float largest(View<const float> x) {
  float most = 0;
  for (Index r = 0; r < x.rows(); ++r)
    for (const float v : x.row(r)) most = std::max(most, std::abs(v));
  return most;
}

}  // namespace

TEST_CASE("answers behind running ranges of inputs and ADC depend neither on batches nor on threads") {
  const Matrix<float> w = normal(6, 24, 1), x = normal(60, 24, 2);
  for (const char* device : {"sim:crossbar,adc.bits=6", "sim:crossbar,preset=reram"})
    for (const char* bounds : {"iterative", "none"}) {
      INFO(device << ", " << bounds);
      const auto answers = [&](std::initializer_list<Index> cuts, int count) {
        const int before = threads();
        set_threads(count);
        Settings settings = windows("running", "running", 7, 0.7, 90);
        settings["bound_management"] = std::string(bounds);
        Opened one(device, w, settings);
        std::vector<float> all;
        Index first = 0;
        for (const Index n : cuts) {
          const Matrix<float> y = one(x.view().rows(first, n));
          all.insert(all.end(), y.flat().begin(), y.flat().end());
          first += n;
        }
        set_threads(before);
        CHECK(one.session->next_frame_id() >= 60);
        CHECK(one.layer.report().clipped_inputs > 0);
        for (const double v : one.layer.input_state()) all.push_back(static_cast<float>(v));
        all.push_back(static_cast<float>(one.layer.output_range()));
        return all;
      };
      const auto whole = answers({60}, 1);
      CHECK(whole == answers({1, 30, 3, 26}, 1));
      CHECK(whole == answers({7, 7, 0, 46}, 3));
    }
}

TEST_CASE("the input range is the law of its windows, whatever the order in them, and clips what it says") {
  const Matrix<float> w = normal(5, 40, 1), x = normal(50, 40, 3);
  constexpr Index kRows = 8;
  for (const double percentile : {100.0, 95.0}) {
    INFO(percentile);
    Opened one(kFine, w, windows("running", "device", kRows, 0.7, percentile));
    double range = 0;
    std::int64_t beyond = 0;
    const double top = 2047;
    for (Index first = 0; first < 48; first += kRows) {
      const View<const float> part = x.view().rows(first, kRows);
      float size = 0;
      for (Index r = 0; r < kRows; ++r) {
        std::vector<float> sizes;
        for (const float v : part.row(r)) sizes.push_back(std::abs(v));
        std::sort(sizes.begin(), sizes.end());
        size = std::max(size, sizes[percentile == 100 ? 39 : 37]);
        const double alpha = range > 0 ? range : static_cast<double>(sizes.back());
        const float ratio = static_cast<float>(top / alpha);
        for (const float v : sizes) beyond += std::rint(v * ratio) > static_cast<float>(top);
      }
      range = range > 0 ? 0.7 * range + (1 - 0.7) * static_cast<double>(size) : static_cast<double>(size);
    }
    one(x.view().rows(0, 48));
    CHECK(one.layer.input_range() == range);
    CHECK(one.layer.report().input_range == range);
    CHECK(one.layer.report().clipped_inputs == beyond);
    CHECK(beyond > 0);
    Matrix<float> turned(48, 40);
    for (Index r = 0; r < 48; ++r)
      std::ranges::copy(x.row(r / kRows * kRows + (r * 3 + 1) % kRows), turned.row(r).begin());
    Opened other(kFine, w, windows("running", "device", kRows, 0.7, percentile));
    other(turned);
    CHECK(other.layer.input_range() == range);
  }
}

TEST_CASE("a stationary input of one size is held exactly, from the second window on without a clipped number") {
  Matrix<float> x(30, 12);
  for (Index r = 0; r < 30; ++r)
    for (Index j = 0; j < 12; ++j) x(r, j) = 0.75f * static_cast<float>((r + j) % 3 - 1);
  Opened one(kFine, normal(3, 12, 1), windows("running", "device", 5, 0.9));
  one(x);
  CHECK(one.layer.input_range() == Approx(0.75).epsilon(1e-14));
  CHECK(one.layer.report().clipped_inputs == 0);
}

TEST_CASE("the ADC's range is 5/4 of the largest answer, grows out of saturation by its law and counts it") {
  const Matrix<float> w = normal(6, 32, 1), small = normal(64, 32, 4, 0.01f), large = normal(8, 32, 5, 0.1f);
  Settings settings = windows("fixed", "running", 8, 0.5);
  settings["bound_management"] = std::string("none");
  Opened one(kFine, w, settings);
  const auto sizes = [&](const Matrix<float>& x) {  // in device units, by an ADC that never clips
    Settings wide{{"noise_management", std::string("fixed")}, {"bound_management", std::string("none")}};
    Opened plain(kFine + ",adc.range=40", w, wide);
    const Matrix<float> y = plain(x);
    const double scale = static_cast<double>(largest(w));
    return static_cast<double>(largest(y)) / scale * 2047 / 2048;
  };
  one(small.view().rows(0, 8));
  const double step = one.layer.output_range() / 8192;
  double range = 1.25 * sizes([&] {
                   Matrix<float> part(8, 32);
                   for (Index r = 0; r < 8; ++r) std::ranges::copy(small.row(r), part.row(r).begin());
                   return part;
                 }());
  // the first window was read by the range that calibration had measured, and this ADC's by one of 40
  CHECK(one.layer.output_range() == Approx(range).margin(1.25 * (40.0 / 8192 + 20 * step)));
  CHECK(one.layer.report().saturated == 0);
  CHECK(one.layer.report().output_range == one.layer.output_range());
  one(small);
  const double full = 1.25 * sizes(large);
  range = one.layer.output_range();
  REQUIRE(full > 4 * range);
  std::int64_t saturated = one.layer.report().saturated;
  int windows_needed = 0;
  while (one.layer.output_range() * 1.25 < full && windows_needed < 100) {
    one(large);
    ++windows_needed;
    range *= 1 + 0.5 * 0.25;
    CHECK(one.layer.output_range() == Approx(range).epsilon(1e-6));  // sizes are floats
    CHECK(one.layer.report().saturated > saturated);
    saturated = one.layer.report().saturated;
  }
  for (int k = 0; k < 60; ++k) one(large);
  CHECK(one.layer.output_range() == Approx(full).epsilon(0.01));
  saturated = one.layer.report().saturated;
  one(large);
  CHECK(one.layer.report().saturated == saturated);
}

TEST_CASE("bound management tells a running ADC range of answers beyond its end at once") {
  const Matrix<float> w = normal(6, 32, 1), small = normal(8, 32, 4, 0.01f), large = normal(8, 32, 5, 0.1f);
  for (const char* bounds : {"iterative", "worst_case"}) {
    Settings settings = windows("fixed", "running", 8, 0.0);
    settings["bound_management"] = std::string(bounds);
    Opened one(kFine, w, settings);
    one(small);
    const double before = one.layer.output_range();
    one(large);  // shown again at less drive: answers of ten times the size are seen
    const double first = one.layer.output_range();
    CHECK(first > 5 * before);
    one(large);
    CHECK(one.layer.output_range() == Approx(first).epsilon(0.02));
    CHECK(one.layer.report().saturated == 0);
  }
}

TEST_CASE("windows go on from a snapshot to the bit, and layers of older snapshots begin them anew") {
  const Matrix<float> w = normal(6, 24, 1), x = normal(50, 24, 2);
  const Settings settings = windows("running", "running", 7);
  Opened whole("sim:crossbar", w, settings), first("sim:crossbar", w, settings), second("sim:crossbar", w, settings);
  const Matrix<float> all = whole(x);
  first(x.view().rows(0, 24));
  std::vector<std::byte> state = first.layer.snapshot();
  second.session->restore(first.session->snapshot());
  second.layer.restore(state);
  CHECK(second.layer.input_state() == first.layer.input_state());
  CHECK(second.layer.input_state()[1] == 24 % 7);
  const Matrix<float> rest = second(x.view().rows(24, 26));
  CHECK(std::ranges::equal(rest.flat(), std::span<const float>(all.row(24).data(), rest.flat().size())));
  CHECK(second.layer.snapshot() == whole.layer.snapshot());

  Opened other("sim:crossbar", w, windows("running", "running", 2));
  CHECK_THROWS_WITH(other.layer.restore(state), Catch::Contains("layer.range_rows = 2"));
  state.resize(state.size() - 5 * sizeof(double));
  state.front() = std::byte{7};
  Opened old("sim:crossbar", w, settings);
  old.layer.restore(state);
  CHECK(old.layer.input_state() == std::vector<double>{first.layer.input_range(), 0, 0});
}

TEST_CASE("a call that its device breaks off between two windows has moved nothing, and is made again to the bit") {
  const Matrix<float> w = normal(6, 24, 1), x = normal(20, 24, 2);
  Registry registry;
  add_devices(registry);
  const std::string device = "sim:crossbar,input.size=24,output.size=6";
  const Settings settings = windows("running", "running", 5);
  auto own = std::make_unique<Refusing>(registry.open(device));
  Refusing* const refusing = own.get();
  Session session(std::move(own), device), calm(registry.open(device), device);
  Layer layer(session, 24, 6, settings), other(calm, 24, 6, settings);
  Matrix<float> y(20, 6), expected(20, 6);
  for (Layer* one : {&layer, &other}) {
    one->program(w);
    one->calibrate();
  }
  const std::vector<double> state = layer.input_state();
  const double range = layer.output_range();
  refusing->refused = 2;
  CHECK_THROWS_AS(layer.forward(x, y), Unsupported);
  CHECK(layer.input_state() == state);
  CHECK(layer.output_range() == range);
  CHECK(session.settings().real("adc.range") == range);
  layer.forward(x, y);
  other.forward(x, expected);
  CHECK(std::ranges::equal(y.flat(), expected.flat()));
  CHECK(session.next_frame_id() == calm.next_frame_id());
}

TEST_CASE("held ranges stay, and calibration moves none but the ADC's") {
  const Matrix<float> w = normal(6, 24, 1), x = normal(20, 24, 2), large = normal(20, 24, 3, 4);
  Opened one("sim:crossbar", w, windows("running", "running", 5));
  one(x);
  const std::vector<double> state = one.layer.input_state();
  const double range = one.layer.output_range();
  one.layer.hold_ranges(true);
  const std::int64_t clipped = one.layer.report().clipped_inputs;
  one(large);
  CHECK(one.layer.input_state() == state);
  CHECK(one.layer.output_range() == range);
  CHECK(one.layer.report().clipped_inputs > clipped + 100);
  one.layer.hold_ranges(false);
  one.layer.calibrate();
  CHECK(one.layer.input_state() == state);
  one(large);
  CHECK(one.layer.input_range() > 1.5 * state[0]);
}

TEST_CASE("gradients know the range that every row of the last pass had, across the end of a window") {
  const Matrix<float> w = normal(4, 10, 1), x = normal(12, 10, 2), g = normal(12, 4, 3);
  Opened one(kFine, w, windows("running", "device", 5, 0.5));
  one(normal(3, 10, 7, 0.5f));
  const std::vector<double> began = one.layer.input_state();
  one(x);
  Matrix<float> seen(12, 10), below(12, 10);
  one.layer.clip(x, seen);
  one.layer.backward(x, g, below);
  double range = began[0], most = began[2];
  Index rows = 3;
  int cut = 0;
  for (Index r = 0; r < 12; ++r) {
    const double own = static_cast<double>(largest(x.view().rows(r, 1))), limit = range > 0 ? range : own;
    for (Index j = 0; j < 10; ++j) {
      const double v = static_cast<double>(x(r, j));
      CHECK(seen(r, j) == Approx(std::clamp(v, -limit, limit)));
      CHECK((below(r, j) == 0) == (std::abs(v) > limit));
      cut += std::abs(v) > limit;
    }
    most = std::max(most, own);
    if (++rows < 5) continue;
    range = range > 0 ? 0.5 * range + 0.5 * most : most;
    rows = 0;
    most = 0;
  }
  CHECK(cut > 0);
  one(x);
  one.layer.set_input_state(began);
  Matrix<float> again(12, 10);
  one.layer.clip(x, again);
  CHECK(std::ranges::equal(again.flat(), seen.flat()));
  CHECK_THROWS_AS(one.layer.set_input_state(std::vector<double>{1}), ShapeMismatch);
  CHECK_THROWS_AS(one.layer.set_input_state(std::vector<double>{1, 5, 0}), OutOfRange);
}

TEST_CASE("what cannot run is refused, and names the remedy") {
  const Matrix<float> w = normal(4, 10, 1);
  const auto refuses = [&](const Settings& settings, const char* why) {
    CHECK_THROWS_WITH(Opened(kFine, w, settings), Catch::Contains(why));
  };
  refuses(windows("running", "running", 0), "Give layer.range_rows=256");
  refuses(windows("learned", "device", 16), "neither range is running");
  refuses(windows("abs_max", "learned", 16), "neither range is running");
  refuses(windows("running", "device", 0, 0.9, 99), "windows alone have percentiles");
  Settings uncalibrated = windows("running", "running", 16);
  uncalibrated["calibrate"] = false;
  refuses(uncalibrated, "Leave layer.calibrate on");
  Opened one(kFine, w, windows("running", "running", 4));
  Matrix<float> x = normal(8, 10, 2);
  x(6, 3) = NAN;
  const std::vector<double> state = one.layer.input_state();
  const std::int64_t frames = (one(normal(1, 10, 2, 0)), one.layer.report().frames);
  CHECK_THROWS_AS(one(x), InvalidParameter);
  CHECK(one.layer.report().frames == frames);
  CHECK(one.layer.input_state()[1] == state[1] + 1);
}

}  // namespace lightloop
