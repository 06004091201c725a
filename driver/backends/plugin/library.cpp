#include "driver/backends/plugin/library.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>

#include "driver/api/description.hpp"

namespace lightloop::plugin_host {
namespace {
namespace fs = std::filesystem;
using Entry = const lightloop_plugin* (*)(std::uint32_t, std::uint32_t);

constexpr std::uint32_t kMostModels = 1024, kMostParameters = 4096;  ///< assumed: more is nonsense
constexpr std::uint32_t kMostTable = 1u << 16;                       ///< bytes; assumed: a larger table is nonsense
constexpr std::size_t kLine = 1024;                                  ///< bytes of an error text

std::string version(std::uint32_t major, std::uint32_t minor) {
  return std::to_string(major) + "." + std::to_string(minor);
}

/// A copy of the library's table of which only what the library has is read.
lightloop_plugin read_table(const lightloop_plugin* table, const std::string& library) {
  const std::string who = "plugin " + library;
  if (table == nullptr) throw DeviceError(who, "its entry gives no table");
  if (table->major != LIGHTLOOP_PLUGIN_MAJOR)
    throw DeviceError(who, "made for plugin interface " + version(table->major, table->minor),
                      "this program has " + version(LIGHTLOOP_PLUGIN_MAJOR, LIGHTLOOP_PLUGIN_MINOR),
                      "Build it again with the header of this version.");
  constexpr std::size_t kLeast = offsetof(lightloop_plugin, run) + sizeof(lightloop_plugin::run);
  if (table->struct_size < kLeast || table->struct_size > kMostTable)
    throw DeviceError(who, "its table says it has " + std::to_string(table->struct_size) + " bytes",
                      std::to_string(kLeast) + " to " + std::to_string(kMostTable), "Set struct_size to its sizeof.");
  lightloop_plugin copy = {};
  std::memcpy(&copy, table, std::min<std::size_t>(table->struct_size, sizeof copy));
  for (const auto& [name, missing] :
       {std::pair{"models", copy.models == nullptr}, std::pair{"model", copy.model == nullptr},
        std::pair{"open", copy.open == nullptr}, std::pair{"close", copy.close == nullptr},
        std::pair{"describe", copy.describe == nullptr}, std::pair{"run", copy.run == nullptr}})
    if (missing) throw DeviceError(who, std::string("its table lacks the function ") + name);
  return copy;
}

std::uint32_t count(const std::string& who, const std::function<std::uint32_t()>& ask, std::uint32_t most) {
  std::uint32_t n = 0;
  call(who, [&](lightloop_buffer*) {
    n = ask();
    return LIGHTLOOP_OK;
  });
  if (n > most) throw DeviceError(who, "claims to have " + std::to_string(n) + " of them", std::to_string(most));
  return n;
}

/// Settings text of a plugin.
Settings parsed(const std::string& who, const std::string& text) {
  try {
    return parse_settings(text);
  } catch (const InvalidParameter& error) {
    throw DeviceError(who, error.what());
  }
}

void check_name(const std::string& who, const std::string& name) {
  const auto plain = [](unsigned char c) { return std::isalnum(c) || c == '.' || c == '-' || c == '_'; };
  if (!std::ranges::all_of(name, plain) || name.find('.') == std::string::npos || name.front() == '.' ||
      name.back() == '.')
    throw DeviceError(who, "a model is named \"" + name + "\"", "vendor.model", "Letters, digits, dots, - and _ only.");
}

std::vector<ParamInfo> params_of(const lightloop_plugin& table, const std::string& model) {
  std::vector<ParamInfo> params;
  if (table.parameters == nullptr || table.parameter == nullptr) return params;
  const std::string who = "parameters of plugin:" + model;
  const std::uint32_t n = count(
      who, [&] { return table.parameters(model.c_str()); }, kMostParameters);
  for (std::uint32_t i = 0; i < n; ++i) {
    const std::string text = copy_out(who, kMostText, [&](lightloop_buffer* out, lightloop_buffer* error) {
      return table.parameter(model.c_str(), i, out, error);
    });
    try {
      params.push_back(param_from(parsed(who, text), "plugin:" + model));
    } catch (const InvalidParameter& error) {
      throw DeviceError(who, error.what());
    }
    for (std::uint32_t k = 0; k < i; ++k)
      if (params[k].name == params[i].name) throw DeviceError(who, params[i].name + " comes twice");
  }
  return params;
}

std::vector<Model> load(const std::string& file) {
  void* handle = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);  // never closed: its threads and statics may live on
  if (handle == nullptr) {
    const char* why = ::dlerror();
    throw DeviceError("plugin " + file, why ? why : "cannot be loaded");
  }
  void* symbol = ::dlsym(handle, LIGHTLOOP_PLUGIN_SYMBOL);
  if (symbol == nullptr)
    throw DeviceError("plugin " + file, "has no symbol " LIGHTLOOP_PLUGIN_SYMBOL, "",
                      "It is no Lightloop plugin, or its entry is not exported.");
  const lightloop_plugin* table = nullptr;
  call("plugin " + file, [&](lightloop_buffer*) {
    table = reinterpret_cast<Entry>(symbol)(LIGHTLOOP_PLUGIN_MAJOR, LIGHTLOOP_PLUGIN_MINOR);
    return LIGHTLOOP_OK;
  });
  return models_of(table, file);
}

/// Folders and files of the path, in order; files of a folder by name.
std::vector<std::string> files(std::vector<Trouble>& troubles) {
  std::vector<std::string> found;
  const char* path = std::getenv("LIGHTLOOP_PLUGIN_PATH");
  std::string rest = path ? path : "";
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    const std::string place = rest.substr(0, end);
    rest.erase(0, end + 1);
    if (place.empty()) continue;
    std::error_code error;
    if (fs::is_regular_file(place, error)) {
      found.push_back(place);
    } else if (fs::directory_iterator folder(place, error); !error) {
      std::vector<std::string> inside;
      for (const auto& entry : folder)
        if (entry.path().extension() == ".so") inside.push_back(entry.path().string());
      std::ranges::sort(inside);
      found.insert(found.end(), inside.begin(), inside.end());
    } else {
      troubles.push_back({place, "LIGHTLOOP_PLUGIN_PATH: " + place + ": " + error.message()});
    }
  }
  return found;
}
}  // namespace

std::string line(const lightloop_buffer& buffer) {
  std::string text(static_cast<const char*>(buffer.data), std::min(buffer.need, buffer.capacity));
  for (char& c : text)
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  return text;
}

void check_status(lightloop_status status, const lightloop_buffer& error, const std::string& who) {
  if (status == LIGHTLOOP_OK) return;
  std::string why = line(error);
  if (why.empty()) why = "failed without saying why";
  switch (status) {
    case LIGHTLOOP_UNSUPPORTED:
      throw Unsupported(who, why);
    case LIGHTLOOP_INVALID:
      throw InvalidParameter(who, why);
    case LIGHTLOOP_OUT_OF_RANGE:
      throw OutOfRange(who, why);
    case LIGHTLOOP_TIMEOUT:
      throw Timeout(who, why);
    case LIGHTLOOP_LINK:
      throw LinkError(who, why);
    case LIGHTLOOP_FRAMES:
      throw FrameError(who, why);
    case LIGHTLOOP_BUSY:
      throw Busy(who, why);
    default:
      throw DeviceError(who, why, status == LIGHTLOOP_FAULT ? "" : "status " + std::to_string(status));
  }
}

lightloop_status call(const std::string& who, const std::function<lightloop_status(lightloop_buffer*)>& body) {
  char text[kLine];
  lightloop_buffer error{text, sizeof text, 0};
  lightloop_status status = LIGHTLOOP_FAULT;
  try {
    status = body(&error);
  } catch (...) {
    throw DeviceError(who, "let an exception cross the plugin boundary", "", "Catch it and return a status.");
  }
  error.data = text;  // whatever the plugin did to the buffer itself
  error.capacity = sizeof text;
  check_status(status, error, who);
  return status;
}

std::string copy_out(const std::string& who, std::size_t limit,
                     const std::function<lightloop_status(lightloop_buffer*, lightloop_buffer*)>& body) {
  std::string bytes(std::min<std::size_t>(limit, 4096), '\0');
  for (int attempt = 0; attempt < 3; ++attempt) {
    lightloop_buffer out{bytes.data(), bytes.size(), 0};
    call(who, [&](lightloop_buffer* error) { return body(&out, error); });
    if (out.need > limit)
      throw DeviceError(who, "an answer of " + std::to_string(out.need) + " bytes", std::to_string(limit) + " at most");
    const bool whole = out.need <= bytes.size();
    bytes.resize(out.need);
    if (whole) return bytes;
  }
  throw DeviceError(who, "its answer grows each time it is asked for");
}

std::vector<Model> models_of(const lightloop_plugin* table, const std::string& library) {
  const lightloop_plugin copy = read_table(table, library);
  const std::string who = "models of plugin " + library;
  std::vector<Model> models;
  const std::uint32_t n = count(
      who, [&] { return copy.models(); }, kMostModels);
  for (std::uint32_t i = 0; i < n; ++i) {
    const Settings record = parsed(who, copy_out(who, kMostText, [&](lightloop_buffer* out, lightloop_buffer* error) {
                                     return copy.model(i, out, error);
                                   }));
    Model model;
    for (const auto& [key, value] : record) {
      std::string* field = key == "name"      ? &model.name
                           : key == "kind"    ? &model.kind
                           : key == "summary" ? &model.summary
                           : key == "source"  ? &model.source
                                              : nullptr;
      if (field == nullptr) throw DeviceError(who, "unknown key " + key, "name, kind, summary, source");
      *field = to_string(value);
    }
    check_name(who, model.name.empty() ? "." : model.name);
    for (const Model& other : models)
      if (other.name == model.name) throw DeviceError(who, model.name + " comes twice");
    model.library = library;
    model.table = copy;
    model.params = params_of(copy, model.name);
    models.push_back(std::move(model));
  }
  return models;
}

Catalogue catalogue() {
  struct Loaded {
    std::vector<Model> models;
    std::string problem;
  };
  static std::mutex mutex;
  static std::map<std::string, Loaded> loaded;  // by path
  const std::lock_guard lock(mutex);
  Catalogue all;
  for (const std::string& file : files(all.troubles)) {
    auto known = loaded.find(file);
    if (known == loaded.end()) {
      Loaded fresh;
      try {
        fresh.models = load(file);
      } catch (const std::exception& error) {
        fresh.problem = error.what();
      }
      known = loaded.emplace(file, std::move(fresh)).first;
    }
    if (!known->second.problem.empty()) all.troubles.push_back({file, known->second.problem});
    for (const Model& model : known->second.models) {
      const auto twin = std::ranges::find(all.models, model.name, &Model::name);
      if (twin == all.models.end())
        all.models.push_back(model);
      else
        all.troubles.push_back({file, model.name + " is there already, from " + twin->library});
    }
  }
  return all;
}

}  // namespace lightloop::plugin_host
