#include "training/sweep/file.hpp"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "core/error.hpp"
#include "training/sweep/text.hpp"

namespace lightloop::sweeps {
namespace {
const std::vector<std::string> kKeys = {"device",    "over",   "measure", "settings", "repeats",    "seed",
                                        "engine",    "errors", "order",   "settle",   "hysteresis", "reference_every",
                                        "reference", "abort",  "attached"};

std::string text_of(const Toml& node) {
  if (node.kind == Toml::Kind::value) return repr(node.value);
  std::string text;
  for (const Toml& item : node.items) text += (text.empty() ? "" : ", ") + text_of(item);
  for (const auto& [key, entry] : node.entries)
    text += (text.empty() ? "" : ", ") + repr(Value(key)) + ": " + text_of(entry);
  return node.kind == Toml::Kind::array ? "[" + text + "]" : "{" + text + "}";
}

[[noreturn]] void refuse(const Toml& node, const std::string& key, const std::string& wanted) {
  throw InvalidParameter(node.place + " " + key, text_of(node), wanted);
}

/// The value of a key as one type; an integer does for a real.
template <class T>
void take(const Toml& file, const std::string& key, const char* wanted, T& target) {
  const Toml* node = file.find(key);
  if (!node) return;
  if (node->kind == Toml::Kind::value) {
    if (const auto* found = std::get_if<T>(&node->value)) {
      target = *found;
      return;
    }
    if constexpr (std::is_same_v<T, double>)
      if (const auto* integer = std::get_if<std::int64_t>(&node->value)) {
        target = static_cast<double>(*integer);
        return;
      }
  }
  refuse(*node, key, wanted);
}

const Toml& table(const Toml& node, const std::string& key) {
  if (node.kind != Toml::Kind::table) refuse(node, key, "a table");
  return node;
}

double number(const Toml& node, const std::string& key) {
  if (const auto* integer = std::get_if<std::int64_t>(&node.value)) return static_cast<double>(*integer);
  if (const auto* real = std::get_if<double>(&node.value)) return *real;
  refuse(node, key, "a number");
}

double twelve_digits(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.12g", value);
  return std::strtod(text, nullptr);
}

std::vector<Value> values_of(const std::string& key, const Toml& node) {
  std::vector<Value> values;
  if (node.kind == Toml::Kind::array) {
    for (const Toml& item : node.items) {
      if (item.kind != Toml::Kind::value) refuse(item, "over." + key, "a list of plain values");
      values.push_back(item.value);
    }
    return values;
  }
  const Toml* const log = node.find("log");
  const Toml *const from = node.find("from"), *const to = node.find("to"), *const points = node.find("points");
  const auto* count = points ? std::get_if<std::int64_t>(&points->value) : nullptr;
  const auto* ratios = log ? std::get_if<bool>(&log->value) : nullptr;
  if (node.kind != Toml::Kind::table || !from || !to || !count || node.entries.size() != (log ? 4u : 3u) ||
      (log && !ratios))
    refuse(node, "over." + key, "a list, or { from = 1, to = 2, points = 5 }");
  if (*count < 1 || *count > 10000000) refuse(*points, "over." + key + ": points", "1 to 10 000 000");
  double start = number(*from, key), stop = number(*to, key);
  if (ratios && *ratios) {
    if (!(start > 0 && stop > 0)) refuse(node, "over." + key, "positive ends, because of log = true");
    start = std::log10(start);
    stop = std::log10(stop);
  }
  const double step = *count > 1 ? (stop - start) / static_cast<double>(*count - 1) : 0;
  for (std::int64_t i = 0; i < *count; ++i) {
    const double x = i > 0 && i == *count - 1 ? stop : start + static_cast<double>(i) * step;
    values.emplace_back(twelve_digits(ratios && *ratios ? std::pow(10.0, x) : x));
  }
  return values;
}

/// As a device string holds it: text in quotes, which are doubled within. Numbers as points' keys have always had them.
std::string in_device_string(const Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (!text) return json(value);
  std::string quoted = "\"";
  for (const char c : *text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

/// ",key=value" for every setting, in the order of the file.
std::string settings_text(const Toml& node, const std::string& prefix) {
  std::string text;
  for (const auto& [key, entry] : node.entries) {
    if (entry.kind == Toml::Kind::table) {
      text += settings_text(entry, prefix + key + ".");
      continue;
    }
    if (entry.kind != Toml::Kind::value) refuse(entry, "settings." + prefix + key, "text, a number or a switch");
    text += "," + prefix + key + "=" + in_device_string(entry.value);
  }
  return text;
}

MeasureAsked measure_asked(const Toml& node) {
  MeasureAsked asked;
  if (node.kind == Toml::Kind::value && std::holds_alternative<std::string>(node.value)) {
    asked.name = std::get<std::string>(node.value);
    return asked;
  }
  const Toml* task = node.find("task");
  const Toml* name = task ? task : node.find("name");
  if (!name || !std::holds_alternative<std::string>(name->value))
    refuse(node, "measure", "a name, \"file.py:function\", or a table with name or task and its arguments");
  asked.name = std::get<std::string>(name->value);
  asked.task = task != nullptr;
  asked.with_arguments = true;
  for (const auto& entry : node.entries)
    if (&entry.second != name) asked.arguments.push_back(entry);
  return asked;
}

void take_bench(const Toml& file, Bench& bench) {
  take(file, "order", "grid or random", bench.order);
  take(file, "settle", "seconds", bench.settle_s);
  take(file, "hysteresis", "up, down or both", bench.hysteresis);
  take(file, "reference_every", "a number of points", bench.reference_every);
  if (const Toml* reference = file.find("reference"))
    for (const auto& [key, value] : flattened(table(*reference, "reference"))) {
      const std::string head = "device.";
      bench.reference[key.starts_with(head) ? key.substr(head.size()) : key] = value;
    }
  const Toml* abort = file.find("abort");
  if (!abort) return;
  for (const auto& [name, limits] : table(*abort, "abort").entries) {
    if (limits.kind != Toml::Kind::array || limits.items.size() != 2)
      refuse(limits, "abort.\"" + name + "\"", "[lowest, highest]; -inf, inf where there is no limit");
    bench.abort[name] = {number(limits.items[0], name), number(limits.items[1], name)};
  }
}

Engine engine_of(const Toml& file) {
  std::string word = "ensemble";
  take(file, "engine", "alone or threads", word);
  if (word == "alone") return Engine::alone;
  if (word == "threads") return Engine::threads;
  if (word == "ensemble") return Engine::together;
  throw UnknownName("engine", "\"" + word + "\"", "ensemble, alone or threads");
}

std::string identity_of(const MeasureAsked& asked) {
  if (!asked.with_arguments) return json(asked.name);
  Settings arguments;
  if (asked.task) arguments["task"] = repr(Value(asked.name));
  for (const auto& [key, value] : asked.arguments) arguments[key] = text_of(value);
  return json_array({json(asked.name), "[]", json(arguments)});
}

using Call = std::function<Metric(Session&, const Draw&)>;
Call call_of(const MeasureAsked& asked) {
  Toml arguments;
  arguments.entries = asked.arguments;
  if (asked.task) {
    const auto made = std::make_shared<const Task>(make_task(asked.name, flattened(arguments)));
    return [made](Session& session, const Draw& draw) { return score(session, draw, *made); };
  }
  const MeasureModel& model = measure(asked.name);
  ParamSet params("measure " + asked.name, model.params);
  params.set(flattened(arguments));
  return [&model, params](Session& session, const Draw& draw) { return model.measure(session, draw, params); };
}
}  // namespace

SweepFile read_sweep(const std::string& path) {
  const Toml file = read_toml_tree(path);
  for (const auto& [key, node] : file.entries) {
    if (std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end()) continue;
    std::string known;
    for (const auto& word : kKeys) known += (known.empty() ? "known: " : ", ") + word;
    const auto near = nearest(key, kKeys);
    throw UnknownName(node.place, key, known, near ? "Did you mean " + *near + "?" : "");
  }
  for (const char* key : {"device", "over", "measure"})
    if (!file.find(key))
      throw InvalidParameter(path, std::string("no ") + key, "device, measure and the table [over] are wanted");
  SweepFile asked;
  Sweep& sweep = asked.sweep;
  take(file, "device", "a device string", sweep.device);
  if (const Toml* settings = file.find("settings")) sweep.device += settings_text(table(*settings, "settings"), "");
  for (const auto& [key, node] : table(*file.find("over"), "over").entries)
    sweep.axes.emplace_back(key, values_of(key, node));
  const Toml& measures = *file.find("measure");
  if (measures.kind == Toml::Kind::array)
    for (const Toml& item : measures.items) asked.measures.push_back(measure_asked(item));
  else
    asked.measures.push_back(measure_asked(measures));
  std::int64_t repeats = 1, seed = 0;
  take(file, "repeats", "a whole number", repeats);
  take(file, "seed", "a whole number", seed);
  if (seed < 0) throw OutOfRange("seed", std::to_string(seed), "0 or more");
  sweep.repeats = repeats;
  sweep.seed = static_cast<std::uint64_t>(seed);
  sweep.engine = engine_of(file);
  std::string errors = "raise";
  take(file, "errors", "raise or nan", errors);
  if (errors != "raise" && errors != "nan") throw UnknownName("errors", "\"" + errors + "\"", "raise or nan");
  sweep.nan_where_it_fails = errors == "nan";
  take_bench(file, sweep.bench);
  if (file.find("attached")) take(file, "attached", "true or false", sweep.attached.emplace());
  return asked;
}

void use_measures(Sweep& sweep, const std::vector<MeasureAsked>& measures) {
  const auto calls = std::make_shared<std::vector<std::pair<std::string, Call>>>();
  sweep.measures.clear();
  for (const MeasureAsked& asked : measures) {
    sweep.measures.push_back({asked.name, identity_of(asked)});
    calls->emplace_back(asked.name, call_of(asked));
  }
  sweep.measure_at = [calls, seed = sweep.seed](const OpenSession& session, const Point& point) {
    Generator generator = generator_of(seed, point.key);
    const Draw draw = [&](std::span<double> out) { generator(out); };
    Record record;
    for (const auto& [name, call] : *calls) record.add(name, call(*session, draw));
    return record;
  };
}

}  // namespace lightloop::sweeps
