#include "driver/layer/named_twin.hpp"

#include <array>

#include "core/error.hpp"

namespace lightloop {
namespace {

/// The settings by which a layer reads codes and programmes (layer.hpp).
constexpr std::array kRead{"adc.range",  "mesh.layout", "phase.law", "phase.range_rad",
                           "field.kind", "tt.cores",    "tt.rank"};

std::string text(const FrameFormat& format) {
  std::string sides;
  for (const Index n : format.shape) sides += (sides.empty() ? "" : "x") + std::to_string(n);
  return sides + " codes of " + std::to_string(format.bits) + " bits";
}

/// What differs, told of either side.
struct Difference {
  std::string twin, instrument;
  void add(const std::string& name, const std::string& of_twin, const std::string& of_instrument) {
    if (of_twin == of_instrument) return;
    const char* const between = twin.empty() ? "" : ", ";
    twin += between + name + " " + of_twin;
    instrument += between + name + " " + of_instrument;
  }
  void add(const std::string& name, const FrameFormat& of_twin, const FrameFormat& of_instrument) {
    if (of_twin.size() == of_instrument.size() && of_twin.bits == of_instrument.bits) return;
    add(name, text(of_twin), text(of_instrument));
  }
};

}  // namespace

std::unique_ptr<Twin> named_twin(const Registry& registry, const std::string& setting, const std::string& address,
                                 const Session& instrument) {
  const DeviceInfo& info = instrument.info();
  const ParamSet& own = instrument.settings();
  Settings open;
  const Settings said = parse_address(address).settings;
  const auto field = said.find("field.kind");
  const bool complex = field != said.end() ? to_string(field->second) == "complex"
                                           : own.has("field.kind") && own.text("field.kind") == "complex";
  const std::int64_t codes = complex ? 2 : 1;  // of a channel
  for (const ParamInfo& choice : registry.open_params(address)) {
    if (choice.name == "input.size") open[choice.name] = static_cast<std::int64_t>(info.input.size()) / codes;
    if (choice.name == "output.size") open[choice.name] = static_cast<std::int64_t>(info.output.size()) / codes;
    for (const char* name : kRead)
      if (choice.name == name && own.has(name)) open[name] = own.value(name);
  }
  Difference difference;
  {
    const std::unique_ptr<Device> model = registry.open(address, open);
    const DeviceInfo& its = model->describe();
    difference.add("kind", its.kind, info.kind);
    difference.add("input", its.input, info.input);
    difference.add("output", its.output, info.output);
    const FrameFormat none{{0}, 0, ""};
    difference.add("programme", its.program.value_or(none), info.program.value_or(none));
    for (const char* name : kRead)
      if (own.has(name) && model->settings().has(name))
        difference.add(name, to_string(model->settings().value(name)), to_string(own.value(name)));
    model->close();
  }
  if (!difference.twin.empty())
    throw ShapeMismatch(setting + " = " + address, difference.twin, info.model + ": " + difference.instrument,
                        "Give the twin the instrument's sizes, bits and ranges: sim:MODEL,dac.bits=...,adc.bits=...");
  return registry.twin(address, open);
}

}  // namespace lightloop
