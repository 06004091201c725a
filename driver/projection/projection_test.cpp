#include "driver/projection/projection.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "core/threads.hpp"
#include "driver/projection/bench_for_tests.hpp"

using namespace lightloop;
using testing::Bench;
using testing::BenchSetup;

namespace {

struct Setup {
  explicit Setup(const BenchSetup& bench_setup, Index n_in, Index n_out, const Settings& settings)
      : bench(new Bench(bench_setup)),
        session(std::unique_ptr<Device>(bench)),
        projection(session, n_in, n_out, settings) {}
  Matrix<float> linear(const Matrix<float>& x) {
    Matrix<float> y(x.rows(), projection.outputs());
    projection.linear(x, y);
    return y;
  }
  std::int64_t frames() const { return session.meter().frames; }
  Bench* bench;
  Session session;
  Projection projection;
};

const BenchSetup kAnchorBench{.inputs = 20, .pixels = 256};
const BenchSetup kPhaseBench{.inputs = 10, .pixels = 128, .reference = 25};

Matrix<float> ternary_rows(Index rows, Index n, std::uint64_t row = 0) {
  Matrix<float> x(rows, n);
  Stream(9, 0, Purpose::user).normal(row, 0, x.flat());
  return x;
}

bool same(const Matrix<float>& a, const Matrix<float>& b) {
  return std::equal(a.flat().begin(), a.flat().end(), b.flat().begin(), b.flat().end());
}

}  // namespace

TEST_CASE("frames are counted to the last one, and skipped patterns cost none") {
  Matrix<float> x(4, 10);
  x(0, 3) = 1, x(0, 4) = -1;  // both halves
  x(1, 3) = 1;                // positive half only
  x(2, 3) = 0.05f;            // inside the dead zone
  x(3, 5) = -0.7f;            // negative half only
  for (const auto& [readout, per_pattern] : {std::pair{"anchor", 2}, std::pair{"phase4", 4}, std::pair{"phase7", 7}}) {
    BenchSetup bench = kAnchorBench;
    bench.reference = 25;
    for (const int repeats : {1, 3}) {
      Setup s(bench, 10, 64, {{"readout", std::string(readout)}, {"repeats", std::int64_t{repeats}}});
      s.projection.calibrate();
      const auto before = s.frames();
      CHECK(before <= s.projection.calibration_cost().frames);
      const auto y = s.linear(x);
      CHECK(s.frames() - before == 4 * per_pattern * repeats);
      CHECK(s.projection.cost(4).frames == 8 * per_pattern * repeats);
      CHECK(s.projection.cost(4).device_s == Approx(8e-3 * per_pattern * repeats));
      for (const float v : y.row(2)) CHECK(v == 0);

      Setup all(bench, 10, 64,
                {{"readout", std::string(readout)}, {"skip_empty", false}, {"repeats", std::int64_t{repeats}}});
      all.projection.calibrate();
      const auto start = all.frames();
      all.linear(x);
      CHECK(all.frames() - start == 8 * per_pattern * repeats);
    }
  }
}

TEST_CASE("without skip_empty an empty row returns noise, with it exactly zero") {
  BenchSetup bench = kAnchorBench;
  bench.noise = 20;
  const Matrix<float> x(3, 10);
  for (const bool skip : {true, false}) {
    Setup s(bench, 10, 64, {{"skip_empty", skip}});
    const auto y = s.linear(x);
    double power = 0;
    for (const float v : y.flat()) power += v * v;
    CHECK((power == 0) == skip);
  }
}

TEST_CASE("bits depend neither on the cut into calls nor on threads") {
  BenchSetup bench = kAnchorBench;
  bench.noise = 5;
  const auto x = ternary_rows(40, 10);
  Setup whole(bench, 10, 64, {}), parts(bench, 10, 64, {});
  const auto y = whole.linear(x);
  set_threads(2);
  Matrix<float> z(40, 64);
  parts.projection.calibrate();
  for (const auto& [first, count] : {std::pair<Index, Index>{0, 1}, {1, 36}, {37, 0}, {37, 3}})
    parts.projection.linear(x.view().rows(first, count), z.view().rows(first, count));
  set_threads(1);
  CHECK(same(y, z));
}

TEST_CASE("a restored projection goes on bit by bit") {
  for (const char* readout : {"anchor", "phase4"}) {
    BenchSetup bench = kAnchorBench;
    bench.noise = 5;
    bench.reference = 25;
    const Settings settings{{"readout", std::string(readout)}, {"error_feedback", true}, {"dead_zone", 0.5}};
    Setup a(bench, 10, 64, settings), b(bench, 10, 64, settings);
    a.linear(ternary_rows(5, 10));
    b.session.restore(a.session.snapshot());
    b.projection.restore(a.projection.snapshot());
    CHECK(b.projection.report().exposure_s == a.projection.report().exposure_s);
    CHECK(b.projection.snapshot() == a.projection.snapshot());
    CHECK(same(a.linear(ternary_rows(5, 10, 1)), b.linear(ternary_rows(5, 10, 1))));
    CHECK(a.frames() == b.frames());
    auto bytes = a.projection.snapshot();
    bytes.pop_back();
    CHECK_THROWS_AS(b.projection.restore(bytes), InvalidParameter);
    Setup other(bench, 10, 65, settings);
    CHECK_THROWS_AS(other.projection.restore(a.projection.snapshot()), InvalidParameter);
  }
}

TEST_CASE("what does not fit is refused before a frame is shown, naming the setting") {
  Setup s(kAnchorBench, 10, 64, {});
  Matrix<float> x(2, 10), y(2, 64), narrow(2, 9), few(1, 64);
  CHECK_THROWS_AS(s.projection.linear(narrow, y), ShapeMismatch);
  CHECK_THROWS_AS(s.projection.linear(x, few), ShapeMismatch);
  x(1, 4) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(s.projection.linear(x, y), InvalidParameter);
  CHECK_THROWS_AS(s.projection.intensity(x, y), InvalidParameter);
  CHECK(s.frames() == 0);

  using Catch::Contains;
  CHECK_THROWS_WITH(Setup(kAnchorBench, 15, 64, {}), Contains("input.size=23"));
  CHECK_THROWS_WITH(Setup(kAnchorBench, 10, 208, {}), Contains("output.size=260"));
  CHECK_THROWS_WITH(Setup(kAnchorBench, 10, 64, {{"readout", std::string("phase4")}}),
                    Contains("reference") && Contains("projection.readout"));
  CHECK_THROWS_WITH(Setup(kAnchorBench, 10, 64, {{"encodng", std::string("ternary")}}), Contains("encoding"));
  CHECK_THROWS_AS(Setup(kAnchorBench, 10, 64, {{"oversampling", 0.5}}), OutOfRange);
  CHECK_THROWS_AS(Setup(kAnchorBench, 0, 64, {}), ShapeMismatch);
  Setup intensity(kAnchorBench, 20, 256, {{"readout", std::string("intensity")}});
  Matrix<float> a(1, 20), b(1, 256);
  CHECK_THROWS_AS(intensity.projection.linear(a, b), Unsupported);
  Setup phase(kPhaseBench, 10, 256, {{"readout", std::string("phase4")}});  // 128 pixels give 256 numbers
  CHECK_THROWS_WITH(phase.projection.intensity(Matrix<float>(1, 10), b), Contains("output.size"));
}

TEST_CASE("sizes are asked for only where the device has them and the user left them alone") {
  const std::vector<ParamInfo> device{{"input.size", "1", std::int64_t{1}, 1, 1e6, ""},
                                      {"output.size", "1", std::int64_t{1}, 1, 1e6, ""}};
  const auto size = [](std::int64_t n) { return Value(n); };
  CHECK(sizes_for_projection(device, {}, {}, 10, 100) ==
        Settings{{"input.size", size(15)}, {"output.size", size(125)}});
  CHECK(sizes_for_projection(device, {{"output.size", size(7)}}, {}, 10, 100) == Settings{{"input.size", size(15)}});
  CHECK(sizes_for_projection(device, {}, {{"readout", std::string("phase4")}}, 10, 101) ==
        Settings{{"input.size", size(10)}, {"output.size", size(51)}});
  CHECK(sizes_for_projection(device, {}, {{"readout", std::string("intensity")}}, 10, 100) ==
        Settings{{"input.size", size(10)}, {"output.size", size(100)}});
  CHECK(sizes_for_projection({}, {}, {}, 10, 100).empty());
}

TEST_CASE("a probe reads dark level, clipping and repeatability") {
  BenchSetup bench = kAnchorBench;
  bench.bits = 8;
  bench.black = 9;
  bench.codes_per_unit = 1;
  Setup still(bench, 10, 64, {});
  const Health quiet = still.projection.probe();
  CHECK(quiet.dark_level == Approx(9));
  CHECK(quiet.repeat_correlation == Approx(1));
  CHECK(quiet.saturation < 0.05);  // of all pixels, those not in use included
  bench.noise = 10;
  Setup noisy(bench, 10, 64, {});
  CHECK(noisy.projection.probe().repeat_correlation < 0.99);
  CHECK(noisy.projection.probe().repeat_correlation > 0.8);
  const auto before = noisy.frames();
  noisy.projection.probe();
  CHECK(noisy.frames() - before == 4);
}

TEST_CASE("no light is an error, not a matrix of noise") {
  BenchSetup bench = kAnchorBench;
  bench.codes_per_unit = 1e-9;
  Setup s(bench, 10, 64, {});
  CHECK_THROWS_AS(s.projection.calibrate(), Error);
}

TEST_CASE("linear and intensity keep an exposure each and do not disturb one another") {
  const auto x = ternary_rows(6, 10);
  Setup s(kAnchorBench, 10, 64, {}), both(kAnchorBench, 10, 64, {});
  const auto alone = s.linear(x);
  const double exposure = s.bench->exposure();
  Matrix<float> light(6, 64);
  both.projection.intensity(x, light);
  both.linear(x);
  CHECK(both.bench->exposure() == Approx(exposure).epsilon(0.04));
  both.projection.intensity(x, light);
  const auto again = both.linear(x);
  double worst = 0;
  for (std::size_t k = 0; k < alone.flat().size(); ++k)
    worst = std::max<double>(worst, std::abs(alone.flat()[k] - again.flat()[k]));
  CHECK(worst < 0.1);  // the exposure search started elsewhere, so rounding differs
  CHECK(light(0, 0) >= -0.1f);
}

TEST_CASE("a search that meets a limit stops there and says so") {
  BenchSetup dim = kAnchorBench;
  dim.codes_per_unit = 1;
  Setup dark(dim, 10, 64, {{"max_exposure", 5e-3}});
  dark.projection.calibrate();
  CHECK(dark.bench->exposure() == 5e-3);
  REQUIRE(dark.projection.report().warnings.size() == 1);
  CHECK_THAT(dark.projection.report().warnings.front(), Catch::Contains("projection.max_exposure"));
  BenchSetup glare = kAnchorBench;
  glare.codes_per_unit = 1e9;
  Setup bright(glare, 10, 64, {});
  CHECK_NOTHROW(bright.projection.calibrate());
  CHECK(bright.bench->exposure() == 1e-7);
  CHECK_THAT(bright.projection.report().warnings.front(), Catch::Contains("too bright"));
}
