// plugin:example.opu: Lightloop's own sim:opu behind the plugin interface, as one would wrap a vendor's C++ library. A
// network trained through it ends with the same weights as one trained through sim:opu.
#include <array>
#include <cmath>
#include <lightloop/plugin.hpp>

#include "devices/catalogue.hpp"
#include "driver/api/registry.hpp"

namespace {
namespace shim = lightloop::plugin;

const lightloop::DeviceModel& model() {
  static const lightloop::Registry registry = [] {
    lightloop::Registry all;
    lightloop::add_devices(all);
    return all;
  }();
  return registry.model("opu");
}

std::vector<shim::Parameter> parameters() {
  std::vector<shim::Parameter> all;
  for (const lightloop::ParamInfo& info : model().params) {
    shim::Text record;
    record.add("name", info.name).add("help", info.help).add("unit", info.unit);
    std::visit([&](const auto& value) { record.add("default", value); }, info.default_value);
    record.add("kind", std::array{"switch", "integer", "real", "text"}[info.default_value.index()]);
    if (info.min < info.max && std::isfinite(info.min)) record.add("min", info.min);
    if (info.min < info.max && std::isfinite(info.max)) record.add("max", info.max);
    std::string choices;
    for (const std::string& choice : info.choices) choices += (choices.empty() ? "" : "|") + choice;
    all.push_back({info.name, record.add("choices", choices).add("needs_reopen", info.needs_reopen)});
  }
  return all;
}

lightloop::Settings settings_of(const shim::Settings& given) {
  lightloop::Settings settings;
  for (const lightloop::ParamInfo& info : model().params) {
    const std::array<lightloop::Value, 4> values{given.on(info.name), given.integer(info.name), given.real(info.name),
                                                 given.text(info.name)};
    settings[info.name] = values[info.default_value.index()];
  }
  return settings;
}

class Wrapped : public shim::Device {
 public:
  explicit Wrapped(const shim::Settings& given) {
    lightloop::ParamSet params("sim:opu", model().params);
    params.set(settings_of(given));
    device_ = model().open(params);
  }
  shim::Description describe() const override {
    const lightloop::DeviceInfo& info = device_->describe();
    shim::Description d;
    d.kind = info.kind;
    d.input = {{info.input.shape.begin(), info.input.shape.end()}, info.input.bits, info.input.meaning};
    d.output = {{info.output.shape.begin(), info.output.shape.end()}, info.output.bits, info.output.meaning};
    for (const lightloop::AuxFormat& aux : info.aux_inputs) d.aux.push_back({aux.name, aux.bits, aux.rest, aux.help});
    d.stateful = info.stateful;
    d.deterministic = info.deterministic;
    d.repeatable = info.repeatable;
    d.max_batch = info.max_batch;
    d.frame_s = info.cost.frame_s;
    d.batch_s = info.cost.batch_s;
    d.power_w = info.cost.power_w;
    return d;
  }
  void configure(const shim::Settings& given) override { device_->configure(settings_of(given)); }
  void run(const lightloop_run& r, lightloop_report& report) override {
    const lightloop::DeviceInfo& info = device_->describe();
    lightloop::ConstFrames in;
    in.data = r.in;
    in.count = r.frames;
    in.size = r.in_size;
    in.bytes = info.input.bytes();
    if (r.aux != nullptr) in.aux = {r.aux, r.frames, static_cast<lightloop::Index>(info.aux_inputs.size())};
    lightloop::Frames out;
    out.data = r.out;
    out.count = r.frames;
    out.size = r.out_size;
    out.bytes = info.output.bytes();
    lightloop::RunOptions options;
    options.first_frame_id = r.first_frame_id;
    const lightloop::RunReport said = device_->run(in, out, options);
    report.saturated = said.saturated;
    report.device_s = said.device_s;
    report.device_j = said.device_j;
  }
  void reset() override { device_->reset(); }
  std::string snapshot() const override {
    const auto state = device_->snapshot();
    return {reinterpret_cast<const char*>(state.data()), state.size()};
  }
  void restore(const std::string& state) override {
    const auto* bytes = reinterpret_cast<const std::byte*>(state.data());
    try {
      device_->restore({bytes, bytes + state.size()});
    } catch (const lightloop::InvalidParameter& error) {
      throw shim::Failure(LIGHTLOOP_INVALID, error.what());
    }
  }

 private:
  std::unique_ptr<lightloop::Device> device_;
};
}  // namespace

LIGHTLOOP_PLUGIN({"example.opu", "projection", model().summary, model().source, parameters(),
                  [](const shim::Settings& settings) { return std::make_unique<Wrapped>(settings); }})
