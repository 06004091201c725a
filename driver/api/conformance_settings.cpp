// Conformance: are settings documented, checked before anything is touched, and read back as given?
#include <algorithm>
#include <cmath>
#include <optional>

#include "driver/api/conformance_checks.hpp"

namespace lightloop::conformance {
namespace {

bool is_number(const ParamInfo& info) {
  return std::holds_alternative<std::int64_t>(info.default_value) || std::holds_alternative<double>(info.default_value);
}

Value number(const ParamInfo& info, double value) {
  if (std::holds_alternative<double>(info.default_value)) return value;
  return static_cast<std::int64_t>(std::llround(value));
}

/// A valid value other than the present one, if the record tells of any.
std::optional<Value> another_value(const ParamInfo& info, const Value& now) {
  if (const bool* on = std::get_if<bool>(&now)) return !*on;
  if (std::holds_alternative<std::string>(now)) {
    for (const std::string& choice : info.choices)
      if (Value(choice) != now) return choice;
    return std::nullopt;
  }
  for (const double end : {info.min, info.max})
    if (info.min < info.max && std::isfinite(end) && number(info, end) != now) return number(info, end);
  if (const auto* count = std::get_if<std::int64_t>(&now)) return *count + 1;
  return std::get<double>(now) + 1.0;
}

void records(const Open& open) {
  const auto device = fresh(open);
  for (const ParamInfo& info : device->settings().infos()) {
    require(!info.help.empty() && info.help.back() != '.', info.name + " has no help, or help with a full stop");
    require(is_number(info) == !info.unit.empty(),
            info.name + (is_number(info) ? " is a number without a unit (\"1\" if pure)" : " has a unit"));
    ParamSet alone("the record of", {info});
    try {
      alone.set({{info.name, info.default_value}});
    } catch (const Error& e) {
      throw Failed{"the default of " + info.name + " is not valid: " + e.what()};
    }
  }
}

void present_values(const Open& open) {
  auto device = fresh(open);
  device->configure(device->settings().all());
  device->configure({});
  require_like_fresh(std::move(device), open, "configuring the present values");
}

/// Whether `message` names a setting beside `name`: the value was refused for what it means together with another.
bool names_another(const std::string& message, const std::string& name, const ParamSet& settings) {
  return std::ranges::any_of(settings.infos(), [&](const ParamInfo& other) {
    return other.name != name && message.find(other.name) != std::string::npos;
  });
}

/// Whether a value was refused because the setting, a clock, only goes forward: the message then tells the way back.
bool only_forward(const Error& error) {
  return dynamic_cast<const OutOfRange*>(&error) != nullptr &&
         std::string(error.what()).find("restore()") != std::string::npos;  // whole: plugins send one line
}

/// Configures a setting to the value it had after opening; one that only goes forward by opening the device again.
void take_back(std::unique_ptr<Device>& device, const Open& open, const ParamInfo& info, const Value& before) {
  try {
    device->configure({{info.name, before}});
  } catch (const OutOfRange& e) {
    if (!only_forward(e)) throw;
    device.reset();
    device = fresh(open);
  }
}

void limits(const Open& open) {
  auto device = fresh(open);
  bool tried = false;
  for (const ParamInfo& info : std::vector<ParamInfo>(device->settings().infos())) {
    if (!is_number(info) || info.min >= info.max) continue;
    const Value before = device->settings().value(info.name);
    const double width = std::isfinite(info.max - info.min) ? info.max - info.min : 1.0;
    const double step = std::holds_alternative<double>(info.default_value) ? 1e-3 * width : 1.0;
    for (const double outside : {info.min - step, info.max + step}) {
      if (!std::isfinite(outside) || (outside >= info.min && outside <= info.max)) continue;  // no such double
      const Value value = number(info, outside);
      LIGHTLOOP_REQUIRE_THROWS(OutOfRange, info.name + " = " + to_string(value),
                               device->configure({{info.name, value}}));
      require(device->settings().value(info.name) == before, info.name + " changed although it was refused");
    }
    if (info.needs_reopen) continue;
    tried = true;
    for (const double inside : {info.min, info.max}) {
      if (!std::isfinite(inside)) continue;
      const Value value = number(info, inside);
      try {
        device->configure({{info.name, value}});
      } catch (const NotAsked&) {
        throw;
      } catch (const Error& e) {
        if (!only_forward(e) && !names_another(e.what(), info.name, device->settings()))
          throw Failed{info.name + " = " + to_string(value) + " lies in its range but was refused: " + e.what()};
        require(device->settings().value(info.name) != value, info.name + " changed although it was refused");
        continue;
      }
      require(device->settings().value(info.name) == value, info.name + " was accepted but is not read back");
    }
    take_back(device, open, info, before);
  }
  if (!tried) throw Skipped{"no setting with limits can be changed while the device is open"};
}

void unknown_key(const Open& open) {
  const auto device = fresh(open);
  const Settings before = device->settings().all();
  const auto& infos = device->settings().infos();
  const std::string known = infos.empty() ? std::string("seed") : infos.front().name;
  try {
    device->configure({{known + "x", std::int64_t{1}}});
  } catch (const UnknownName& e) {
    require(infos.empty() || std::string(e.what()).find(known) != std::string::npos,
            "the message does not name the nearest setting " + known + ": " + e.what());
    require(before == device->settings().all(), "the settings changed");
    return;
  }
  throw Failed{"the unknown setting " + known + "x was accepted"};
}

void wrong_kind(const Open& open) {
  const auto device = fresh(open);
  bool tried = false;
  for (const ParamInfo& info : std::vector<ParamInfo>(device->settings().infos())) {
    if (std::holds_alternative<std::string>(info.default_value) && info.choices.empty()) continue;
    tried = true;
    LIGHTLOOP_REQUIRE_THROWS(InvalidParameter, info.name + " = \"no such value\"",
                             device->configure({{info.name, std::string("no such value")}}));
  }
  if (!tried) throw Skipped{"no setting has a kind that text can miss"};
}

void all_or_nothing(const Open& open) {
  auto device = fresh(open);
  const Settings before = device->settings().all();
  for (const ParamInfo& info : std::vector<ParamInfo>(device->settings().infos())) {
    const auto other = another_value(info, before.at(info.name));
    if (info.needs_reopen || !other) continue;
    // Keys are met in alphabetical order: one bad key before and one after every good one.
    for (const char* unknown : {"!no such setting", "~no such setting"})
      LIGHTLOOP_REQUIRE_THROWS(UnknownName, "a change with an unknown setting",
                               device->configure({{info.name, *other}, {unknown, std::int64_t{1}}}));
    require(before == device->settings().all(), info.name + " changed although the change as a whole was refused");
  }
  require_like_fresh(std::move(device), open, "refused changes");
}

/// Configures `info` to another value: `other`, the highest where the setting only goes forward, or, while that clashes
/// with another setting, one halfway back to `now`.
Value take_another(Device& device, const ParamInfo& info, Value other, const Value& now) {
  for (int attempts = 60;; --attempts) {
    try {
      device.configure({{info.name, other}});
      return other;
    } catch (const NotAsked&) {
      throw;
    } catch (const Error& e) {
      if (only_forward(e) && other != number(info, info.max)) {
        other = number(info, info.max);
        continue;
      }
      const double* far = std::get_if<double>(&other);
      if (!far || attempts == 0 || !names_another(e.what(), info.name, device.settings())) throw;
      other = (*far + std::get<double>(now)) / 2;
    }
  }
}

void round_trip(const Open& open) {
  auto device = fresh(open);
  bool tried = false;
  for (const ParamInfo& info : std::vector<ParamInfo>(device->settings().infos())) {
    const Value before = device->settings().value(info.name);
    const auto other = another_value(info, before);
    if (info.needs_reopen || !other) continue;
    tried = true;
    const Value taken = take_another(*device, info, *other, before);
    for (const Value& value : {taken, before}) {
      value == before ? take_back(device, open, info, before) : device->configure({{info.name, value}});
      require(device->settings().value(info.name) == value, info.name + " = " + to_string(value) + " reads back as " +
                                                                to_string(device->settings().value(info.name)));
    }
  }
  if (!tried) throw Skipped{"no setting can be changed while the device is open"};
}

void given_when_opened(const Open& open) {
  const auto settings_of = [&](const Settings& given) {
    const auto device = open(given);
    return device->settings().all();
  };
  const Settings present = settings_of({});
  if (present.empty()) throw Skipped{"the device has no settings"};
  const Settings again = settings_of(present);
  for (const auto& [key, value] : present)
    require(again.contains(key) && again.at(key) == value,
            key + " = " + to_string(value) + ", given when opened, reads back as " +
                (again.contains(key) ? to_string(again.at(key)) : std::string("nothing")));
}

void seeds(const Open& open) {
  Value seed, other;
  {
    const auto device = open();
    if (!device->settings().has("seed")) throw Skipped{"the device has no setting seed"};
    need_repeatable(device->describe());
    seed = device->settings().value("seed");
    other = *another_value({.name = "seed", .unit = "1", .default_value = seed, .help = ""}, seed);
  }
  const auto answer = [&](const Value& value) {
    const auto device = fresh(open, {{"seed", value}});
    return run(*device, open.frames(device->describe(), kFrames).frames());
  };
  const Codes first = answer(seed);
  require_equal(first, answer(seed), "two devices of one seed");
  require(first.values != answer(other).values, "two seeds gave the same codes");
}

void reopen(const Open& open) {
  auto device = fresh(open);
  const Settings before = device->settings().all();
  bool tried = false;
  for (const ParamInfo& info : std::vector<ParamInfo>(device->settings().infos())) {
    const auto other = another_value(info, before.at(info.name));
    if (!info.needs_reopen || !other) continue;
    tried = true;
    LIGHTLOOP_REQUIRE_THROWS(Unsupported, "changing " + info.name + ", which needs a re-open,",
                             device->configure({{info.name, *other}}));
    require(before == device->settings().all(), info.name + " changed although it was refused");
  }
  if (!tried) throw Skipped{"no setting needs a re-open"};
  require_like_fresh(std::move(device), open, "refused changes");
}

}  // namespace

std::vector<Check> setting_checks() {
  return {{"every setting has help, a unit and a valid default", records},
          {"configuring the present values changes nothing", present_values},
          {"values at a setting's limits are accepted and read back, or refused naming the setting they clash with, "
           "values outside are refused",
           limits},
          {"every setting that can be changed takes another value and its old one, and reads back", round_trip},
          {"the present settings can be given when the device is opened", given_when_opened},
          {"one seed gives one device, another seed another", seeds},
          {"an unknown setting is refused and the nearest one named", unknown_key},
          {"a value of the wrong kind is refused", wrong_kind},
          {"a refused change changes nothing", all_or_nothing},
          {"a setting that needs a re-open is refused on an open device", reopen}};
}

}  // namespace lightloop::conformance
