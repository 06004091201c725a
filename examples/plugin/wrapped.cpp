// plugin:example.opu, plugin:example.crossbar, ...: Lightloop's own simulated devices behind the plugin interface, as
// one would wrap a vendor's C++ library. A network trained through one ends with the same weights as through sim:.
#include <array>
#include <cmath>
#include <lightloop/plugin.hpp>

#include "core/error.hpp"
#include "devices/catalogue.hpp"
#include "driver/api/registry.hpp"

namespace {
namespace shim = lightloop::plugin;

std::vector<shim::Parameter> parameters(const lightloop::DeviceModel& model) {
  std::vector<shim::Parameter> all;
  for (const lightloop::ParamInfo& info : model.params) {
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

/// What the device throws, as the status it stands for.
template <class Body>
auto translated(Body&& body) {
  try {
    return body();
  } catch (const lightloop::OutOfRange& error) {
    throw shim::Failure(LIGHTLOOP_OUT_OF_RANGE, error.what());
  } catch (const lightloop::InvalidParameter& error) {
    throw shim::Failure(LIGHTLOOP_INVALID, error.what());
  } catch (const lightloop::Unsupported& error) {
    throw shim::Failure(LIGHTLOOP_UNSUPPORTED, error.what());
  }
}

class Wrapped : public shim::Device {
 public:
  Wrapped(const lightloop::DeviceModel& model, const shim::Settings& given) : params_(model.name, model.params) {
    params_.set(settings_of(given));
    device_ = translated([&] { return model.open(params_); });
  }
  shim::Description describe() const override {
    const lightloop::DeviceInfo& info = device_->describe();
    shim::Description d;
    d.kind = info.kind;
    d.input = format(info.input);
    d.output = format(info.output);
    if (info.program) d.program = format(*info.program);
    for (const lightloop::AuxFormat& aux : info.aux_inputs) d.aux.push_back({aux.name, aux.bits, aux.rest, aux.help});
    d.stateful = info.stateful;
    d.deterministic = info.deterministic;
    d.repeatable = info.repeatable;
    d.transposed = info.transposed;
    d.max_batch = info.max_batch;
    d.frame_s = info.cost.frame_s;
    d.batch_s = info.cost.batch_s;
    d.program_s = info.cost.program_s;
    d.power_w = info.cost.power_w;
    d.program_j = info.cost.program_j;
    return d;
  }
  void configure(const shim::Settings& given) override {
    lightloop::Settings changes;
    for (const auto& [name, value] : settings_of(given))
      if (device_->settings().value(name) != value) changes.insert({name, value});
    translated([&] { device_->configure(changes); });
  }
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
    options.pass = r.transposed != 0 ? lightloop::Pass::transposed : lightloop::Pass::forward;
    const lightloop::RunReport said = translated([&] { return device_->run(in, out, options); });
    report.saturated = said.saturated;
    report.device_s = said.device_s;
    report.device_j = said.device_j;
  }
  void program(const void* codes, std::int64_t size) override {
    lightloop::ConstFrames frame;
    frame.data = codes;
    frame.count = 1;
    frame.size = size;
    frame.bytes = device_->describe().program->bytes();
    translated([&] { device_->program(frame); });
  }
  void reset() override {
    translated([&] { device_->reset(); });
  }
  std::string snapshot() const override {
    const auto state = translated([&] { return device_->snapshot(); });
    return {reinterpret_cast<const char*>(state.data()), state.size()};
  }
  void restore(const std::string& state) override {
    const auto* bytes = reinterpret_cast<const std::byte*>(state.data());
    translated([&] { device_->restore({bytes, bytes + state.size()}); });
  }
  std::vector<shim::Monitor> monitors() const override {
    std::vector<shim::Monitor> all;
    for (const lightloop::Monitor& one : device_->monitors()) all.push_back({one.name, one.unit, one.value});
    return all;
  }

 private:
  static shim::Format format(const lightloop::FrameFormat& f) {
    return {{f.shape.begin(), f.shape.end()}, f.bits, f.meaning};
  }
  lightloop::Settings settings_of(const shim::Settings& given) const {
    lightloop::Settings settings;
    for (const lightloop::ParamInfo& info : params_.infos()) {
      const std::array<lightloop::Value, 4> values{given.on(info.name), given.integer(info.name), given.real(info.name),
                                                   given.text(info.name)};
      settings[info.name] = values[info.default_value.index()];
    }
    return settings;
  }

  lightloop::ParamSet params_;
  std::unique_ptr<lightloop::Device> device_;
};

std::vector<shim::Model> models() {
  static const lightloop::Registry registry = [] {
    lightloop::Registry all;
    lightloop::add_devices(all);
    return all;
  }();
  std::vector<shim::Model> all;
  for (const lightloop::DeviceModel& model : registry.models())
    all.push_back({"example." + model.name, model.kind, model.summary, model.source, parameters(model),
                   [&model](const shim::Settings& given) { return std::make_unique<Wrapped>(model, given); }});
  return all;
}
}  // namespace

LIGHTLOOP_PLUGIN(models())
