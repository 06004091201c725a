// Sensitivity and specification of a small network on the simulated crossbar.
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "core/error.hpp"
#include "core/random.hpp"
#include "core/temporary_folder_for_tests.hpp"
#include "devices/catalogue.hpp"
#include "training/layers/architecture.hpp"
#include "training/physical_maps.hpp"
#include "training/report/sensitivity.hpp"
#include "training/report/spec.hpp"
#include "training/run_file.hpp"
#include "training/trainer.hpp"

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

TEST_CASE("with every source off a network is as good as digital, the loudest source is ranked first") {
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

TEST_CASE("a frame costs the same whether a device is written again for every layer or each has its own") {
  const Network net = matched();
  const Settings one = {{"layer.devices", std::string("one")}}, each = {{"layer.devices", std::string("each")}};
  const auto frame = [&](const std::string& device, const Settings& settings) {
    const Trial what = trial(net, device, settings, 1);
    return what.run(what.without({}), 0).frame_j;
  };
  // all layers at the same size, so that the one device is as large as each of the others
  const std::string chip = "sim:crossbar,input.size=24,output.size=24";
  CHECK(frame(chip, one) == Approx(frame(chip, each)).epsilon(1e-6));
  CHECK(frame(chip + ",read_noise=0.08", one) == Approx(frame(chip, one)).epsilon(1e-6));  // more rows shown again
}

TEST_CASE("some samples of ordered data are of all its classes") {
  Network blind = matched();
  for (std::size_t label = 1; label < 10; label += 2) blind.bias(1)[label] -= 1e3f;
  // labels follow each other in order, so that every fifth is of two classes; null: a sample of 400, sd 0.025, 4 of
  // them
  const Trial some(registry(), analog_place("sim:crossbar", {}, blind.layers()), blind, directions(2000),
                   Loss::cross_entropy, {1, 400});
  CHECK(some.digital_accuracy() == Approx(evaluate(blind, directions(2000)).accuracy).margin(0.1));
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

TEST_CASE("a network of any layers is reported on: its convolutions' patches are what errors are measured at") {
  for (const char* text : {"4x6x1 | conv 5 3, batch_norm, tanh | conv 4 3 stride=2, relu | flatten, dense 10",
                           "4x6x1 | conv 5 3, batch_norm, tanh | depthwise 3 stride=2, relu | flatten, dense 10"}) {
    INFO(text);
    Network net(parse_model(text, {}));
    Stream(6, 0, Purpose::user).normal(0, 0, net.parameters());
    const Trial what = trial(net, "sim:crossbar,output_noise=0.5", {{"device.layer2.adc.bits", std::int64_t{3}}}, 2);
    CHECK(what.layers() == 3);
    const Sensitivity report = sensitivity(what, "sim:crossbar");
    CHECK(std::abs(report.none.mean - report.digital_accuracy) < 0.006);
    CHECK(report.rows.front().error_alone > 3 * report.error_none);
    CHECK(report.enob_predicted == Approx(report.enob_measured).margin(0.3));
    const Trial finer = trial(net, "sim:crossbar,output_noise=0.5", {}, 2);
    const TrialResult coarse = what.run(what.without({}), 0), fine = finer.run(finer.without({}), 0);
    REQUIRE(coarse.error.size() == 3);
    REQUIRE(coarse.layers.size() == 3);
    CHECK(coarse.error[0] == fine.error[0]);
    CHECK(coarse.error[1] > 1.2 * fine.error[1]);  // three bits there
  }
}

TEST_CASE("layers behind physics are reported on as training left it, every deployment behind the same") {
  const test::TemporaryFolder folder;
  for (const auto& [net, at, rule] : {std::tuple{"24-24-10", "1", "bp"},
                                      {"24-24-10", "", "phyll"},
                                      {"physical 24, dense 24, tanh | dense 10", "", "bp"}}) {
    INFO(net << " " << rule);
    const std::string device = "sim:wave,encoding=phase,input.size=24,output.size=24";
    TrainSettings s{{"train.net", net},    {"train.rule", rule},
                    {"train.map", device}, {"train.epochs", std::int64_t{15}},
                    {"train.lr", 1e-2},    {"train.out", folder / "run.h5"},
                    {"train.force", true}};
    if (*at) s["train.map_at"] = at;
    if (net == std::string("24-24-10")) s["train.activation"] = "relu";
    train(s, {directions(1000), directions(400)}, registry());
    const RunFile run = load_run(folder / "run.h5");
    PhysicalMaps maps(registry(), device, {{"seed", std::int64_t{1}}}, run.net, {.at = at});
    maps.restore(run.map_state);
    maps.keep_calibration();
    const auto answers = [&](LayerProducts* layers) {
      if (run.net.model())
        return answering_rule(run.net, rule, run.rule.all(), 1, run.own.flat(), layers ? layers : &maps);
      return answering_rule(run.net, rule, run.rule.all(), 1, run.own.flat(), layers, maps.as_map());
    };
    const Trial what(registry(), analog_place("sim:crossbar,output_noise=3", {}, analog_layers(run.net)), run.net,
                     directions(400), Loss::cross_entropy, {2, 0}, answers, &maps);
    CHECK(what.digital_accuracy() > 0.5);
    const Variant none = what.without(what.sources());
    const TrialResult first = what.run(none, 0), again = what.run(none, 0), noisy = what.run({}, 0);
    CHECK(first.accuracy == again.accuracy);  // the physics' noise too
    CHECK(first.error == again.error);
    CHECK(std::abs(first.accuracy - what.digital_accuracy()) < 0.03);  // noise of other frames of the same physics
    CHECK(noisy.accuracy < first.accuracy);
    const Sensitivity report = sensitivity(what, "sim:crossbar,output_noise=3");
    CHECK(report.rows.front().name == "output_noise");
  }
  const RunFile run = load_run(folder / "run.h5");
  CHECK_THROWS_WITH(
      Trial(registry(), analog_place("sim:crossbar", {}, 2), run.net, directions(40), Loss::cross_entropy, {}),
      Catch::Contains("physical layers"));
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

TEST_CASE("a source that another one makes felt is measured beside it, and bits predicted are those measured") {
  const Network net = matched();
  struct Case {
    const char *device, *source;
    std::vector<std::string> beside;
  };
  const std::vector<Case> cases = {{"sim:crossbar,cell.kind=soft_bounds", "pulse.bound_spread", {"cell.kind"}},
                                   {"sim:crossbar,cell.kind=soft_bounds", "pulse.step_spread", {"cell.kind"}},
                                   {"sim:crossbar,preset=pcm", "read_law", {"cell.kind"}},
                                   {"sim:crossbar,preset=reram,cell.stuck_off=0.02", "cell.stuck_off", {"cell.kind"}},
                                   {"sim:homodyne,photons.input=300,photons.weight=300,electrons=600",
                                    "electrons",
                                    {"photons.input", "photons.weight", "efficiency", "visibility"}},
                                   {"sim:mzi_mesh,preset=receiver,loss=0.1,photons=3000,local_power_w=1e-5",
                                    "detector.amplifier_a2_hz",
                                    {"loss", "photons"}}};
  for (const Case& one : cases) {
    INFO(one.device << ": " << one.source);
    const Trial what = trial(net, one.device, {}, 2);
    CHECK(what.beside(one.source) == one.beside);
    const Sensitivity report = sensitivity(what, one.device);
    const SensitivityRow& row = row_of(report, one.source);
    CHECK(row.error_alone > 1.05 * row.error_before);
    for (const std::string& name : one.beside) {
      CHECK(row.error_before >= row_of(report, name).error_alone * 0.99);
      const double left = row_of(report, name).enob_without_predicted;
      CHECK((what.sizes_others(name) ? std::isnan(left) : left >= row.enob_without_predicted));
    }
    CHECK(report.enob_predicted == Approx(report.enob_measured).margin(0.4));  // half of e^2 more or less: 0.3
  }
  CHECK(trial(net, "sim:ring_bank").beside("detector.dark_a") == std::vector<std::string>{"detector.shot"});
  const Trial plain = trial(net, "sim:crossbar,output_noise=0.1", {}, 1);
  for (const std::string& name : plain.sources()) CHECK(plain.beside(name).empty());
  CHECK(plain.with_only({"adc.bits"}).settings ==
        plain.without({"dac.bits", "output_noise", "weight.bits", "programming_error", "read_noise"}).settings);
}

TEST_CASE("a row tells the values of layers that differ, and what is lost is lost by these") {
  const Network net = matched();
  const Settings own = {{"device.layer2.adc.bits", std::int64_t{3}}};
  const Sensitivity report = sensitivity(trial(net, "sim:crossbar", own, 1), "sim:crossbar");
  CHECK(row_of(report, "adc.bits").layers == std::vector<Value>{std::int64_t{8}, std::int64_t{3}});
  CHECK(row_of(report, "dac.bits").layers.empty());
}

TEST_CASE("deployments that calibration refuses are counted and have no numbers") {
  const Network net = matched();
  const std::string device = "sim:homodyne,electrons=1e9";  // 1e5 times the signal of 1e4 photons
  const Trial what = trial(net, device, {}, 2);
  const TrialResult result = what.run(what.without({}), 0);
  CHECK_FALSE(result.refused.empty());
  CHECK(std::isnan(result.relative_error()));
  const Sensitivity report = sensitivity(what, device);
  CHECK(report.refused >= 2);
  CHECK(report.refusal.find("calibrat") != std::string::npos);
  CHECK(report.all.n == 0);
  CHECK(std::isnan(report.enob_measured));
  CHECK(std::isnan(report.sample_j));
  CHECK(report.none.n == 2);
  CHECK(std::isfinite(report.error_none));
  const SensitivityRow& worst = report.rows.front();
  CHECK(worst.name == "electrons");  // alone it is refused as well: what it loses is not known, but the most
  CHECK(std::isnan(worst.lost_alone));
  CHECK(std::isnan(report.enob_predicted));
  CHECK(std::isfinite(worst.enob_without_predicted));
}

TEST_CASE("levels of a converter stand for its bits: they are switched off together, and fewer levels are worse") {
  const Network net = matched();
  const std::string device = "sim:crossbar,programming_error=0,read_noise=0,output_noise=0.01";
  const Trial coarse = trial(net, device + ",dac.levels=9,input_noise=0.1", {}, 2);
  const auto has = [&](const char* name) { return std::ranges::count(coarse.sources(), name) == 1; };
  CHECK(has("dac.levels"));
  CHECK(has("input_noise"));
  CHECK(has("adc.bits"));
  CHECK_FALSE(has("dac.bits"));  // nine levels are no finer with more bits
  CHECK_FALSE(has("adc.levels"));
  const Variant exact = coarse.without({"dac.levels"});
  CHECK(exact.settings.at("dac.levels") == Value(std::int64_t{0}));
  CHECK(exact.settings.at("dac.bits") == Value(std::int64_t{16}));
  const Sensitivity report = sensitivity(coarse, device);
  for (const char* source : {"dac.levels", "input_noise"})
    CHECK(row_of(report, source).error_alone > 3 * row_of(report, source).error_before);

  const Trial fine = trial(net, device, {}, 3);
  const Spec spec = find_spec(fine, device, {.drop = 0.03, .over = {"adc.levels"}, .per_layer = false});
  const auto levels = std::get<std::int64_t>(spec.axes.at(0).value);
  INFO(levels << " levels");
  CHECK(spec.reached);
  CHECK(spec.axes[0].priced);
  CHECK(levels % 2 == 1);
  CHECK(levels < 100);
  CHECK(spec.axes[0].best == Value(std::int64_t{0}));
  CHECK(spec.sample_j < spec.asked_j);
  CHECK_THROWS_AS(find_spec(fine, device, {.over = {"adc.bits", "adc.levels"}}), InvalidParameter);
}

TEST_CASE("the energy of what was asked is that of the same devices without a report") {
  const Network net = matched();
  const Dataset data = directions(400);
  for (const std::string device : {"sim:homodyne,preset=ideal", "sim:crossbar,preset=pcm"}) {
    AnalogNetwork analog(registry(), analog_place(device, {}, net.layers()), net);
    analog.program(net);
    const double written_j = analog.report().device_j;
    analog.evaluate(net, data);
    const Trial what = trial(net, device, {}, 1);
    CHECK(what.without({}).settings.empty());
    CHECK(what.run(what.without({}), 0).sample_j == Approx((analog.report().device_j - written_j) / 400));
  }
}

TEST_CASE("what has drifted since the weights were written is a source of error at an age, and only then") {
  const Network net = matched();
  const std::string device = "sim:crossbar,preset=pcm";
  const auto report = [&](double age_s) {
    return sensitivity(Trial(registry(), analog_place(device, {}, net.layers()), net, directions(400),
                             Loss::cross_entropy, {.repeats = 2, .samples = 0, .age_s = age_s}),
                       device);
  };
  const Sensitivity fresh = report(0), old = report(3e7);
  CHECK(std::ranges::count(fresh.rows, kAgeRow, &SensitivityRow::name) == 0);
  REQUIRE(old.rows.size() == fresh.rows.size() + 1);
  const SensitivityRow& age = row_of(old, kAgeRow);
  CHECK(age.without.mean == fresh.all.mean);  // all but the drift
  CHECK(age.error_alone > 1.5 * age.error_before);
  CHECK(old.error_all > fresh.error_all);
  CHECK(old.error_none == fresh.error_none);
  for (const SensitivityRow& row : fresh.rows) CHECK(row_of(old, row.name).error_alone == row.error_alone);
}

TEST_CASE("a drift that comes with a number is felt at an age, and predicted") {
  const Network net = matched();
  const std::string device = "sim:ring_bank,control.tracking=none,temperature.sd_k=0.01";
  const Sensitivity old = sensitivity(Trial(registry(), analog_place(device, {}, net.layers()), net, directions(400),
                                            Loss::cross_entropy, {.repeats = 3, .samples = 0, .age_s = 3600}),
                                      device);
  const SensitivityRow& age = row_of(old, kAgeRow);
  CHECK(std::ranges::count(age.beside, "temperature.sd_k") == 1);
  CHECK(age.error_alone > 3 * age.error_before);
  // half a bit is a factor of 1.4 in the error: both are of the same three draws, sources that are not quite
  // independent
  CHECK(std::abs(old.enob_predicted - old.enob_measured) < 0.5);
  // without the fluctuations there is no drift, without anything else there is
  CHECK(std::abs(row_of(old, "temperature.sd_k").enob_without_predicted -
                 row_of(old, "temperature.sd_k").enob_without) < 0.5);
  CHECK(old.age_s == 3600);
}

TEST_CASE("switches of cells are gone with the cells") {
  const Network net = matched();
  for (const char* kind : {"soft_bounds", "constant_step"}) {
    const std::string device = std::string("sim:crossbar,pulse.pair=true,cell.kind=") + kind;
    const Trial pairs = trial(net, device, {}, 1);
    CHECK(std::get<bool>(pairs.without({"cell.kind"}).settings.at("pulse.pair")) == false);
    CHECK(pairs.without({"adc.bits"}).settings.count("pulse.pair") == 0);
    CHECK(sensitivity(pairs, device).refused == 0);
  }
}

TEST_CASE("time is refused where no clock is, where weights are written anew, and backwards") {
  const Network net = matched();
  const auto aged = [&](const std::string& device, double seconds, const Settings& settings = {}) {
    AnalogNetwork analog(registry(), analog_place(device, settings, net.layers()), net);
    analog.program(net);
    analog.devices().age(seconds);
  };
  CHECK_NOTHROW(aged("sim:crossbar,preset=pcm", 1e6));
  CHECK_THROWS_AS(aged("sim:homodyne", 1e6), Unsupported);
  CHECK_THROWS_AS(aged("sim:crossbar", 1e6, {{"layer.devices", std::string("one")}}), Unsupported);
  CHECK_THROWS_AS(aged("sim:crossbar", -1.0), OutOfRange);
  CHECK_THROWS_AS(aged("sim:crossbar,preset=reram", 1e9), OutOfRange);  // nothing is known of such cells
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

TEST_CASE("no specification costs more than what was asked, the common solution, or bits that keep the accuracy") {
  const Network net = matched();
  const Trial what = trial(net, "sim:crossbar,programming_error=0,read_noise=0", {}, 2);
  const SpecOptions options{.drop = 0.05, .over = {"adc.bits", "dac.bits", "output_noise"}};
  const Spec spec = find_spec(what, "sim:crossbar", options);
  CHECK(spec.reached);
  CHECK(spec.sample_j <= spec.asked_j);
  CHECK(spec.sample_j <= spec.common_j);
  for (const SpecAxis& axis : spec.axes)
    if (!axis.priced) CHECK(std::get<double>(axis.value) >= std::get<double>(axis.asked));
  for (std::int64_t adc = 4; adc < 9; ++adc)
    for (std::int64_t dac = 3; dac < 9; ++dac) {
      Variant bits = what.without({});
      bits.settings["adc.bits"] = adc;
      bits.settings["dac.bits"] = dac;
      const TrialResult one = what.run(bits, 0), other = what.run(bits, 1);
      INFO(adc << " and " << dac << " bits");
      if (std::min(one.accuracy, other.accuracy) > spec.digital_accuracy - 0.03)
        CHECK(spec.sample_j <= 1.01 * (one.sample_j + other.sample_j) / 2);
    }
}

TEST_CASE("power is relaxed to the least that keeps the accuracy, bandwidth to the soonest answer", "[law]") {
  const Network net = matched();
  struct Case {
    const char *device, *name;
    bool less, priced;  // the worse end is the lower one; it takes less energy
    double drop = 0.05;
  };
  const std::vector<Case> cases = {
      {"sim:ring_bank,power_w=1e-5", "power_w", true, true},
      // the rank of its trains alone loses four to five points
      {"sim:tt_rfnn,preset=receiver,local_power_w=1e-6", "power_w", true, true, 0.1},
      {"sim:mzi_mesh,preset=receiver,local_power_w=1e-5,photons=1e4", "local_power_w", true, true},
      {"sim:mzi_mesh,preset=receiver,local_power_w=1e-5,photons=1e4", "detector.bandwidth_hz", false, false},
      {"sim:ring_bank,power_w=1e-5", "detector.bandwidth_hz", false, false}};
  for (const Case& one : cases) {
    INFO(one.device << ": " << one.name);
    const Trial what = trial(net, one.device, {}, 3);
    const Spec spec = find_spec(what, one.device, {.drop = one.drop, .over = {one.name}, .per_layer = false});
    const SpecAxis& axis = spec.axes.at(0);
    const double asked = std::get<double>(axis.asked), found = std::get<double>(axis.value);
    INFO(found << ", lost " << spec.lost_bound);
    CHECK(spec.reached);
    CHECK(spec.lost_bound <= one.drop);
    CHECK(axis.priced == one.priced);
    CHECK(axis.timed != one.priced);
    CHECK((one.less ? found < asked : found > asked));
    if (one.priced) CHECK(spec.sample_j < spec.asked_j);
    // a hundred times worse breaks it, whatever lies between
    Variant worse = what.without({});
    worse.settings[one.name] = one.less ? found / 100 : std::min(1e12, found * 1e3);
    const TrialResult broken = what.run(worse, 0);
    INFO(broken.accuracy);
    CHECK((!broken.refused.empty() || broken.accuracy < spec.digital_accuracy - one.drop));
  }
}

TEST_CASE(
    "the least power goes with the root of a receiver's noise density: amplifier noise alone scales as 1 / power") {
  const Network net = matched();
  double least[2];
  for (const int louder : {0, 1}) {
    const std::string device = "sim:ring_bank,preset=ideal,power_w=0.1,detector.amplifier_a2_hz=" +
                               std::string(louder == 1 ? "1e-20" : "1e-22");
    const Trial what = trial(net, device, {}, 2);
    const Spec spec = find_spec(what, device, {.drop = 0.05, .over = {"power_w"}, .per_layer = false});
    CHECK(spec.reached);
    CHECK(std::get<double>(spec.axes[0].best) == 1.0);  // the dear end of its range
    least[louder] = std::get<double>(spec.axes[0].alone);
  }
  CHECK(least[1] / least[0] == Approx(10).epsilon(0.16));  // the same draws; a step of the grid is 15 %
}

TEST_CASE("a setting that is asked for too weak is raised to what the accuracy needs") {
  const Network net = matched();
  const std::string device = "sim:ring_bank,preset=ideal,power_w=1e-8,detector.amplifier_a2_hz=1e-22";
  const Trial what = trial(net, device, {}, 2);
  const Spec spec = find_spec(what, device, {.drop = 0.05, .over = {"power_w"}, .per_layer = false});
  CHECK(spec.reached);
  CHECK(std::get<double>(spec.axes[0].value) > 1e-8);
  CHECK(spec.sample_j > spec.asked_j);
}

TEST_CASE("where both ends of a setting are bad it is relaxed from what is asked for") {
  const Network net = matched();
  // a slow filter lets former frames through, a fast one noise; the slowest are refused by the device itself
  const std::string device = "sim:ring_bank,detector.order=1,detector.bandwidth_hz=3e9,power_w=1e-4";
  const Trial what = trial(net, device, {}, 2);
  const Spec spec = find_spec(what, device, {.drop = 0.05, .over = {"detector.bandwidth_hz"}, .per_layer = false});
  CHECK(spec.reached);
  CHECK(spec.axes[0].best == Value(3e9));
  CHECK(std::get<double>(spec.axes[0].value) > 3e9);
}

TEST_CASE("cells that drift are specified at an age: what keeps the accuracy when it is written may not do so later") {
  const Network net = matched();
  const std::string device = "sim:crossbar,preset=pcm,adc.bits=10";
  const auto found = [&](double age_s) {
    const Trial what(registry(), analog_place(device, {}, net.layers()), net, directions(400), Loss::cross_entropy,
                     {.repeats = 3, .samples = 0, .age_s = age_s});
    return find_spec(what, device, {.drop = 0.3, .over = {"adc.bits"}, .per_layer = false});
  };
  const Spec fresh = found(0), old = found(1e5);
  CHECK(old.age_s == 1e5);
  CHECK(fresh.reached);
  CHECK(old.accuracy_best.mean < fresh.accuracy_best.mean);
  CHECK(old.reached);
  CHECK(std::get<std::int64_t>(old.axes[0].value) > std::get<std::int64_t>(fresh.axes[0].value));
}

TEST_CASE("where repeats scatter, a bound that fails is paid in fresh deployments: what was asked stays in reach") {
  const Network net = matched();
  const Trial what = trial(net, "sim:crossbar,output_noise=0.2", {}, 3);
  for (const double drop : {0.04, 0.05, 0.06}) {
    const Spec spec = find_spec(what, "sim:crossbar", {.drop = drop, .over = {"adc.bits", "read_noise"}});
    INFO("drop " << drop << ", " << spec.tightened << " given up");
    CHECK(spec.reached);
    CHECK(spec.sample_j <= spec.asked_j);
    CHECK(spec.accuracy.n >= 6);
    CHECK(spec.lost_bound < drop);
  }
}

TEST_CASE("a specification that too few repeats cannot tell says how many are needed") {
  const Network net = matched();
  const SpecOptions options{.drop = 0.035, .over = {"adc.bits"}};
  const std::string device = "sim:crossbar,output_noise=0.2";
  std::string reason;
  try {
    find_spec(trial(net, device, {}, 2), device, options);
  } catch (const Unsupported& error) {
    reason = error.what();
  }
  INFO(reason);
  const std::size_t about = reason.find("too few to tell: about ");
  REQUIRE(about != std::string::npos);
  const Index needed = std::stol(reason.substr(about + 23));
  CHECK(needed > 2);
  CHECK(find_spec(trial(net, device, {}, 2 * needed), device, options).reached);
}

TEST_CASE("a specification that cannot be is refused with what is possible") {
  const Network net = matched();
  const Trial what = trial(net, "sim:crossbar,output_noise=30", {}, 3);
  CHECK_THROWS_AS(find_spec(what, "d", {.drop = 0.005, .over = {"adc.bits"}}), Unsupported);
  CHECK_THROWS_AS(find_spec(what, "d", {.drop = 0, .over = {"adc.bits"}}), OutOfRange);
  CHECK_THROWS_AS(find_spec(what, "d", {.over = {"adc.rang"}}), UnknownName);
  const auto refusal = [&](const char* device, const char* name) {
    try {
      find_spec(trial(net, device, {}, 2), "d", {.over = {name}});
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK_THAT(refusal("sim:crossbar", "adc.range"), Catch::Contains("neither energy nor time"));
  CHECK_THAT(refusal("sim:mzi_mesh", "local_power_w"), Catch::Contains("neither energy nor time"));  // no noise there
  CHECK_THAT(refusal("sim:crossbar", "input.size"), Catch::Contains("neither a source of error nor a real number"));
  CHECK_THROWS_AS(find_spec(what, "d", {.over = {}}), InvalidParameter);
  CHECK_THROWS_AS(find_spec(what, "d", {.over = {"adc.bits", "adc.bits"}}), InvalidParameter);
  CHECK_THROWS_AS(find_spec(trial(net, "sim:crossbar,preset=pcm", {}, 2), "d", {.over = {"read_noise"}}),
                  InvalidParameter);
}

}  // namespace lightloop
