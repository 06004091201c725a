#include "training/report/spec_grid.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/error.hpp"
#include "core/levels.hpp"

namespace lightloop {
namespace {

constexpr double kStep = 1.148698355;  // 2^(1/5): reals in steps of 15 %, below what a component is specified to
constexpr double kSpan = 1e4;          // from the least real above 0 that is tried to the most: assumed, four decades
constexpr double kDepth = 1e18;        // the same of reals that are tried downwards to 0
constexpr double kSame = 1e-9;         // relative difference of declared costs that counts as none

/// The setting with the bits of a converter whose number of levels `name` is, as dac.bits of dac.levels; else empty.
std::string bits_beside(const std::string& name, const ParamSet& settings) {
  const std::string_view ending = ".levels";
  if (!name.ends_with(ending)) return {};
  const std::string bits = name.substr(0, name.size() - ending.size()) + ".bits";
  return settings.has(bits) ? bits : std::string();
}

/// Numbers of levels of a converter with so many bits, from the best to the worst; odd.
std::vector<Value> level_grid(int bits) {
  std::vector<Value> values = {std::int64_t{0}};
  for (Index n = most_levels(bits); n >= 3; n = std::min(n - 2, static_cast<Index>(static_cast<double>(n) / kStep) | 1))
    values.emplace_back(n);
  return values;
}

/// Throws InvalidParameter for bits that a layer has no use for.
void check_bits(const std::string& name, const std::vector<ParamSet>& layers) {
  if (!name.ends_with(".bits")) return;
  const std::string levels = name.substr(0, name.size() - 4) + "levels";
  for (std::size_t l = 0; l < layers.size(); ++l)
    if (layers[l].has(levels) && layers[l].integer(levels) > 0)
      throw InvalidParameter("over", name, "layer " + std::to_string(l + 1) + " has " + levels + " in their place",
                             "Name " + levels + ".");
}

/// Values of one parameter from the best to the worst.
std::vector<Value> grid(const ParamInfo& info) {
  std::vector<Value> values = {*info.off};
  if (const auto* best = std::get_if<std::int64_t>(&*info.off)) {
    const auto worst = static_cast<std::int64_t>(static_cast<double>(*best) == info.max ? info.min : info.max);
    for (std::int64_t v = *best; v != worst; values.emplace_back(v)) v += worst > v ? 1 : -1;
    return values;
  }
  const auto* best = std::get_if<double>(&*info.off);
  if (!best)
    throw Unsupported("parameter " + info.name, "is a word or a switch", "numbers can be relaxed",
                      "`lightloop report sensitivity` tells what switching it off wins.");
  if (*best == info.max) {
    const double least = std::max(info.min, info.max / kDepth);
    for (double v = *best / kStep; v > least; v /= kStep) values.emplace_back(v);
    values.emplace_back(least);
  } else {
    for (double v = info.max / kSpan; v < info.max; v *= kStep) values.emplace_back(v);
    values.emplace_back(info.max);
  }
  return values;
}

double number(const Value& value) {
  const auto* whole = std::get_if<std::int64_t>(&value);
  return whole ? static_cast<double>(*whole) : std::get<double>(value);
}

double from_best(const GridAxis& axis, const Value& value) {
  const Value& best = axis.values.front();
  if (axis.levels && value != best) return 1 / number(value);
  return axis.source ? std::abs(number(value) - number(best)) : std::abs(std::log(number(value) / number(best)));
}

/// From end to end of the range of a setting that layers have from `low` to `high`; least first.
std::vector<double> steps(const ParamInfo& info, double low, double high) {
  const bool bounded = info.min != info.max;
  double least = low / kSpan, most = high * kSpan;
  if (bounded && std::isfinite(info.max)) most = info.max;
  if (bounded && std::isfinite(info.min)) least = info.min > 0 ? info.min : std::min(low, most / kDepth);
  std::vector<double> values = {low, high, most};
  for (double v = least; v < most; v *= kStep) values.push_back(v);
  std::ranges::sort(values);
  values.erase(std::ranges::unique(values).begin(), values.end());
  return values;
}

/// What the devices declare with `name` at `value` in every layer; nothing where they refuse that.
std::optional<Trial::Declared> declared(const Trial& trial, const std::string& name, double value) {
  Variant variant = trial.without({});
  for (Settings& own : variant.own) own.erase(name);
  variant.settings[name] = value;
  try {
    return trial.declared(variant);
  } catch (const InvalidParameter&) {
    return {};
  }
}

/// The index nearest to `to` that the devices accept, on the way from `from`, which they do.
std::size_t reach(const Trial& trial, const std::string& name, const std::vector<double>& values, std::size_t from,
                  std::size_t to) {
  if (declared(trial, name, values[to])) return to;
  while (std::max(from, to) - std::min(from, to) > 1) {
    const std::size_t middle = (from + to) / 2;
    (declared(trial, name, values[middle]) ? from : to) = middle;
  }
  return from;
}

/// Of a setting that is no source of error.
GridAxis axis_by_cost(const Trial& trial, const ParamInfo& info, const std::vector<ParamSet>& layers) {
  const std::string& name = info.name;
  if (!std::holds_alternative<double>(info.default_value))
    throw Unsupported("parameter " + name, "is neither a source of error nor a real number", "others can be relaxed",
                      "`lightloop devices --json` lists sources of error with the value that is \"off\"; a recording "
                      "(replay:) has no others to try.");
  double low = layers.front().real(name), high = low;
  for (const ParamSet& layer : layers) {
    low = std::min(low, layer.real(name));
    high = std::max(high, layer.real(name));
  }
  if (!(low > 0))
    throw InvalidParameter("over", name, "is " + to_string(Value(low)) + "; it is relaxed by equal factors",
                           "Ask for more than 0.");
  std::vector<double> values = steps(info, low, high);
  const auto index = [&](double v) { return static_cast<std::size_t>(std::ranges::find(values, v) - values.begin()); };
  const std::size_t first = reach(trial, name, values, index(low), 0),
                    last = reach(trial, name, values, index(high), values.size() - 1);
  values = {values.begin() + static_cast<std::ptrdiff_t>(first),
            values.begin() + static_cast<std::ptrdiff_t>(last) + 1};
  const auto least = declared(trial, name, values.front()), most = declared(trial, name, values.back());
  const auto differ = [](double x, double y) { return std::abs(x - y) > kSame * std::max(x, y); };
  if (!least || !most || !(differ(least->frame_j, most->frame_j) || differ(least->latency_s, most->latency_s)))
    throw InvalidParameter("over", name, "costs these devices neither energy nor time, as they are configured",
                           "Relax sources of error, or settings that a frame's energy depends on.");
  GridAxis axis{info, {values.begin(), values.end()}};
  axis.source = false;
  axis.timed = !differ(least->frame_j, most->frame_j);
  if (axis.timed ? most->latency_s < least->latency_s : most->frame_j < least->frame_j) return axis;
  std::ranges::reverse(axis.values);
  return axis;
}

GridAxis axis_of_source(const Trial& trial, const ParamInfo& info, const std::vector<ParamSet>& layers,
                        const std::vector<std::string>& over) {
  const std::string& name = info.name;
  if (trial.settings().value(name) != *info.off && std::ranges::find(trial.sources(), name) == trial.sources().end())
    throw InvalidParameter("over", name, "has no effect on this device: only with " + info.only_with);
  const std::string bits = bits_beside(name, trial.settings());
  if (std::ranges::count(over, bits) > 0)
    throw InvalidParameter("over", name + " and " + bits, "both say how fine one converter is", "Name one of them.");
  check_bits(name, layers);
  std::int64_t least = 16;  // every layer gets every number of levels
  for (const ParamSet& layer : layers)
    if (!bits.empty()) least = std::min(least, layer.integer(bits));
  GridAxis axis{info, bits.empty() ? grid(info) : level_grid(static_cast<int>(least))};
  axis.levels = !bits.empty();
  return axis;
}

}  // namespace

void GridAxis::insert(const Value& value) {
  const auto distance = [&](const Value& v) { return from_best(*this, v); };
  const auto at = std::ranges::lower_bound(values, distance(value), {}, distance);
  if (std::ranges::find(values, value) == values.end()) values.insert(at, value);
}

std::vector<GridAxis> spec_grids(const Trial& trial, const std::vector<std::string>& over) {
  const std::vector<ParamSet> layers = trial.layer_settings();
  std::vector<GridAxis> axes;
  for (const std::string& name : over) {
    trial.settings().value(name);  // says what is wrong with it
    const ParamInfo& info = *std::ranges::find(trial.settings().infos(), name, &ParamInfo::name);
    if (std::ranges::count(over, name) > 1) throw InvalidParameter("over", name, "is named twice", "Once will do.");
    axes.push_back(info.off ? axis_of_source(trial, info, layers, over) : axis_by_cost(trial, info, layers));
    for (const ParamSet& layer : layers) axes.back().insert(layer.value(name));
  }
  if (axes.empty()) throw InvalidParameter("over", "names no parameter", "", "Say --over device.adc.bits,...");
  return axes;
}

}  // namespace lightloop
