// A C++ class as a Lightloop plugin: this header turns it into the table of <lightloop/plugin.h>. C++17; nothing else
// is needed. Exceptions stay on the plugin's side: each becomes a status and one line of text.
//
//   class Bench : public lightloop::plugin::Device { describe() and run(), the rest if the hardware can };
//   LIGHTLOOP_PLUGIN({"acme.bench", "projection", "what it is", "data sheet", {lightloop::plugin::real("gain", ...)},
//                     [](const lightloop::plugin::Settings& s) { return std::make_unique<Bench>(s); }})
#ifndef LIGHTLOOP_PLUGIN_HPP
#define LIGHTLOOP_PLUGIN_HPP

#include <lightloop/plugin.h>

#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// Two plugins in one process must not share what this header makes.
#pragma GCC visibility push(hidden)

namespace lightloop::plugin {

/// What a device throws to say which kind of failure it was; any other exception is a fault.
struct Failure : std::runtime_error {
  Failure(lightloop_status s, const std::string& why) : std::runtime_error(why), status(s) {}
  lightloop_status status;
};

/// Settings text under construction: key=value pairs, quoted where needed.
class Text {
 public:
  Text& add(const std::string& key, const std::string& value) {
    std::string quoted = "'";
    for (const char c : value) quoted += c == '\'' ? std::string("''") : std::string(1, c);
    return raw(key, quoted + "'");
  }
  Text& add(const std::string& key, const char* value) { return add(key, std::string(value)); }
  Text& add(const std::string& key, bool value) { return raw(key, value ? "true" : "false"); }
  Text& add(const std::string& key, std::int64_t value) { return raw(key, std::to_string(value)); }
  Text& add(const std::string& key, int value) { return raw(key, std::to_string(value)); }
  Text& add(const std::string& key, double value) {
    char digits[40];
    std::snprintf(digits, sizeof digits, "%.17g", value);
    return raw(key, digits);
  }
  const std::string& str() const { return text_; }

 private:
  Text& raw(const std::string& key, const std::string& value) {
    text_ += (text_.empty() ? "" : ",") + key + "=" + value;
    return *this;
  }
  std::string text_;
};

struct Format {
  std::vector<std::int64_t> shape;  ///< (height, width) or (n)
  int bits = 8;
  std::string meaning;  ///< "mirror state", "camera code"
};

struct Auxiliary {
  std::string name;
  int bits = 8;
  std::int64_t rest = 0;
  std::string help;
};

/// A component that takes energy: events and joules, of a frame and of a programme.
struct Part {
  std::string name;  ///< "laser", "dac", "adc", "hold", ...
  double frame_events = 0, frame_j = 0, program_events = 0, program_j = 0;
  double latency_s = 0;       ///< that a frame spends in it
  std::string per = "frame";  ///< "input", "output": what its events go with in a transposed pass
};

namespace detail {
/// The minor number of the host that loaded this library.
inline std::uint32_t& host_minor() {
  static std::uint32_t minor = LIGHTLOOP_PLUGIN_MINOR;
  return minor;
}
}  // namespace detail

/// See the keys of lightloop_plugin::describe.
struct Description {
  std::string kind = "projection", serial, version;
  Format input, output, program;  ///< program without a shape: not programmable
  std::vector<Auxiliary> aux;
  bool stateful = false, deterministic = false, repeatable = false, transposed = false;
  std::int64_t max_batch = 4096;
  double frame_s = 0, batch_s = 0, program_s = 0, power_w = 0, program_j = 0;
  std::string calibration_id, pairing = "certain";
  /// Where the energy goes; hosts before version 1.1 are not told. power_w and program_j that are 0 are their sums.
  std::vector<Part> parts;

  std::string text() const {
    Text out;
    out.add("kind", kind).add("serial", serial).add("version", version);
    const auto format = [&out](const std::string& name, const Format& f) {
      std::string shape;
      for (const std::int64_t n : f.shape) shape += (shape.empty() ? "" : "x") + std::to_string(n);
      out.add(name + ".shape", shape).add(name + ".bits", f.bits).add(name + ".meaning", f.meaning);
    };
    format("input", input);
    format("output", output);
    if (!program.shape.empty()) format("program", program);
    out.add("stateful", stateful).add("deterministic", deterministic).add("repeatable", repeatable || deterministic);
    out.add("transposed", transposed).add("max_batch", max_batch).add("cost.frame_s", frame_s);
    double frames_w = power_w, programs_j = program_j;
    for (const Part& part : parts) {
      if (power_w == 0 && frame_s > 0) frames_w += part.frame_j / frame_s;
      if (program_j == 0) programs_j += part.program_j;
    }
    out.add("cost.batch_s", batch_s).add("cost.program_s", program_s).add("cost.power_w", frames_w);
    out.add("cost.program_j", programs_j).add("calibration_id", calibration_id).add("pairing", pairing);
    out.add("aux", static_cast<std::int64_t>(aux.size()));
    for (std::size_t i = 0; i < aux.size(); ++i) {
      const std::string prefix = "aux." + std::to_string(i) + ".";
      out.add(prefix + "name", aux[i].name).add(prefix + "bits", aux[i].bits).add(prefix + "rest", aux[i].rest);
      out.add(prefix + "help", aux[i].help);
    }
    if (detail::host_minor() < 1 || parts.empty()) return out.str();
    out.add("cost.parts", static_cast<std::int64_t>(parts.size()));
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const Part& part = parts[i];
      const std::string prefix = "cost.part." + std::to_string(i) + ".";
      out.add(prefix + "name", part.name).add(prefix + "per", part.per).add(prefix + "latency_s", part.latency_s);
      out.add(prefix + "frame_events", part.frame_events).add(prefix + "frame_j", part.frame_j);
      out.add(prefix + "program_events", part.program_events).add(prefix + "program_j", part.program_j);
    }
    return out.str();
  }
};

/// The record of a parameter, made by real(), integer(), toggle() or text().
struct Parameter {
  std::string name;
  Text record;
  /// It can only be chosen when the device is opened.
  Parameter fixed() && {
    record.add("needs_reopen", true);
    return std::move(*this);
  }
};
inline Parameter real(const std::string& name, const std::string& unit, double value, double min, double max,
                      const std::string& help) {
  Text text;
  text.add("name", name).add("kind", "real").add("unit", unit).add("default", value).add("min", min).add("max", max);
  return {name, text.add("help", help)};
}
inline Parameter integer(const std::string& name, const std::string& unit, std::int64_t value, std::int64_t min,
                         std::int64_t max, const std::string& help) {
  Text text;
  text.add("name", name).add("kind", "integer").add("unit", unit).add("default", value).add("min", min).add("max", max);
  return {name, text.add("help", help)};
}
inline Parameter toggle(const std::string& name, bool value, const std::string& help) {
  Text record;
  return {name, record.add("name", name).add("kind", "switch").add("default", value).add("help", help)};
}
/// `choices`: "a|b|c"; empty: any text.
inline Parameter text(const std::string& name, const std::string& value, const std::string& choices,
                      const std::string& help) {
  Text record;
  record.add("name", name).add("kind", "text").add("default", value).add("choices", choices);
  return {name, record.add("help", help)};
}

/// The values of all parameters. Throws for a name that is none of them.
class Settings {
 public:
  Settings(const lightloop_setting* first, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      all_.push_back({first[i].name, first[i].text, first[i].real, first[i].integer});
  }
  double real(const std::string& name) const { return find(name).real; }
  std::int64_t integer(const std::string& name) const { return find(name).integer; }
  bool on(const std::string& name) const { return find(name).integer != 0; }
  const std::string& text(const std::string& name) const { return find(name).text; }

 private:
  struct One {
    std::string name, text;
    double real;
    std::int64_t integer;
  };
  const One& find(const std::string& name) const {
    for (const One& one : all_)
      if (one.name == name) return one;
    throw Failure(LIGHTLOOP_INVALID, "no parameter " + name);
  }
  std::vector<One> all_;
};

struct SelfTest {
  bool passed = false;
  std::string detail;
};
struct Monitor {
  std::string name, unit;
  double value = 0;
};

/// One open device. What is not overridden is unsupported.
class Device {
 public:
  virtual ~Device() = default;  ///< closes the device
  virtual Description describe() const = 0;
  /// Writes every code of run.out. `report` comes with what the host would assume.
  virtual void run(const lightloop_run& run, lightloop_report& report) = 0;
  virtual void configure(const Settings&) { unsupported("settings that can be changed"); }
  virtual void program(const void*, std::int64_t) { unsupported("programming"); }
  virtual void reset() { unsupported("reset"); }
  virtual std::string snapshot() const { unsupported("snapshot"); }
  virtual void restore(const std::string&) { unsupported("restore"); }
  virtual SelfTest self_test() { unsupported("self-test"); }
  virtual std::vector<Monitor> monitors() const { return {}; }

 protected:
  [[noreturn]] static void unsupported(const char* what) {
    throw Failure(LIGHTLOOP_UNSUPPORTED, std::string("has no ") + what);
  }
};

struct Model {
  std::string name;  ///< "vendor.model"
  std::string kind, summary, source;
  std::vector<Parameter> parameters;
  std::function<std::unique_ptr<Device>(const Settings&)> open;
};

namespace detail {
inline const std::vector<Model>*& models() {
  static const std::vector<Model>* all = nullptr;
  return all;
}
inline const Model* find(const char* name) {
  for (const Model& one : *models())
    if (one.name == name) return &one;
  return nullptr;
}

template <class Body>
lightloop_status guarded(lightloop_buffer* error, Body&& body) noexcept {
  try {
    body();
    return LIGHTLOOP_OK;
  } catch (const Failure& failure) {
    return lightloop_fail(failure.status, error, failure.what());
  } catch (const std::exception& exception) {
    return lightloop_fail(LIGHTLOOP_FAULT, error, exception.what());
  } catch (...) {
    return lightloop_fail(LIGHTLOOP_FAULT, error, "something was thrown that is no std::exception");
  }
}
inline void put(lightloop_buffer* out, const std::string& text) { lightloop_put(out, text.data(), text.size()); }

inline lightloop_plugin make_table() {
  lightloop_plugin t = {};
  t.struct_size = sizeof(lightloop_plugin);
  t.major = LIGHTLOOP_PLUGIN_MAJOR;
  t.minor = LIGHTLOOP_PLUGIN_MINOR;
  t.models = [] { return static_cast<std::uint32_t>(models()->size()); };
  t.model = [](std::uint32_t index, lightloop_buffer* out, lightloop_buffer* error) {
    return guarded(error, [&] {
      const Model& m = models()->at(index);
      Text text;
      put(out, text.add("name", m.name).add("kind", m.kind).add("summary", m.summary).add("source", m.source).str());
    });
  };
  t.parameters = [](const char* name) {
    const Model* model = find(name);
    return model ? static_cast<std::uint32_t>(model->parameters.size()) : 0;
  };
  t.parameter = [](const char* name, std::uint32_t index, lightloop_buffer* out, lightloop_buffer* error) {
    return guarded(error, [&] {
      const Model* model = find(name);
      if (!model) throw Failure(LIGHTLOOP_INVALID, std::string("no model ") + name);
      put(out, model->parameters.at(index).record.str());
    });
  };
  t.open = [](const char* name, const lightloop_setting* settings, std::size_t count, void** device,
              lightloop_buffer* error) {
    return guarded(error, [&] {
      const Model* model = find(name);
      if (!model) throw Failure(LIGHTLOOP_INVALID, std::string("no model ") + name);
      *device = model->open(Settings(settings, count)).release();
    });
  };
  t.close = [](void* device) { guarded(nullptr, [&] { delete static_cast<Device*>(device); }); };
  t.describe = [](void* device, lightloop_buffer* out, lightloop_buffer* error) {
    return guarded(error, [&] { put(out, static_cast<Device*>(device)->describe().text()); });
  };
  t.run = [](void* device, const lightloop_run* run, lightloop_report* report, lightloop_buffer* error) {
    return guarded(error, [&] { static_cast<Device*>(device)->run(*run, *report); });
  };
  t.configure = [](void* device, const lightloop_setting* settings, std::size_t count, lightloop_buffer* error) {
    return guarded(error, [&] { static_cast<Device*>(device)->configure(Settings(settings, count)); });
  };
  t.program = [](void* device, const void* codes, std::int64_t size, lightloop_buffer* error) {
    return guarded(error, [&] { static_cast<Device*>(device)->program(codes, size); });
  };
  t.reset = [](void* device, lightloop_buffer* error) {
    return guarded(error, [&] { static_cast<Device*>(device)->reset(); });
  };
  t.snapshot = [](void* device, lightloop_buffer* out, lightloop_buffer* error) {
    return guarded(error, [&] { put(out, static_cast<Device*>(device)->snapshot()); });
  };
  t.restore = [](void* device, const void* state, std::size_t size, lightloop_buffer* error) {
    return guarded(error,
                   [&] { static_cast<Device*>(device)->restore(std::string(static_cast<const char*>(state), size)); });
  };
  t.self_test = [](void* device, std::int32_t* passed, lightloop_buffer* out, lightloop_buffer* error) {
    return guarded(error, [&] {
      const SelfTest result = static_cast<Device*>(device)->self_test();
      *passed = result.passed;
      put(out, result.detail);
    });
  };
  t.monitors = [](void* device, lightloop_buffer* out, lightloop_buffer* error) {
    return guarded(error, [&] {
      Text text;
      for (const Monitor& m : static_cast<Device*>(device)->monitors()) text.add(m.name + "[" + m.unit + "]", m.value);
      put(out, text.str());
    });
  };
  return t;
}

inline const lightloop_plugin* entry(const std::vector<Model>& all,
                                     std::uint32_t minor = LIGHTLOOP_PLUGIN_MINOR) noexcept {
  static const lightloop_plugin table = make_table();
  host_minor() = minor;
  models() = &all;
  return &table;
}
}  // namespace detail
}  // namespace lightloop::plugin

#pragma GCC visibility pop

/// Exports the given models; once per library.
#define LIGHTLOOP_PLUGIN(...)                                                                                   \
  extern "C" LIGHTLOOP_PLUGIN_EXPORT const lightloop_plugin* lightloop_plugin_entry(std::uint32_t,              \
                                                                                    std::uint32_t host_minor) { \
    static const std::vector<lightloop::plugin::Model> all{__VA_ARGS__};                                        \
    return lightloop::plugin::detail::entry(all, host_minor);                                                   \
  }

#endif
