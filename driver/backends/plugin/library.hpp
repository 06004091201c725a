#pragma once
// Plugin libraries: finding them, loading them, and asking them questions they may answer badly.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "driver/api/device.hpp"
#include "driver/backends/plugin/include/lightloop/plugin.h"

namespace lightloop::plugin_host {

/// A model of a loaded library. The library is never unloaded, so copies stay valid.
struct Model {
  std::string name, kind, summary, source;
  std::string library;            ///< path of the shared object
  lightloop_plugin table = {};    ///< what the library's own table does not reach is NULL
  std::vector<ParamInfo> params;  ///< checked
};

/// A library or model that cannot be used, and why.
struct Trouble {
  std::string place, problem;
};

struct Catalogue {
  std::vector<Model> models;
  std::vector<Trouble> troubles;
};

/// Everything in LIGHTLOOP_PLUGIN_PATH. A file is loaded once per process; a name that comes twice counts once. Never
/// throws for what a library does.
Catalogue catalogue();

/// The models of a table, checked; throws DeviceError naming `library`. For catalogue() and the tests.
std::vector<Model> models_of(const lightloop_plugin* table, const std::string& library);

/// Opens a device of a model; settings as in its device string. For the backend and the tests.
std::unique_ptr<Device> open_model(const Model& model, const Settings& settings);

/// Throws what `status` stands for, with `who` and the plugin's text; nothing for LIGHTLOOP_OK.
void check_status(lightloop_status status, const lightloop_buffer& error, const std::string& who);

/// Calls the plugin; an exception that crosses the boundary becomes a DeviceError.
lightloop_status call(const std::string& who, const std::function<lightloop_status(lightloop_buffer* error)>& body);

/// Bytes of any length that a plugin copies out; at most `limit`.
std::string copy_out(const std::string& who, std::size_t limit,
                     const std::function<lightloop_status(lightloop_buffer* out, lightloop_buffer* error)>& body);

inline constexpr std::size_t kMostText = std::size_t{1} << 20;   ///< of a description or a record; assumed ample
inline constexpr std::size_t kMostState = std::size_t{1} << 30;  ///< of a snapshot; assumed ample

/// What a plugin wrote into a buffer of the host, as one line.
std::string line(const lightloop_buffer& buffer);

}  // namespace lightloop::plugin_host
