#include "driver/api/energy.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "driver/api/answer.hpp"
#include "driver/api/description.hpp"

namespace lightloop {
namespace {

/// 10 W for 1 ms: 10 mJ a frame, of which the ADC takes 2 and the laser 5; 3 J a programme, 1 of them writing.
CostModel cost() {
  CostModel model{.frame_s = 1e-3, .power_w = 10, .program_j = 3};
  model.parts = {{"adc", 8, 2e-3, 0, 0}, {"laser", 1e6, 5e-3, 0, 0}, {"writing", 0, 0, 64, 1}};
  return model;
}

double joules(const EnergyAccount& account, const std::string& name) {
  for (const EnergyPart& part : account.parts())
    if (part.name == name) return part.joules;
  return -1;
}

}  // namespace

TEST_CASE("the parts of an account add up to what was reported, and only grow") {
  const CostModel model = cost();
  EnergyAccount account;
  double total = 0;
  for (const int frames : {1, 7, 0, 30}) {
    const std::vector<EnergyPart> before = account.parts();
    account.add_frames(model, frames, model.joules(frames));
    account.add_program(model);
    total += model.joules(frames, 0, 1);
    CHECK(account.joules() == Approx(total).epsilon(1e-12));
    for (std::size_t i = 0; i < before.size(); ++i) {
      CHECK(account.parts()[i].joules >= before[i].joules);
      CHECK(account.parts()[i].events >= before[i].events);
    }
  }
  CHECK(joules(account, "adc") == Approx(38 * 2e-3));
  CHECK(joules(account, "laser") == Approx(38 * 5e-3));
  CHECK(joules(account, "writing") == Approx(4));
  CHECK(joules(account, "other") == Approx(38 * 3e-3 + 4 * 2));
}

TEST_CASE(
    "a transposed pass costs what it converts: outputs shown, inputs read, and as long as they follow one another") {
  DeviceInfo info;
  info.input.shape = {64};
  info.output.shape = {4};
  info.cost = {.frame_s = 64e-9, .power_w = 10, .time_per = CostPer::input};
  info.cost.parts = {{"dac", 64, 64e-12, 0, 0, 0, CostPer::input},
                     {"adc", 4, 40e-12, 0, 0, 0, CostPer::output},
                     {"cells", 256, 1e-9, 0, 0}};
  const CostModel back = cost_of(info, Pass::transposed);
  CHECK(back.parts[0].frame_events == 4);
  CHECK(back.parts[0].frame_j == Approx(4e-12));
  CHECK(back.parts[1].frame_events == 64);
  CHECK(back.parts[1].frame_j == Approx(640e-12));
  CHECK(back.parts[2].frame_j == info.cost.parts[2].frame_j);
  CHECK(back.frame_s == Approx(4e-9));
  CHECK(back.joules(1) == Approx(info.cost.joules(1) - 60e-12 + 600e-12));
  CHECK(cost_of(info, Pass::forward).joules(1) == info.cost.joules(1));
}

TEST_CASE("a published accelerator adds up: Albireo's power and energy per product from its parts") {
  // Shiflett et al., ISCA 2021: 9 groups of 3 units that make 45 products each per 0.2 ns; a ring per product and
  // polarity of its balanced detection, a modulator per weight and per input channel (9 x 27 and 63, each with its
  // DAC), a laser line per input, an amplifier and an ADC for each of 45 outputs. Powers of one part in mW; the
  // converters' and amplifiers' from energies per sample at 5 GS/s. ADC, laser, cache and the last DAC (published as
  // 0.325 pJ, which its 0.80 W contradict): totals over the counts.
  struct Corner {
    double ring, modulator, laser, tia_pj, dac_pj, adc;
    double watts, pj_per_mac;
  };
  for (const Corner c :
       {Corner{3.1, 11.3, 37.5, 0.6, 5.2, 29.1, 22.7, 3.7}, Corner{0.388, 1.41, 1.43, 0.3, 2.6, 14.4, 6.19, 1.0},
        Corner{0.155, 0.565, 1.9, 0.0375, 0.523, 2.9, 1.64, 0.27}}) {
    constexpr double kFrameS = 0.2e-9, kMacs = 9 * 3 * 45, kRings = 2 * kMacs, kModulators = 9 * 27 + 63;
    CostModel model{.frame_s = kFrameS};
    const auto part = [&](const char* name, double count, double watts) {
      model.parts.push_back({name, count, count * watts * kFrameS, 0, 0});
      model.power_w += count * watts;
    };
    part("rings", kRings, c.ring * 1e-3);
    part("modulator", kModulators, c.modulator * 1e-3);
    part("laser", 63, c.laser * 1e-3);
    part("tia", 45, c.tia_pj * 1e-12 / kFrameS);
    part("dac", kModulators, c.dac_pj * 1e-12 / kFrameS);
    part("adc", 45, c.adc * 1e-3);
    part("cache", 1, 0.03);
    EnergyAccount account;
    account.add_frames(model, 1000, model.joules(1000));
    INFO(c.watts << " W");
    CHECK(account.joules() / (1000 * kFrameS) == Approx(c.watts).epsilon(0.005));
    CHECK(account.joules() / (1000 * kMacs) * 1e12 == Approx(c.pj_per_mac).epsilon(0.02));
    CHECK(joules(account, "other") == -1);
  }
}

TEST_CASE("components that claim more than an instrument reports are scaled down, and nothing is left over") {
  EnergyAccount account;
  account.add_frames(cost(), 10, 35e-3);  // they claim 70 mJ
  CHECK(account.joules() == Approx(35e-3));
  CHECK(joules(account, "adc") == Approx(10e-3));
  CHECK(joules(account, "other") == -1);
}

TEST_CASE("a report that tells of its own components is taken at its word, the rest is other") {
  RunReport report;
  report.frames = 10;
  report.device_j = 35e-3;
  EnergyAccount assumed;
  assumed.add_frames(cost(), report);
  CHECK(joules(assumed, "laser") == Approx(25e-3));  // as the constants say, scaled
  report.parts = {{"adc", 3, 5e-3}, {"shutter", 1, 20e-3}};
  EnergyAccount account;
  account.add_frames(cost(), report);
  CHECK(joules(account, "shutter") == Approx(20e-3));
  CHECK(joules(account, "laser") == -1);
  CHECK(joules(account, "other") == Approx(10e-3));
  CHECK(account.joules() == Approx(35e-3));

  FrameBuffer codes({{4}, 8, "code"}, 10);
  DeviceInfo info;
  info.output = {{4}, 8, "code"};
  CHECK_NOTHROW(check_answer("test", info, codes.frames(), report));
  for (const EnergyPart& wrong : {EnergyPart{"shutter", 1, 31e-3}, EnergyPart{"shutter", -1, 0}, EnergyPart{"", 1, 0},
                                  EnergyPart{"shutter", 1, -1e-3}}) {
    report.parts.back() = wrong;
    CHECK_THROWS_AS(check_answer("test", info, codes.frames(), report), DeviceError);
  }
}

TEST_CASE("a description whose components take more than the device, or twice the same name, is refused") {
  DeviceInfo info;
  info.kind = "layer";
  info.model = "test";
  info.input = info.output = {{4}, 8, "code"};
  info.cost = cost();
  CHECK_NOTHROW(check_info(info, "test"));
  const DeviceInfo again = info_from(to_settings(info), "test");
  REQUIRE(again.cost.parts.size() == 3);
  CHECK(again.cost.parts[1].name == "laser");
  CHECK(again.cost.parts[1].frame_events == 1e6);
  CHECK(again.cost.parts[2].program_j == 1);
  info.cost.parts[0].frame_j = 6e-3;
  CHECK_THROWS_AS(check_info(info, "test"), InvalidParameter);
  info.cost = cost();
  info.cost.parts[0].name = "laser";
  CHECK_THROWS_AS(check_info(info, "test"), InvalidParameter);
}

TEST_CASE("a source of error keeps the value that takes it away on its way through flat settings") {
  const ParamInfo noise{.name = "read_noise",
                        .unit = "1",
                        .default_value = 0.1,
                        .min = 0,
                        .max = 1,
                        .help = "noise",
                        .off = 0.0,
                        .only_with = "law=a|b"};
  const ParamInfo again = param_from(to_settings(noise), "test");
  REQUIRE(again.off);
  CHECK(*again.off == Value(0.0));
  CHECK(again.only_with == "law=a|b");
  Settings beyond = to_settings(noise);
  beyond["off"] = 2.0;
  CHECK_THROWS_AS(param_from(beyond, "test"), InvalidParameter);
  CHECK_FALSE(
      param_from(to_settings(ParamInfo{.name = "size", .unit = "1", .default_value = 1.0, .help = ""}), "t").off);
}

}  // namespace lightloop
