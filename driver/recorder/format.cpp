#include "driver/recorder/format.hpp"

#include <algorithm>
#include <sstream>

#include "core/error.hpp"
#include "driver/api/description.hpp"

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
};

std::vector<Index> stored(const DeviceInfo& info, const FrameFormat& format) {
  return info.transposed ? std::vector<Index>{std::max(info.input.size(), info.output.size())} : format.shape;
}
}  // namespace

DeviceInfo info_from(const Settings& flat, const std::string& file) {
  for (const char* key : {"stateful", "deterministic", "transposed", "max_batch", "cost.frame_s", "aux"})
    if (!flat.contains(key)) Flat{flat, file}.missing(key);
  try {
    return lightloop::info_from(flat, file);
  } catch (const InvalidParameter& error) {
    throw FileError(file, error.what(), "", "The file is damaged, or of a later version.");
  }
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
  try {
    ParamSet params(owner, std::move(infos));
    params.set(values);
    return params;
  } catch (const InvalidParameter& error) {
    throw FileError(file, error.what(), "", "The file is damaged.");
  }
}

Settings settings_in(std::span<const std::uint8_t> note, const std::string& who, const std::string& file) {
  try {
    return parse_settings(std::string(note.begin(), note.end()));
  } catch (const InvalidParameter& error) {
    throw FileError(file, who + ": " + error.what(), "", "The file is damaged.");
  }
}

Settings changes(const Settings& before, const Settings& now) {
  Settings found;
  std::vector<std::string> gone;
  for (const auto& [key, value] : now)
    if (const auto at = before.find(key); at == before.end() || at->second != value) found[key] = value;
  for (const auto& [key, value] : before)
    if (!now.contains(key)) gone.push_back(key);
  if (!gone.empty()) found["gone"] = joined(gone);
  return found;
}

bool apply_note(const Settings& note, Settings& state) {
  bool changed = false;
  if (const auto gone = note.find("gone"); gone != note.end())
    for (const std::string& key : split(to_string(gone->second), kSeparator)) changed |= state.erase(key) > 0;
  for (const auto& [key, value] : note) {
    if (!key.starts_with("info.") && !key.starts_with("settings.")) continue;
    state[key] = value;
    changed = true;
  }
  return changed;
}

bool same_frames(const DeviceInfo& one, const DeviceInfo& other) {
  const auto alike = [](const FrameFormat& a, const FrameFormat& b) { return a.shape == b.shape && a.bits == b.bits; };
  return alike(one.input, other.input) && alike(one.output, other.output) &&
         one.program.has_value() == other.program.has_value() &&
         (!one.program || alike(*one.program, *other.program)) && one.transposed == other.transposed &&
         one.aux_inputs.size() == other.aux_inputs.size();
}

std::vector<Index> stored_input(const DeviceInfo& info) { return stored(info, info.input); }
std::vector<Index> stored_output(const DeviceInfo& info) { return stored(info, info.output); }

}  // namespace lightloop::recording
