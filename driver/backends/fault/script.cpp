#include "driver/backends/fault/script.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <fstream>

#include "core/error.hpp"

namespace lightloop::fault {
namespace {

constexpr const char* kKinds[] = {"delay",   "hang",     "drop",     "duplicate", "shift",
                                  "corrupt", "saturate", "mode_hop", "warm_up",   "disconnect"};

std::vector<ParamInfo> fault_params(const std::string& kind) {
  return {{.name = "kind",
           .unit = "",
           .default_value = kind,
           .help = "",
           .choices = {std::begin(kKinds), std::end(kKinds)}},
          {"at", "", std::string(), 0, 0, ""},
          {"rate", "1", 0.0, 0, 1, ""},
          {"times", "1", std::int64_t{1}, 1, 1e9, ""},
          {"seconds", "s", 0.1, 0, 1e6, ""},
          {"frames", "1", std::int64_t{1}, 1, 1e6, ""},
          {"bits", "1", std::int64_t{1}, 1, 1e6, ""},
          {"depth", "1", 0.1, 0, 1, ""},
          {"attempts", "1", std::int64_t{0}, 0, 1e6, ""},
          {"hidden", "", false, 0, 0, ""}};
}

std::vector<std::uint64_t> frame_ids(const std::string& path, const std::string& text) {
  std::vector<std::uint64_t> ids;
  const char* const end = text.data() + text.size();
  for (const char* begin = text.data(); begin < end;) {
    while (begin < end && (*begin == ',' || *begin == ' ')) ++begin;
    if (begin == end) break;
    std::uint64_t id = 0;
    const auto [stop, error] = std::from_chars(begin, end, id);
    if (error != std::errc{} || (stop < end && *stop != ',' && *stop != ' '))
      throw InvalidParameter(path, "at = " + text, "frame ids", "Write at = [3, 17].");
    ids.push_back(id);
    begin = stop;
  }
  std::ranges::sort(ids);
  return ids;
}

Fault fault_from(const std::string& path, const std::string& name, Settings keys, const Script& script,
                 std::uint64_t place) {
  if (const auto at = keys.find("at"); at != keys.end()) at->second = lightloop::to_string(at->second);  // one id alone
  const bool named = std::ranges::find(kKinds, name) != std::end(kKinds);
  if (!named && !keys.contains("kind"))
    throw UnknownName(path, "[" + name + "]", "a kind of fault, or a table with one: kind = \"drop\"",
                      nearest(name, {std::begin(kKinds), std::end(kKinds)}).value_or(""));
  ParamSet params(path + " [" + name + "]", fault_params(named ? name : kKinds[0]));
  params.set(keys);
  Fault fault;
  fault.name = name;
  fault.kind = static_cast<Kind>(std::ranges::find(kKinds, params.text("kind")) - std::begin(kKinds));
  fault.at = frame_ids(path, params.text("at"));
  fault.rate = params.real("rate");
  fault.seconds = params.real("seconds");
  fault.depth = params.real("depth");
  fault.times = params.integer("times");
  fault.frames = params.integer("frames");
  fault.bits = params.integer("bits");
  fault.attempts = params.integer("attempts");
  fault.hidden = params.boolean("hidden");
  fault.stream = Stream(script.seed, place, Purpose::user);
  if (fault.kind != Kind::warm_up && fault.at.empty() && fault.rate == 0)
    throw InvalidParameter(path + " [" + name + "]", "never happens", "", "Give at = [frame ids] or rate = 0.01.");
  return fault;
}

}  // namespace

std::string to_string(Kind kind) { return kKinds[static_cast<std::size_t>(kind)]; }

bool Fault::begins(std::uint64_t id) const {
  return std::ranges::binary_search(at, id) || (rate > 0 && stream.uniform(id, 0) < rate);
}

bool Fault::covers(std::uint64_t id) const {
  const auto length = static_cast<std::uint64_t>(frames);
  for (std::uint64_t back = 0; back < length && back <= id; ++back)
    if (begins(id - back)) return true;
  return false;
}

Script read_script(const std::string& path) {
  Script script;
  Settings own;
  std::map<std::string, Settings> tables;
  for (const auto& [key, value] : read_toml(path)) {
    const std::size_t dot = key.find('.');
    if (dot == std::string::npos)
      own[key] = value;
    else
      tables[key.substr(0, dot)][key.substr(dot + 1)] = value;
  }
  ParamSet params(path, {{"seed", "1", std::int64_t{0}, 0, 9e18, ""},
                         {"log", "", std::string(), 0, 0, ""},
                         {"counted", "", true, 0, 0, ""}});
  params.set(own);
  script.seed = static_cast<std::uint64_t>(params.integer("seed"));
  script.counted = params.boolean("counted");
  if (!params.text("log").empty())
    script.log = (std::filesystem::path(path).parent_path() / params.text("log")).string();
  for (const auto& [name, keys] : tables)
    script.faults.push_back(fault_from(path, name, keys, script, script.faults.size()));
  return script;
}

void History::begin_call() {
  const std::lock_guard lock(mutex_);
  ++calls_;
}

bool History::strike(const Script& script, std::size_t fault, std::uint64_t id) {
  const Fault& what = script.faults[fault];
  const std::lock_guard lock(mutex_);
  std::int64_t& struck = struck_[{fault, id}];
  if (struck >= what.times) return false;
  ++struck;
  const std::string kind = to_string(what.kind);
  ++injected_[kind];
  if (!script.log.empty()) {
    std::ofstream log(script.log, std::ios::app);
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    log << std::chrono::duration_cast<std::chrono::milliseconds>(now).count() << " call " << calls_ << " frame " << id
        << ' ' << kind << (what.hidden ? " hidden" : "") << '\n';
    if (!log.flush()) throw FileError(script.log, "cannot be written", "", "Free some space, or leave `log` out.");
  }
  return true;
}

void History::refuse_openings(std::int64_t attempts) {
  const std::lock_guard lock(mutex_);
  refuse_ = attempts;
}

bool History::refuses_opening() {
  const std::lock_guard lock(mutex_);
  return refuse_ > 0 && refuse_-- > 0;
}

std::map<std::string, std::int64_t> History::injected() const {
  const std::lock_guard lock(mutex_);
  return injected_;
}

}  // namespace lightloop::fault
