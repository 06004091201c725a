// The OPU as seen through its codes, against theory. Two-sided tests, alpha 1e-4 (3.89 standard errors) each.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <complex>
#include <functional>
#include <numbers>
#include <vector>

#include "core/stats.hpp"
#include "devices/catalogue.hpp"

using namespace lightloop;

namespace {

constexpr double kAlpha = 1e-4, kZ = 3.89;
// No noise, no leak, 16 bits, 16 mirrors; about 256 codes for one input.
const std::string kClean = "preset=ideal,dmd.mirrors=16,input.size=16,laser.pixel_power=3.86e-12 W,";

class Bench {
 public:
  explicit Bench(const std::string& settings) {
    Registry registry;
    add_devices(registry);
    device_ = registry.open("sim:opu," + settings);
  }
  Device& device() { return *device_; }
  // Codes of one frame with inputs [from, to) on.
  std::vector<double> show(Index from, Index to) { return show({{from, to}}); }
  std::vector<double> show(const std::vector<std::pair<Index, Index>>& ranges, int phase_code = -1) {
    const Index inputs = device_->describe().input.size(), pixels = device_->describe().output.size();
    FrameBuffer in(device_->describe().input, 1), out(device_->describe().output, 1);
    for (Index j = 0; j < inputs; ++j)
      for (const auto& [from, to] : ranges)
        if (j >= from && j < to) in.frames().set(0, j, 1);
    ConstFrames shown = std::as_const(in).frames();
    Matrix<std::uint16_t> aux(1, 2);
    if (phase_code >= 0) {
      aux(0, 0) = static_cast<std::uint16_t>(phase_code);
      aux(0, 1) = 1;
      shown.aux = aux;
    }
    RunOptions options;
    options.first_frame_id = id_++;
    report = device_->run(shown, out.frames(), options);
    std::vector<double> codes(static_cast<std::size_t>(pixels));
    for (Index p = 0; p < pixels; ++p) codes[static_cast<std::size_t>(p)] = std::as_const(out).frames().at(0, p);
    return codes;
  }
  // Codes (or electrons, for one electron per code) that one on input gives on average.
  double unit() const {
    const ParamSet& set = device_->settings();
    const double photon_j = 6.62607015e-34 * 299792458 / set.real("laser.wavelength");
    const double gain = set.real("camera.gain") > 0
                            ? set.real("camera.gain")
                            : set.real("camera.full_well") / (std::exp2(double(set.integer("camera.bits"))) - 1);
    const auto inputs = set.integer("input.size"), mirrors = set.integer("dmd.mirrors");
    const auto each =
        set.integer("dmd.mirrors_per_input") > 0 ? set.integer("dmd.mirrors_per_input") : mirrors / inputs;
    return set.real("laser.pixel_power") / photon_j * set.real("camera.exposure") *
           set.real("camera.quantum_efficiency") / gain * double(each) / double(mirrors);
  }
  RunReport report;

 private:
  std::unique_ptr<Device> device_;
  std::uint64_t id_ = 0;
};

double z_of_mean(const std::vector<double>& terms, double expected) {
  const Moments m = moments(terms);
  return (m.mean - expected) / std::sqrt(m.variance / static_cast<double>(terms.size()));
}

std::vector<double> combine(const std::vector<double>& a, const std::vector<double>& b,
                            const std::function<double(double, double)>& f) {
  std::vector<double> c(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) c[i] = f(a[i], b[i]);
  return c;
}

// Linear read-out with an anchor r: L = (I(x + r) - I(x) - I(r)) / sqrt(I(r)), the anchor being the last 4 of 16
// inputs.
struct Anchor {
  explicit Anchor(Bench& bench) : light(bench.show(12, 16)) {}
  std::vector<double> linear(Bench& bench, Index from, Index to) const {
    const auto both = bench.show({{from, to}, {12, 16}}), alone = bench.show(from, to);
    std::vector<double> l(light.size());
    for (std::size_t p = 0; p < l.size(); ++p)
      l[p] = light[p] > 0 ? (both[p] - alone[p] - light[p]) / std::sqrt(light[p] * bench.unit()) : 0;
    return l;
  }
  std::vector<double> light;
};

}  // namespace

TEST_CASE("raw contrast is mu / (mu + black) / sqrt(M), as measured on a real device") {
  Bench bench("preset=lightonlike,input.size=1000,output.size=8000,seed=3");
  const auto codes = bench.show(0, 550);
  const Moments m = moments(codes);
  const double contrast = std::sqrt(m.variance) / m.mean;
  CHECK(m.mean == Approx(36).margin(1.5));  // published histograms: 36.08 and 36.77
  CHECK(contrast == Approx(27.0 / 36 / std::sqrt(1.3)).margin(0.03));
  CHECK(contrast == Approx((0.672 + 0.657) / 2).margin(0.03));  // published: .672 and .657
}

TEST_CASE("mirrors that are always on dilute the kernel as background") {
  // 200 mirrors, 12 inputs of 10: a background as strong as 8 inputs
  Bench bench(
      "preset=ideal,dmd.mirrors=200,dmd.mirrors_per_input=10,dmd.padding=on,input.size=12,output.size=60000,seed=4");
  const double unit = bench.unit(), b = 8, nx = 7, ny = 5, xy = 3;
  const auto x = bench.show(0, 7), y = bench.show(4, 9);
  const auto product = combine(x, y, [&](double i, double j) { return i * j / (unit * unit); });
  CHECK(std::abs(z_of_mean(product, (nx + b) * (ny + b) + (xy + b) * (xy + b))) < kZ);
}

TEST_CASE("the anchor read-out is linear but for the rounding of seven codes") {
  Bench bench(kClean + "output.size=20000,seed=5");
  const auto add = [](double a, double b) { return a + b; };
  const auto subtract = [](double a, double b) { return a - b; };
  // I(x + r) - I(x) + I(y + r) - I(y) - I(x + y + r) + I(x + y) - I(r), zero for a linear map
  auto sum = combine(bench.show({{0, 4}, {12, 16}}), bench.show(0, 4), subtract);
  sum = combine(sum, combine(bench.show({{6, 11}, {12, 16}}), bench.show(6, 11), subtract), add);
  sum = combine(sum, combine(bench.show({{0, 4}, {6, 11}}), bench.show({{0, 4}, {6, 11}, {12, 16}}), subtract), add);
  sum = combine(sum, bench.show(12, 16), subtract);
  for (double& v : sum) v *= v;
  CHECK(std::abs(z_of_mean(sum, 7.0 / 12)) < kZ);  // each code carries a rounding error of variance 1/12
}

TEST_CASE("the anchor read-out is real Gaussian and keeps inner products") {
  const double grains = GENERATE(1.0, 4.0);
  Bench bench(kClean + "output.size=20000,seed=6,medium.grains=" + std::to_string(grains));
  const Anchor anchor(bench);
  const auto lx = anchor.linear(bench, 0, 6), ly = anchor.linear(bench, 4, 9);
  std::vector<float> standard(lx.size());
  for (std::size_t p = 0; p < lx.size(); ++p) standard[p] = static_cast<float>(lx[p] / std::sqrt(2 * 6 / grains));
  CHECK(ks_p_value(ks_statistic(standard, normal_cdf), double(lx.size())) > kAlpha);
  const auto product = [](double a, double b) { return a * b; };
  CHECK(std::abs(z_of_mean(combine(lx, lx, product), 2 * 6 / grains)) < kZ);
  CHECK(std::abs(z_of_mean(combine(lx, ly, product), 2 * 2 / grains)) < kZ);
}

TEST_CASE("columns of the anchor read-out are uncorrelated with each other and with the anchor's light") {
  Bench bench(kClean + "output.size=20000,seed=7");
  const Anchor anchor(bench);
  std::vector<std::vector<double>> columns = {anchor.light};
  for (Index j = 0; j < 8; ++j) columns.push_back(anchor.linear(bench, j, j + 1));
  for (std::size_t i = 0; i < columns.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      const std::vector<float> a(columns[i].begin(), columns[i].end()), b(columns[j].begin(), columns[j].end());
      CHECK(std::abs(correlation(a, b)) < 4 / std::sqrt(20000.0));  // 36 pairs: alpha 0.0023 together
    }
}

TEST_CASE("codes saturate in the fraction exp(-(full scale - black) / mean), and the report counts them") {
  Bench bench("preset=ideal,input.size=16,output.size=60000,camera.bits=8,camera.gain=40,camera.black_level=9,seed=8");
  const auto codes = bench.show(0, 16);
  const double share = std::exp(-(255.5 - 9) / (16 * bench.unit())), n = 60000;
  REQUIRE(share > 0.005);
  CHECK(std::abs(double(bench.report.saturated) - n * share) < kZ * std::sqrt(n * share * (1 - share)));
  CHECK(bench.report.codes == 60000);
  CHECK(*std::max_element(codes.begin(), codes.end()) == 255);
}

TEST_CASE("two exposures of one frame correlate as 1 / (1 + noise / speckle variance)") {
  Bench bench(
      "input.size=16,output.size=60000,seed=9,laser.rin=0,camera.row_noise=0,camera.prnu=0,camera.dsnu=0,"
      "dmd.off_contrast=0,medium.grains=1");
  const auto one = bench.show(0, 8), two = bench.show(0, 8);
  const double gain = 13500.0 / 255, mean = 8 * bench.unit();
  const double noise = mean / gain + (13 * 13 + 0.05) / (gain * gain) + 1.0 / 12;
  const std::vector<float> a(one.begin(), one.end()), b(two.begin(), two.end());
  CHECK(mean == Approx(24.6).margin(0.3));
  CHECK(correlation(a, b) == Approx(1 / (1 + noise / (mean * mean))).margin(1e-4));
  CHECK(correlation(a, b) == Approx(0.9989).margin(3e-4));  // the value for a real camera of this kind
}

TEST_CASE("intensities decorrelate as rho^2 over device time") {
  Bench bench("preset=ideal,input.size=8,output.size=20000,medium.drift_time=0.1 s,medium.drift_step=0.005,seed=10");
  const double mean = 8 * bench.unit();
  const auto start = bench.show(0, 8);
  Index frame = 1;  // the next to be shown
  for (const Index later : {1, 20, 100, 200}) {
    for (; frame < later; ++frame) bench.show(0, 1);
    const auto now = bench.show(0, 8);
    ++frame;
    const double rho = std::exp(-double(later) * 500e-6 / 0.1);
    INFO("frame " << later);
    CHECK(std::abs(z_of_mean(combine(start, now, [&](double a, double b) { return (a / mean - 1) * (b / mean - 1); }),
                             rho * rho)) < kZ);
  }
}

namespace {

// (1/N) sum_n I_n exp(i theta_n) = s conj(r), in codes.
std::vector<std::complex<double>> phase_stepped(Bench& bench, Index on, int steps) {
  std::vector<std::complex<double>> field;
  for (int n = 0; n < steps; ++n) {
    const auto codes = bench.show({{0, on}}, 256 / steps * n);
    field.resize(codes.size());
    for (std::size_t p = 0; p < codes.size(); ++p)
      field[p] += codes[p] / steps * std::polar(1.0, 2 * std::numbers::pi * n / steps);
  }
  return field;
}

}  // namespace

TEST_CASE("phase stepping measures the field with variance (1 + Ns / Nr) / 2N photons per quadrature") {
  const int steps = GENERATE(4, 8);
  // shot noise only, one electron per code
  Bench bench(
      "preset=ideal,noise=on,input.size=8,output.size=4000,camera.gain=1,camera.full_well=1e9,camera.read_noise=0,"
      "camera.row_noise=0,laser.rin=0,reference.phase_jitter=0,reference.power_ratio=3,reference.on_inputs=4,seed=11");
  const double signal = 4 * bench.unit(), reference = 3 * signal;
  const int repeats = 20;
  std::vector<std::complex<double>> sum(4000);
  std::vector<double> squares(4000);
  for (int k = 0; k < repeats; ++k) {
    const auto field = phase_stepped(bench, 4, steps);
    for (std::size_t p = 0; p < field.size(); ++p) {
      sum[p] += field[p];
      squares[p] += std::norm(field[p]);
    }
  }
  // variance of s conj(r) per quadrature over |r|^2: that of s, in photons. Its relative standard error is
  // sqrt(1 / (19 * 4000) + 1 / (16 * 4000)) = 0.5 % (chi-square; speckle of the mean signal, a quarter of the light)
  double variance = 0;
  for (std::size_t p = 0; p < sum.size(); ++p)
    variance += (squares[p] - std::norm(sum[p]) / repeats) / (repeats - 1) / 2 / reference / 4000;
  CHECK(variance == Approx((1 + signal / reference) / (2 * steps)).epsilon(0.02));
}

TEST_CASE("phase jitter attenuates the stepped field by exp(-sigma^2 / 2)") {
  const double jitter = 0.4;
  const std::string settings =
      "preset=ideal,input.size=8,output.size=3000,reference.power_ratio=3,seed=12,camera.read_noise=0,camera.row_noise="
      "0,"
      "laser.rin=0,reference.phase_jitter=0.4,";
  Bench still(settings + "noise=off"), moving(settings + "noise=on");
  const auto truth = phase_stepped(still, 4, 4);
  double power = 0;
  for (const auto& t : truth) power += std::norm(t);
  std::vector<double> ratios;
  for (int k = 0; k < 600; ++k) {
    const auto field = phase_stepped(moving, 4, 4);
    std::complex<double> overlap = 0;
    for (std::size_t p = 0; p < field.size(); ++p) overlap += field[p] * std::conj(truth[p]);
    ratios.push_back(overlap.real() / power);
  }
  CHECK(std::abs(z_of_mean(ratios, std::exp(-jitter * jitter / 2))) < kZ);
}
