#pragma once
// Finds devices by their string. Nothing registers itself: `main` fills a Registry and hands it over.
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "driver/api/device.hpp"
#include "driver/api/physics.hpp"
#include "driver/api/twin.hpp"

namespace lightloop {

/// The record of a device model: documentation, --help, Python and the conformance tests all read it.
struct DeviceModel {
  std::string name;     ///< "opu", opened as "sim:opu"
  std::string kind;     ///< as DeviceInfo::kind
  std::string summary;  ///< one sentence
  std::string source;   ///< paper or data sheet
  std::vector<ParamInfo> params;
  std::map<std::string, Settings> presets = {};  ///< chosen by the key "preset", overridden key by key
  std::function<std::unique_ptr<Device>(const ParamSet&)> open;
  std::function<std::unique_ptr<Twin>(const ParamSet&)> twin = {};  ///< empty: no twin
  /// Measures the running model beside its formulas; empty: has none. May take seconds.
  std::function<std::vector<PhysicsRow>(const ParamSet&)> physics = {};
};

/// "backend:target,key=value,..." or "file.toml" taken apart.
struct DeviceAddress {
  std::string backend;  ///< "sim", "remote", ...
  std::string target;   ///< "opu", "host:port/name", ...
  Settings settings;
};

/// Parses a device string. What follows an "@" in the target belongs to the device named there and stays in the target.
///
/// A TOML file holds `device = "sim:opu"` and a table [settings], or a table [device] with `address` beside the
/// settings; the file's settings are laid over those in its device string. Throws InvalidParameter or FileError.
DeviceAddress parse_address(const std::string& text);
/// The string that parse_address takes apart into `address`.
std::string to_string(const DeviceAddress& address);

/// One answer to "what is there?": something that can be opened, or a place that was looked at in vain.
struct Found {
  std::string address;  ///< the device string; for a place looked at in vain what was looked at
  std::string summary;  ///< one line about the device
  std::string problem;  ///< why it cannot be opened; empty: it can
};

class Candidate;
class Registry;
/// One way to reach devices. A callable that opens "prefix:target" is one; more can be known before opening.
struct Backend {
  Backend() = default;
  template <class F>
  requires std::is_invocable_r_v < std::unique_ptr<Device>, F,
  const DeviceAddress&, const Registry& > Backend(F opener) : open(std::move(opener)) {}  // NOLINT: implicit on purpose

  std::function<std::unique_ptr<Device>(const DeviceAddress&, const Registry&)> open;
  std::function<std::vector<ParamInfo>(const DeviceAddress&, const Registry&)> params = {};  ///< see open_params
  std::function<std::unique_ptr<Twin>(const DeviceAddress&, const Registry&)> twin = {};     ///< empty: no twins
  /// What the conformance suite checks behind a device string (candidate.hpp); empty: whatever `open` opens.
  std::function<std::unique_ptr<Candidate>(const DeviceAddress&, const Registry&)> candidate = {};
  /// Every opening gives a device of its own, so that a program may open as many as it likes; false: there is one.
  bool many = false;
  /// Looks for devices until the deadline, in a thread of its own that is left behind if it takes longer
  /// (discover.hpp).
  std::function<std::vector<Found>(std::chrono::steady_clock::time_point)> discover = {};
};

class Registry {
 public:
  Registry();                   ///< knows the backend "sim", which opens the models added to it
  void add(DeviceModel model);  ///< throws InvalidParameter for a name taken already or a preset that does not validate
  void add_backend(const std::string& prefix, Backend backend);  ///< throws InvalidParameter for a prefix taken already
  const std::vector<DeviceModel>& models() const { return models_; }
  /// Throws UnknownName with the nearest known model.
  const DeviceModel& model(const std::string& name) const;
  std::vector<std::string> backends() const;
  const Backend& backend(const std::string& prefix) const;  ///< throws UnknownName with the nearest known one

  /// Opens a device string, `extra` (the --set options) laid over its settings; DeviceError where that gives none.
  std::unique_ptr<Device> open(const std::string& address, const Settings& extra = {}) const;
  std::unique_ptr<Device> open(const DeviceAddress& address) const;
  /// Parameters that may still be chosen when this device string is opened: those it fixes are left out. Empty where
  /// the backend cannot tell before the device is open.
  std::vector<ParamInfo> open_params(const std::string& address) const;
  /// The twin of a device string; throws Unsupported when the model or the backend has none.
  std::unique_ptr<Twin> twin(const std::string& address, const Settings& extra = {}) const;
  /// The physics of a device string; throws Unsupported when the model has none.
  std::vector<PhysicsRow> physics(const std::string& address, const Settings& extra = {}) const;
  /// What the conformance suite checks: device strings of recordings answer it claim by claim. Throws as open.
  std::unique_ptr<Candidate> candidate(const std::string& address, const Settings& extra = {}) const;
  /// Settings of a model with its preset applied, checked: what `open` would use. A model with presets also gets the
  /// text parameter "preset" ("none" or one of their names). Throws as ParamSet::set.
  ParamSet resolve(const DeviceModel& model, const Settings& settings) const;

 private:
  std::vector<DeviceModel> models_;
  std::map<std::string, Backend> backends_;
};

}  // namespace lightloop
