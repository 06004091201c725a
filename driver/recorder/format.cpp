#include "driver/recorder/format.hpp"

#include <algorithm>
#include <sstream>

#include "core/error.hpp"

namespace lightloop::recording {
namespace {
constexpr char kSeparator = '|';  // no name or choice holds it

std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : std::string(1, kSeparator)) + text;
  return all;
}

std::vector<std::string> split(const std::string& all, char separator) {
  std::vector<std::string> texts;
  std::istringstream in(all);
  for (std::string text; std::getline(in, text, separator);) texts.push_back(text);
  return texts;
}

void put_format(Settings& flat, const std::string& prefix, const FrameFormat& format) {
  std::string shape;
  for (const Index n : format.shape) shape += (shape.empty() ? "" : "x") + std::to_string(n);
  flat[prefix + ".shape"] = shape;
  flat[prefix + ".bits"] = std::int64_t{format.bits};
  flat[prefix + ".meaning"] = format.meaning;
}

/// Typed look-ups that name the file when they fail.
struct Flat {
  const Settings& values;
  const std::string& file;

  [[noreturn]] void missing(const std::string& key) const {
    throw FileError(file, "\"" + key + "\" is missing or damaged", "", "Is it a recording?");
  }
  bool has(const std::string& key) const { return values.contains(key); }
  std::string text(const std::string& key) const {
    const auto found = values.find(key);
    if (found == values.end()) missing(key);
    return to_string(found->second);  // a serial number may look like a number
  }
  std::int64_t integer(const std::string& key) const {
    const auto found = values.find(key);
    const auto* value = found == values.end() ? nullptr : std::get_if<std::int64_t>(&found->second);
    return value ? *value : (missing(key), 0);
  }
  double real(const std::string& key) const {
    const auto found = values.find(key);
    if (found == values.end()) missing(key);
    if (const auto* value = std::get_if<double>(&found->second)) return *value;
    return static_cast<double>(integer(key));
  }
  bool boolean(const std::string& key) const {
    const auto found = values.find(key);
    const auto* value = found == values.end() ? nullptr : std::get_if<bool>(&found->second);
    return value ? *value : (missing(key), false);
  }
  FrameFormat format(const std::string& prefix) const {
    FrameFormat format{{}, static_cast<int>(integer(prefix + ".bits")), text(prefix + ".meaning")};
    for (const std::string& n : split(text(prefix + ".shape"), 'x')) format.shape.push_back(std::atoll(n.c_str()));
    if (format.size() < 1 || format.bits < 1 || format.bits > 16) missing(prefix + ".shape");
    return format;
  }
};

std::vector<Index> stored(const DeviceInfo& info, const FrameFormat& format) {
  return info.transposed ? std::vector<Index>{std::max(info.input.size(), info.output.size())} : format.shape;
}
}  // namespace

Settings to_settings(const DeviceInfo& info) {
  Settings flat = {{"kind", info.kind},
                   {"model", info.model},
                   {"serial", info.serial},
                   {"version", info.version},
                   {"stateful", info.stateful},
                   {"deterministic", info.deterministic},
                   {"transposed", info.transposed},
                   {"max_batch", std::int64_t{info.max_batch}},
                   {"cost.frame_s", info.cost.frame_s},
                   {"cost.batch_s", info.cost.batch_s},
                   {"cost.program_s", info.cost.program_s},
                   {"cost.power_w", info.cost.power_w},
                   {"cost.program_j", info.cost.program_j},
                   {"calibration_id", info.calibration_id},
                   {"aux", static_cast<std::int64_t>(info.aux_inputs.size())}};
  put_format(flat, "input", info.input);
  put_format(flat, "output", info.output);
  if (info.program) put_format(flat, "program", *info.program);
  for (std::size_t i = 0; i < info.aux_inputs.size(); ++i) {
    const std::string prefix = "aux." + std::to_string(i);
    const AuxFormat& aux = info.aux_inputs[i];
    flat[prefix + ".name"] = aux.name;
    flat[prefix + ".bits"] = std::int64_t{aux.bits};
    flat[prefix + ".rest"] = std::int64_t{aux.rest};
    flat[prefix + ".help"] = aux.help;
  }
  return flat;
}

DeviceInfo info_from(const Settings& flat, const std::string& file) {
  const Flat read{flat, file};
  DeviceInfo info;
  info.kind = read.text("kind");
  info.model = read.text("model");
  info.serial = read.text("serial");
  info.version = read.text("version");
  info.input = read.format("input");
  info.output = read.format("output");
  if (read.has("program.bits")) info.program = read.format("program");
  info.stateful = read.boolean("stateful");
  info.deterministic = read.boolean("deterministic");
  info.transposed = read.boolean("transposed");
  info.max_batch = read.integer("max_batch");
  info.cost = {read.real("cost.frame_s"), read.real("cost.batch_s"), read.real("cost.program_s"),
               read.real("cost.power_w"), read.real("cost.program_j")};
  info.calibration_id = read.text("calibration_id");
  for (std::int64_t i = 0; i < read.integer("aux"); ++i) {
    const std::string prefix = "aux." + std::to_string(i);
    info.aux_inputs.push_back({read.text(prefix + ".name"), static_cast<int>(read.integer(prefix + ".bits")),
                               static_cast<std::uint32_t>(read.integer(prefix + ".rest")),
                               read.text(prefix + ".help")});
  }
  return info;
}

Settings to_settings(const ParamSet& params) {
  Settings flat;
  std::vector<std::string> names;
  for (const ParamInfo& info : params.infos()) {
    names.push_back(info.name);
    flat[info.name] = params.value(info.name);
    flat[info.name + ".unit"] = info.unit;
    flat[info.name + ".default"] = info.default_value;
    flat[info.name + ".min"] = info.min;
    flat[info.name + ".max"] = info.max;
    flat[info.name + ".help"] = info.help;
    flat[info.name + ".choices"] = joined(info.choices);
    flat[info.name + ".needs_reopen"] = info.needs_reopen;
  }
  flat["names"] = joined(names);
  return flat;
}

ParamSet params_from(const Settings& flat, const std::string& owner, const std::string& file) {
  const Flat read{flat, file};
  std::vector<ParamInfo> infos;
  Settings values;
  for (const std::string& name : split(read.text("names"), kSeparator)) {
    if (!read.has(name) || !read.has(name + ".default")) read.missing(name);
    values[name] = flat.at(name);
    infos.push_back({name, read.text(name + ".unit"), flat.at(name + ".default"), read.real(name + ".min"),
                     read.real(name + ".max"), read.text(name + ".help"),
                     split(read.text(name + ".choices"), kSeparator), read.boolean(name + ".needs_reopen")});
  }
  ParamSet params(owner, std::move(infos));
  params.set(values);
  return params;
}

std::vector<Index> stored_input(const DeviceInfo& info) { return stored(info, info.input); }
std::vector<Index> stored_output(const DeviceInfo& info) { return stored(info, info.output); }

}  // namespace lightloop::recording
