// `lightloop eval`: scores the network of a run file on labelled data, in memory or on analog devices.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <numbers>

#include "core/error.hpp"
#include "core/units.hpp"
#include "driver/api/device_list.hpp"
#include "driver/api/opening.hpp"
#include "driver/layer/record.hpp"
#include "tools/lightloop/command.hpp"
#include "tools/lightloop/json.hpp"
#include "tools/lightloop/samples.hpp"
#include "tools/lightloop/text.hpp"
#include "training/analog.hpp"
#include "training/evaluate.hpp"
#include "training/physical_maps.hpp"
#include "training/run_file.hpp"
#include "training/sample_text.hpp"

namespace lightloop::command {
namespace {

void print_layers(AnalogNetwork& analog) {
  std::vector<std::vector<std::string>> rows = {
      {"layer", "size", "tiles", "frames", "clipped", "device time", "energy", "energy per product"}};
  const std::vector<LayerReport> reports = analog.reports();
  for (std::size_t l = 0, product = 0; l < reports.size(); ++l) {
    const LayerReport& one = reports[l];
    const TiledLayer& layer = analog.product(product);
    std::int64_t groups = 0, tiles = 0;
    for (; product < analog.products() && analog.layer_of(product) == l; ++product, ++groups)
      tiles += analog.product(product).tiles();
    rows.push_back({std::to_string(l + 1),
                    std::to_string(layer.inputs()) + "-" + std::to_string(layer.outputs()) +
                        (groups > 1 ? " x" + std::to_string(groups) : ""),
                    std::to_string(tiles), grouped(one.frames), grouped(one.saturated), brief(one.device_s, "s"),
                    brief(one.device_j, "J"), brief(one.device_j / one.macs, "J")});
  }
  std::fputs(table(rows).c_str(), stdout);
  std::int64_t beyond = 0;
  for (const LayerReport& one : reports) beyond += one.clipped_phases;
  if (beyond > 0)
    std::printf("%s phases lie beyond what the device can set and are at the nearest end: the weights are others\n",
                grouped(beyond).c_str());
  std::fputs(running_ranges(reports).c_str(), stdout);
  std::fputs(residual_warnings(reports).c_str(), stdout);
}

/// "1.31 us: dac 71.4 ps, cells 1.3 us": one sample alone, from layer to layer.
std::string latency_text(const std::vector<LatencyPart>& parts) {
  std::string text = brief(seconds(parts), "s") + ":";
  for (const LatencyPart& part : parts)
    text += (&part == parts.data() ? " " : ", ") + part.name + " " + brief(part.seconds, "s");
  return text;
}

/// What the data allow: "accuracy 12.00 %, loss 1.2345, 1.7810 bits per character", or the mean square error.
std::string score_text(const Dataset& test, const Evaluation& score) {
  const auto number = [](const char* format, double value) {
    char text[64];
    std::snprintf(text, sizeof text, format, value);
    return std::string(text);
  };
  if (test.values.size() > 0)
    return number("mean square error %.6g", 2 * score.loss / static_cast<double>(test.classes));
  std::string text = "accuracy " + percent(score.accuracy) + number(", loss %.4f", score.loss);
  if (test.targets > 1) text += number(", %.4f bits per character", score.loss / std::numbers::ln2);
  if (std::isfinite(score.auc)) text += number(", area under the ROC curve %.4f", score.auc);
  return text;
}

struct Scored {
  const RunFile& run;
  const Dataset& test;
  Settings head;  ///< run, data and weights in JSON
};

/// What JSON begins with, wherever the network was asked: the names of Scored::head, then the score.
Settings json_head(const Scored& scored, const Evaluation& score, const std::string& device = {}) {
  Settings values = scored.head;
  if (!device.empty()) values["device"] = device;
  values["samples"] = Value(static_cast<std::int64_t>(score.samples));
  values["test_accuracy"] = score.accuracy;
  values["loss"] = score.loss;
  if (std::isfinite(score.auc)) values["auc"] = score.auc;
  if (scored.test.targets > 1) values["bits_per_character"] = score.loss / std::numbers::ln2;
  return values;
}

/// Whether the run's devices learnt in place: what they hold is not to be had from its weights.
bool learnt_in_place(const RunFile& run) {
  const Settings layer = below(run.asked, "layer");
  const auto update = layer.find("update");
  return update != layer.end() && update->second != Value(std::string("write"));
}

/// On the run's own devices as they were left, calibration and learned ranges included, or on others. Settings that the
/// run did not have make others of them, but for cells and phases that have learnt in place.
int eval_analog(const EvalRequest& request, const Registry& registry, const std::string& device, const Scored& scored) {
  const Network& net = scored.run.net;
  const Loss loss = loss_from(scored.run.train.text("loss"));
  Settings settings = request.settings;
  if (request.device.empty())
    for (const auto& [key, value] : below(scored.run.asked, "layer")) settings.try_emplace("layer." + key, value);
  AnalogPlace place = analog_place(device, settings, analog_layers(net));
  const bool kept = request.device.empty() && !scored.run.layers_state.empty() &&
                    (request.settings.empty() || learnt_in_place(scored.run));
  if (takes_seed(registry, device)) place.settings.try_emplace("seed", scored.run.train.integer("seed"));
  place.trials = rule(scored.run.train.text("rule")).info.programmes;
  const auto maps = physics_of(scored.run, request.run, registry, said(scored.run, "map"));
  if (maps && request.recalibrate && request.age_s == 0) maps->recalibrate();
  AnalogNetwork analog(registry, place, net);
  std::vector<std::shared_ptr<Recording>> recordings;
  if (!request.record.empty()) recordings = record(analog.devices(), request.record);
  analog.stand_behind(maps.get());
  if (kept) analog.restore(scored.run.layers_state);
  analog.program(net, kept);
  if (request.age_s > 0) analog.devices().age(request.age_s);
  if (request.recalibrate && request.age_s > 0) analog.calibrate();
  const auto there = maps ? rule_behind(scored.run, *maps, &analog) : rule_of(scored.run, &analog);
  const auto here = maps ? rule_behind(scored.run, *maps) : rule_of(scored.run, nullptr);
  const LayerReport before = analog.report();
  const Evaluation score = analog.evaluate(net, scored.test, loss, there.get());
  const Evaluation digital =
      maps && !here ? maps->evaluate(net, scored.test, loss) : evaluate(net, scored.test, loss, here.get());
  for (const auto& recording : recordings) recording->close();
  const LayerReport all = analog.report();
  const auto samples = static_cast<double>(score.samples);
  const double sample_j = (all.device_j - before.device_j) / samples;
  const double sample_s = (all.device_s - before.device_s) / samples;
  if (request.json) {
    Settings head = json_head(scored, score, device);
    head["digital_accuracy"] = digital.accuracy;
    if (request.age_s > 0) head["age_s"] = request.age_s;
    head["device_frames"] = Value(all.frames);
    head["device_seconds"] = all.device_s;
    head["device_joules"] = all.device_j;
    head["joules_per_sample"] = sample_j;
    head["seconds_per_sample"] = sample_s;
    std::fputs(analog_json(head, analog.reports(), analog.latency()).c_str(), stdout);
    return kDone;
  }
  std::printf("%s on %s (%s samples): %s on %s, %s digital\n", request.run.c_str(), scored.test.name.c_str(),
              grouped(score.samples).c_str(), score_text(scored.test, score).c_str(), device.c_str(),
              score_text(scored.test, digital).c_str());
  const auto again = all.programs - before.programs;
  std::printf("%s frames, %s and %s on the device; a sample takes %s and %s%s\n", grouped(all.frames).c_str(),
              brief(all.device_s, "s").c_str(), brief(all.device_j, "J").c_str(), brief(sample_s, "s").c_str(),
              brief(sample_j, "J").c_str(),
              again == 0 ? " once the weights are written"
                         : (", its part of writing the one device again " + grouped(again) + " times in it").c_str());
  std::printf("one row alone has its answer after %s\n", latency_text(analog.latency()).c_str());
  print_layers(analog);
  std::fputs(energy_table(all.energy).c_str(), stdout);
  return kDone;
}

/// A network with a device in front of its layers, and products in memory.
int eval_mapped(const EvalRequest& request, const Registry& registry, const std::string& trained_on,
                const Scored& scored) {
  const RunFile& run = scored.run;
  for (const auto& [key, value] : request.settings)
    if (!key.starts_with("session."))
      throw InvalidParameter(key, to_string(value), "the device of a map takes its settings from its string",
                             "Give --device sim:wave,noise=0.");
  const bool products = !said(run, "layers").empty();  // the device asked for was to make these
  const std::string device = request.device.empty() || products ? trained_on : request.device;
  if (device == "digital")
    throw Unsupported("eval --device digital", "the layers of " + request.run + " are behind " + trained_on, "",
                      "Leave it out, or name another device.");
  const auto opened = physics_of(run, request.run, registry, device, request.settings);
  PhysicalMaps& maps = *opened;
  const auto rule = rule_behind(run, maps);
  if (request.recalibrate) maps.recalibrate();
  const MapReport before = maps.report();
  const Loss loss = loss_from(run.train.text("loss"));
  const Evaluation score =
      rule ? evaluate(run.net, scored.test, loss, rule.get()) : maps.evaluate(run.net, scored.test, loss);
  const MapReport after = maps.report();
  const std::int64_t frames = after.frames - before.frames, clipped = after.clipped_inputs - before.clipped_inputs,
                     saturated = after.saturated - before.saturated;
  if (request.json) {
    Settings values = json_head(scored, score, device);
    values["device_frames"] = Value(frames);
    values["clipped_inputs"] = Value(clipped);
    values["saturated"] = Value(saturated);
    values["recalibrated"] = request.recalibrate;
    std::fputs(settings_json(values).c_str(), stdout);
    return kDone;
  }
  std::printf("%s on %s (%s samples): %s, behind %s in %s frames\n", request.run.c_str(), scored.test.name.c_str(),
              grouped(score.samples).c_str(), score_text(scored.test, score).c_str(), device.c_str(),
              grouped(frames).c_str());
  if (clipped + saturated > 0)
    std::printf("%s inputs beyond the range of the map, %s codes clipped by the device\n", grouped(clipped).c_str(),
                grouped(saturated).c_str());
  return kDone;
}

/// What was left on the run's own devices could not be asked for again: a recording begins with weights being written.
void check_record(const EvalRequest& request, bool on_devices) {
  if (request.record.empty()) return;
  if (request.device.empty() || !on_devices)
    throw InvalidParameter("--record", request.record, "no device is named that the weights are written into",
                           "Give --device (remote:HOST:PORT/NAME), or leave it out.");
  for (const std::string& file : counted(request.record))
    if (!request.force && std::filesystem::exists(file))
      throw FileError(file, "exists already", "", "Name another file, or replace it with --force.");
}

}  // namespace

int eval(const EvalRequest& request, const Registry& registry) {
  const RunFile run = load_run(request.run);
  const Dataset test = samples_of(run, request.data, request.data_dir);
  const Settings head = {{"run", request.run},
                         {"data", test.source.empty() ? test.name : test.source},
                         {"weights_sha256", weights_sha256(run)}};
  const std::string layers = said(run, "layers");
  const std::string device = request.device.empty() ? layers : request.device;
  if (request.sample > 0 && ((!device.empty() && device != "digital") || run.alphabet.empty()))
    throw Unsupported("eval --sample", run.alphabet.empty() ? "the run has learned no text" : "a network on " + device,
                      "", run.alphabet.empty() ? "Leave --sample away." : "Leave --device away, or --sample.");
  const std::string map = said(run, "map");
  const bool on_devices = !device.empty() && device != "digital" && (map.empty() || !layers.empty());
  const Scored scored{run, test, head};
  if (request.age_s > 0 && !on_devices)
    throw InvalidParameter("--age", format_quantity(request.age_s, "s"), "no device holds the weights",
                           "Give --device sim:crossbar,preset=pcm, or leave it out.");
  check_record(request, on_devices);
  if (request.recalibrate && request.age_s == 0 && map.empty())
    throw InvalidParameter("--recalibrate", "true", "the run has no physics in front of its layers",
                           "Leave it out, or say how old the devices are (--age).");
  if (on_devices) return eval_analog(request, registry, device, scored);
  if (!map.empty()) return eval_mapped(request, registry, map, scored);
  if (!request.settings.empty())
    throw InvalidParameter(request.settings.begin()->first, to_string(request.settings.begin()->second),
                           "no device is used", "Give --device (sim:crossbar), or leave it out.");
  const auto rule = rule_of(run, nullptr);
  const Evaluation score = evaluate(run.net, test, loss_from(run.train.text("loss")), rule.get());
  const std::string drawn = request.sample > 0 ? sample_text(run.net, run.alphabet, request.sample,
                                                             static_cast<std::uint64_t>(run.train.integer("seed")))
                                               : "";
  if (request.json) {
    Settings values = json_head(scored, score);
    if (request.sample > 0) values["sample"] = drawn;
    std::fputs(settings_json(values).c_str(), stdout);
    return kDone;
  }
  std::printf("%s on %s (%s samples): %s\n", request.run.c_str(), test.name.c_str(), grouped(score.samples).c_str(),
              score_text(test, score).c_str());
  if (request.sample > 0) std::printf("%s\n", drawn.c_str());
  return kDone;
}

}  // namespace lightloop::command
