#include "driver/api/description.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "core/error.hpp"

namespace lightloop {
namespace {
constexpr Index kMostCodes = Index{1} << 30;  ///< per frame; assumed: far above any modulator or camera
constexpr char kBetweenChoices = '|';
constexpr std::int64_t kMostParts = 1024;  ///< auxiliary inputs, or components that take energy; assumed: far above any
constexpr std::array kCostPer{"frame", "input", "output"};        ///< in the order of CostPer
constexpr std::array kPairings{"certain", "counted", "unknown"};  ///< in the order of Pairing

/// Typed look-ups that name what they looked in when they fail.
struct Flat {
  const Settings& values;
  std::string what;

  [[noreturn]] void refuse(const std::string& key, const std::string& why) const {
    throw InvalidParameter(what, key + " " + why);
  }
  const Value* find(const std::string& key) const {
    const auto found = values.find(key);
    return found == values.end() ? nullptr : &found->second;
  }
  const Value& at(const std::string& key) const {
    const Value* found = find(key);
    if (!found) refuse(key, "is missing");
    return *found;
  }
  std::string text(const std::string& key) const { return to_string(at(key)); }  // a serial may look like a number
  std::string text(const std::string& key, const std::string& otherwise) const {
    return find(key) ? text(key) : otherwise;
  }
  std::int64_t integer(const std::string& key) const {
    const auto* value = std::get_if<std::int64_t>(&at(key));
    if (!value) refuse(key, "is no integer: " + text(key));
    return *value;
  }
  std::int64_t integer(const std::string& key, std::int64_t low, std::int64_t high) const {
    const std::int64_t value = integer(key);
    if (value < low || value > high)
      refuse(key, "is " + std::to_string(value) + ", not " + std::to_string(low) + ".." + std::to_string(high));
    return value;
  }
  double real(const std::string& key, double otherwise) const {
    if (!find(key)) return otherwise;
    if (const auto* value = std::get_if<double>(&at(key))) return *value;
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    if (at(key) == Value(std::string("inf"))) return kInfinity;  // text as format_settings writes it
    if (at(key) == Value(std::string("-inf"))) return -kInfinity;
    return static_cast<double>(integer(key));
  }
  bool boolean(const std::string& key, bool otherwise) const {
    if (!find(key)) return otherwise;
    const auto* value = std::get_if<bool>(&at(key));
    if (!value) refuse(key, "is neither true nor false: " + text(key));
    return *value;
  }
  FrameFormat format(const std::string& prefix) const {
    FrameFormat format{{}, static_cast<int>(integer(prefix + ".bits", 1, 16)), text(prefix + ".meaning", "code")};
    const std::string shape = text(prefix + ".shape");
    const char* at = shape.data();
    const char* const end = at + shape.size();
    while (true) {
      Index side = 0;
      const auto [stop, error] = std::from_chars(at, end, side);
      if (error != std::errc{} || (stop != end && *stop != 'x'))
        refuse(prefix + ".shape", "is \"" + shape + "\", not like 28x28");
      format.shape.push_back(side);
      if (stop == end) return format;
      at = stop + 1;
    }
  }
};

void put_format(Settings& flat, const std::string& prefix, const FrameFormat& format) {
  std::string shape;
  for (const Index n : format.shape) shape += (shape.empty() ? "" : "x") + std::to_string(n);
  flat[prefix + ".shape"] = shape;
  flat[prefix + ".bits"] = std::int64_t{format.bits};
  flat[prefix + ".meaning"] = format.meaning;
}

void check_format(const Flat& read, const std::string& name, const FrameFormat& format) {
  if (format.shape.empty()) read.refuse(name + ".shape", "is empty");
  Index size = 1;
  for (const Index side : format.shape) {
    if (side < 1) read.refuse(name + ".shape", "has a side of " + std::to_string(side));
    if (side > kMostCodes / size)
      read.refuse(name + ".shape", "has more than " + std::to_string(kMostCodes) + " codes");
    size *= side;
  }
  if (format.bits < 1 || format.bits > 16)
    read.refuse(name + ".bits", "is " + std::to_string(format.bits) + ", not 1..16");
}

/// Throws UnknownName for a key that no description with `aux` auxiliary inputs and so many components has.
void check_keys(const Flat& read, std::int64_t aux, std::int64_t parts) {
  DeviceInfo full;
  full.program = FrameFormat{{1}, 1, ""};
  full.aux_inputs.resize(static_cast<std::size_t>(aux));
  full.cost.parts.resize(static_cast<std::size_t>(parts));
  const Settings known = to_settings(full);
  for (const auto& [key, value] : read.values) {
    if (known.contains(key)) continue;
    std::vector<std::string> names;
    for (const auto& [name, any] : known) names.push_back(name);
    const auto near = nearest(key, names);
    throw UnknownName(read.what, key, "", near ? "Did you mean " + *near + "?" : "");
  }
}

CostPer cost_per(const Flat& read, const std::string& key) {
  const std::string text = read.text(key, kCostPer.front());
  const auto named = std::ranges::find(kCostPer, text);
  if (named == kCostPer.end()) read.refuse(key, "is \"" + text + "\", not frame, input or output");
  return static_cast<CostPer>(named - kCostPer.begin());
}

void check_parts(const Flat& read, const CostModel& cost) {
  double frame_j = 0, program_j = 0;
  for (auto part = cost.parts.begin(); part != cost.parts.end(); ++part) {
    for (const double number :
         {part->frame_events, part->frame_j, part->program_events, part->program_j, part->latency_s})
      if (!(number >= 0) || !std::isfinite(number))
        read.refuse("cost of \"" + part->name + "\"", "holds " + to_string(Value(number)));
    if (part->name.empty() ||
        std::any_of(cost.parts.begin(), part, [&](const CostPart& other) { return other.name == part->name; }))
      read.refuse("cost of \"" + part->name + "\"", "has no name of its own");
    frame_j += part->frame_j;
    program_j += part->program_j;
  }
  constexpr double kRounding = 1 + 1e-6;
  if (frame_j > kRounding * cost.power_w * cost.frame_s || program_j > kRounding * cost.program_j)
    read.refuse("cost.parts", "take more energy than the device: " + to_string(Value(frame_j)) + " J a frame, " +
                                  to_string(Value(program_j)) + " J a programme");
}

std::string kind_of(const Value& value) {
  constexpr std::array names{"switch", "integer", "real", "text"};
  return names[value.index()];
}
}  // namespace

bool moves_by_pulses(const ParamSet& settings) {
  return settings.has("program.mode") && settings.text("program.mode") == "pulses";
}

void check_info(const DeviceInfo& info, const std::string& who) {
  const Flat read{{}, "description of " + who};
  constexpr std::array kinds{"projection", "layer", "reservoir"};
  if (std::ranges::find(kinds, info.kind) == kinds.end())
    read.refuse("kind", "is \"" + info.kind + "\", not projection, layer or reservoir");
  if (info.model.empty()) read.refuse("model", "is empty");
  check_format(read, "input", info.input);
  check_format(read, "output", info.output);
  if (info.program) check_format(read, "program", *info.program);
  for (const AuxFormat& aux : info.aux_inputs) {
    if (aux.name.empty() || aux.bits < 1 || aux.bits > 16 || (aux.rest >> aux.bits) != 0)
      read.refuse("auxiliary input \"" + aux.name + "\"",
                  "has " + std::to_string(aux.bits) + " bits and rests at " + std::to_string(aux.rest));
  }
  if (info.max_batch < 1) read.refuse("max_batch", "is " + std::to_string(info.max_batch));
  const CostModel& cost = info.cost;
  for (const double number : {cost.frame_s, cost.batch_s, cost.program_s, cost.power_w, cost.program_j})
    if (!(number >= 0) || !std::isfinite(number)) read.refuse("cost", "holds " + to_string(Value(number)));
  check_parts(read, cost);
  if (info.deterministic && !info.repeatable)
    read.refuse("deterministic", "is true and repeatable false: a device without noise repeats itself");
}

Settings to_settings(const DeviceInfo& info) {
  Settings flat = {{"kind", info.kind},
                   {"model", info.model},
                   {"serial", info.serial},
                   {"version", info.version},
                   {"stateful", info.stateful},
                   {"deterministic", info.deterministic},
                   {"repeatable", info.repeatable},
                   {"transposed", info.transposed},
                   {"max_batch", std::int64_t{info.max_batch}},
                   {"cost.frame_s", info.cost.frame_s},
                   {"cost.batch_s", info.cost.batch_s},
                   {"cost.program_s", info.cost.program_s},
                   {"cost.power_w", info.cost.power_w},
                   {"cost.time_per", std::string(kCostPer[static_cast<std::size_t>(info.cost.time_per)])},
                   {"cost.program_j", info.cost.program_j},
                   {"calibration_id", info.calibration_id},
                   {"pairing", std::string(kPairings[static_cast<std::size_t>(info.pairing)])},
                   {"cost.parts", static_cast<std::int64_t>(info.cost.parts.size())},
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
  for (std::size_t i = 0; i < info.cost.parts.size(); ++i) {
    const std::string prefix = "cost.part." + std::to_string(i);
    const CostPart& part = info.cost.parts[i];
    flat[prefix + ".name"] = part.name;
    flat[prefix + ".frame_events"] = part.frame_events;
    flat[prefix + ".frame_j"] = part.frame_j;
    flat[prefix + ".program_events"] = part.program_events;
    flat[prefix + ".program_j"] = part.program_j;
    flat[prefix + ".latency_s"] = part.latency_s;
    flat[prefix + ".per"] = std::string(kCostPer[static_cast<std::size_t>(part.per)]);
  }
  return flat;
}

DeviceInfo info_from(const Settings& flat, const std::string& who, const DeviceInfo& defaults) {
  const Flat read{flat, "description of " + who};
  const std::int64_t aux = read.find("aux") ? read.integer("aux", 0, kMostParts) : 0;
  const std::int64_t parts = read.find("cost.parts") ? read.integer("cost.parts", 0, kMostParts) : 0;
  check_keys(read, aux, parts);
  DeviceInfo info = defaults;
  info.kind = read.text("kind");
  info.model = read.text("model");
  info.serial = read.text("serial", info.serial);
  info.version = read.text("version", info.version);
  info.input = read.format("input");
  info.output = read.format("output");
  if (read.find("program.bits") || read.find("program.shape")) info.program = read.format("program");
  info.stateful = read.boolean("stateful", info.stateful);
  info.deterministic = read.boolean("deterministic", info.deterministic);
  info.repeatable = read.boolean("repeatable", info.repeatable || info.deterministic);
  info.transposed = read.boolean("transposed", info.transposed);
  if (read.find("max_batch")) info.max_batch = read.integer("max_batch");
  CostModel& cost = info.cost;
  for (const auto& [key, value] :
       {std::pair{"cost.frame_s", &cost.frame_s}, std::pair{"cost.batch_s", &cost.batch_s},
        std::pair{"cost.program_s", &cost.program_s}, std::pair{"cost.power_w", &cost.power_w},
        std::pair{"cost.program_j", &cost.program_j}})
    *value = read.real(key, *value);
  cost.time_per = cost_per(read, "cost.time_per");
  for (std::int64_t i = 0; i < parts; ++i) {
    const std::string prefix = "cost.part." + std::to_string(i);
    cost.parts.push_back({read.text(prefix + ".name"), read.real(prefix + ".frame_events", 0),
                          read.real(prefix + ".frame_j", 0), read.real(prefix + ".program_events", 0),
                          read.real(prefix + ".program_j", 0), read.real(prefix + ".latency_s", 0),
                          cost_per(read, prefix + ".per")});
  }
  info.calibration_id = read.text("calibration_id", info.calibration_id);
  const std::string pairing = read.text("pairing", kPairings[static_cast<std::size_t>(info.pairing)]);
  const auto named = std::ranges::find(kPairings, pairing);
  if (named == kPairings.end()) read.refuse("pairing", "is \"" + pairing + "\", not certain, counted or unknown");
  info.pairing = static_cast<Pairing>(named - kPairings.begin());
  for (std::int64_t i = 0; i < aux; ++i) {
    const std::string prefix = "aux." + std::to_string(i);
    info.aux_inputs.push_back({read.text(prefix + ".name"), static_cast<int>(read.integer(prefix + ".bits", 1, 16)),
                               static_cast<std::uint32_t>(read.integer(prefix + ".rest", 0, 65535)),
                               read.text(prefix + ".help", "")});
  }
  check_info(info, who);
  return info;
}

Settings to_settings(const ParamInfo& info) {
  std::string choices;
  for (const std::string& choice : info.choices)
    choices += (choices.empty() ? "" : std::string(1, kBetweenChoices)) + choice;
  Settings flat = {{"name", info.name},
                   {"kind", kind_of(info.default_value)},
                   {"unit", info.unit},
                   {"default", info.default_value},
                   {"min", info.min},
                   {"max", info.max},
                   {"help", info.help},
                   {"choices", choices},
                   {"needs_reopen", info.needs_reopen}};
  if (info.off) flat["off"] = *info.off;
  if (!info.only_with.empty()) flat["only_with"] = info.only_with;
  return flat;
}

ParamInfo param_from(const Settings& flat, const std::string& who) {
  const Flat read{flat, "parameter of " + who};
  ParamInfo full{};
  full.off = false;
  full.only_with = "key=value";
  for (const auto& [key, value] : flat)
    if (!to_settings(full).contains(key)) read.refuse(key, "is unknown in a parameter's record");
  ParamInfo info{.name = read.text("name"), .unit = read.text("unit", ""), .default_value = {}, .help = ""};
  const std::string kind = read.text("kind");
  if (info.name.empty() || info.name.find_first_of(",=|'\" \t\n") != std::string::npos)
    read.refuse("name", "is \"" + info.name + "\", not a word");
  if (kind == "text")
    info.default_value = read.text("default");
  else if (kind == "switch")
    info.default_value = (read.at("default"), read.boolean("default", false));
  else if (kind == "integer")
    info.default_value = read.integer("default");
  else if (kind == "real")
    info.default_value = (read.at("default"), read.real("default", 0));
  else
    read.refuse("kind", "is \"" + kind + "\", not switch, integer, real or text");
  constexpr double kNone = std::numeric_limits<double>::infinity();
  const bool bounded = read.find("min") || read.find("max");
  info.min = bounded ? read.real("min", -kNone) : 0;
  info.max = bounded ? read.real("max", kNone) : 0;
  if (!(info.min <= info.max)) read.refuse("min", "lies above max");
  info.help = read.text("help", "");
  const std::string choices = read.text("choices", "");
  for (std::size_t at = 0; at < choices.size();) {
    const std::size_t end = std::min(choices.find(kBetweenChoices, at), choices.size());
    info.choices.push_back(choices.substr(at, end - at));
    at = end + 1;
  }
  info.needs_reopen = read.boolean("needs_reopen", false);
  info.only_with = read.text("only_with", "");
  ParamSet checked(who, {info});
  if (read.find("off")) {
    checked.set({{info.name, read.at("off")}});
    info.off = checked.value(info.name);
  }
  checked.set({{info.name, info.default_value}});  // a default outside its own limits
  return info;
}

}  // namespace lightloop
