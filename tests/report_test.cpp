// Sensitivity and specification of a small network on the simulated crossbar.
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "core/error.hpp"
#include "core/random.hpp"
#include "devices/catalogue.hpp"
#include "training/report/sensitivity.hpp"
#include "training/report/spec.hpp"

namespace lightloop {
namespace {

const Registry& registry() {
  static const Registry all = [] {
    Registry made;
    add_devices(made);
    return made;
  }();
  return all;
}

/// Ten noisy directions in 24 dimensions.
Dataset directions(Index n) {
  Dataset data;
  data.name = "directions";
  data.sample_shape = {24};
  data.classes = 10;
  data.floats = Matrix<float>(n, 24);
  Matrix<float> centre(10, 24);
  Stream(1, 0, Purpose::user).normal(0, 0, centre.flat());
  Stream(2, 0, Purpose::user).normal(0, 0, data.floats.flat());
  for (Index r = 0; r < n; ++r) {
    const Index label = r % 10;
    data.labels.push_back(static_cast<std::uint8_t>(label));
    for (Index j = 0; j < 24; ++j) data.floats(r, j) = centre(label, j) + 0.9f * data.floats(r, j);
  }
  return data;
}

/// A network that compares with the centres: W = centres, b = -|centre|^2 / 2, behind a layer that passes everything
/// on.
Network matched() {
  Network net({24, 24, 10}, Activation::identity);
  Matrix<float> centre(10, 24);
  Stream(1, 0, Purpose::user).normal(0, 0, centre.flat());
  for (Index j = 0; j < 24; ++j) net.weights(0)(j, j) = 1;
  for (Index i = 0; i < 10; ++i) {
    std::ranges::copy(centre.row(i), net.weights(1).row(i).begin());
    net.bias(1)[static_cast<std::size_t>(i)] =
        -0.5f * std::inner_product(centre.row(i).begin(), centre.row(i).end(), centre.row(i).begin(), 0.0f);
  }
  return net;
}

Trial trial(const Network& net, const std::string& device, const Settings& settings = {}, Index repeats = 3) {
  return Trial(registry(), analog_place(device, settings, net.layers()), net, directions(400), Loss::cross_entropy,
               {repeats, 0});
}

const SensitivityRow& row_of(const Sensitivity& report, const std::string& name) {
  return *std::ranges::find(report.rows, name, &SensitivityRow::name);
}

}  // namespace

TEST_CASE("with every source off a network is as good as digital; the loudest source is ranked first") {
  const Network net = matched();
  const Trial what = trial(net, "sim:crossbar,output_noise=3");
  const Sensitivity report = sensitivity(what, "sim:crossbar");
  CHECK(report.digital_accuracy > 0.85);
  CHECK(std::abs(report.none.mean - report.digital_accuracy) < 0.006);  // two samples of 400 at 16 bits
  CHECK(report.rows.size() == 6);  // dac, weight and adc bits, programming error, read noise, output noise
  CHECK(report.rows.front().name == "output_noise");
  CHECK(report.rows.front().lost_alone > 0.05);
  CHECK(report.rows.front().won_without > 0.05);
  CHECK(row_of(report, "dac.bits").lost_alone < 0.02);
  for (const SensitivityRow& row : report.rows) CHECK(row.error_alone >= 0.9 * report.error_none);
}

TEST_CASE("errors of independent sources add in squares: bits predicted from each alone are those measured together") {
  const Network net = matched();
  const Sensitivity report = sensitivity(trial(net, "sim:crossbar"), "sim:crossbar");
  CHECK(report.enob_measured == Approx(report.enob_predicted).margin(0.1));
  for (const SensitivityRow& row : report.rows) {
    INFO(row.name);
    CHECK(row.enob_without == Approx(row.enob_without_predicted).margin(0.15));
    CHECK(row.enob_without > report.enob_measured - 0.05);
  }
  // one step of an 8-bit DAC driven by its largest input: |w| s / sqrt(12) of each output, in the first layer |w| = 1
  CHECK(row_of(report, "dac.bits").error_alone < row_of(report, "output_noise").error_alone);
}

TEST_CASE("sources that are not in force are not switched on with others") {
  const Network net = matched();
  const Trial pcm = trial(net, "sim:crossbar,preset=pcm", {}, 1);
  const auto has = [&](const char* name) { return std::ranges::count(pcm.sources(), name) == 1; };
  CHECK(has("cell.kind"));
  CHECK(has("read_law"));
  CHECK(has("ir_drop"));
  CHECK_FALSE(has("programming_error"));  // of the other kind of cells
  CHECK_FALSE(has("read_noise"));
  const Variant variant = pcm.without({"cell.kind", "read_law"});
  CHECK(variant.settings.at("programming_error") == Value(0.0));
  CHECK(variant.settings.at("read_noise") == Value(0.0));
  CHECK_THROWS_AS(pcm.without({"clock_s"}), UnknownName);
}

TEST_CASE("a specification is cheaper than what was asked, good enough on fresh seeds, and no worse part would be") {
  const Network net = matched();
  const Trial what = trial(net, "sim:crossbar,programming_error=0.01", {}, 4);
  const SpecOptions options{.drop = 0.03, .over = {"adc.bits", "output_noise"}};
  const Spec spec = find_spec(what, "sim:crossbar", options);
  CHECK(spec.reached);
  CHECK(spec.lost_bound <= 0.03);
  CHECK(spec.sample_j < spec.asked_j);
  CHECK(spec.sample_j <= 1.05 * spec.common_j);  // other seeds, other repeats of clipped rows
  REQUIRE(spec.axes.size() == 2);
  const SpecAxis &bits = spec.axes[0], &noise = spec.axes[1];
  CHECK(bits.priced);
  CHECK_FALSE(noise.priced);
  CHECK(std::get<std::int64_t>(bits.value) < 8);
  CHECK(std::get<std::int64_t>(bits.alone) <= std::get<std::int64_t>(bits.value));
  CHECK(std::get<double>(noise.value) > 0.04);
  CHECK(std::get<double>(noise.alone) >= std::get<double>(noise.value));
  // ten times that noise breaks it
  Variant worse = what.without({});
  worse.settings["adc.bits"] = bits.value;
  worse.settings["output_noise"] = 10 * std::get<double>(noise.value);
  CHECK(what.run(worse, 0).accuracy < spec.digital_accuracy - 0.03);
  CHECK(find_spec(what, "sim:crossbar", options).sample_j == spec.sample_j);
}

TEST_CASE("a specification that cannot be is refused with what is possible") {
  const Network net = matched();
  const Trial what = trial(net, "sim:crossbar,output_noise=30", {}, 3);
  CHECK_THROWS_AS(find_spec(what, "d", {.drop = 0.005, .over = {"adc.bits"}}), Unsupported);
  CHECK_THROWS_AS(find_spec(what, "d", {.drop = 0, .over = {"adc.bits"}}), OutOfRange);
  CHECK_THROWS_AS(find_spec(what, "d", {.over = {"adc.range"}}), UnknownName);
  CHECK_THROWS_AS(find_spec(what, "d", {.over = {}}), InvalidParameter);
  CHECK_THROWS_AS(find_spec(trial(net, "sim:crossbar,preset=pcm", {}, 2), "d", {.over = {"read_noise"}}),
                  InvalidParameter);
}

}  // namespace lightloop
