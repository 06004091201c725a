#include "driver/backends/plugin/plugin.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "driver/api/answer.hpp"
#include "driver/api/description.hpp"
#include "driver/backends/plugin/library.hpp"

namespace lightloop::plugin_host {
namespace {

/// The host's copy of all values, as a plugin gets them.
class Values {
 public:
  explicit Values(const ParamSet& params) {
    for (const ParamInfo& info : params.infos()) {
      const Value& value = params.value(info.name);
      texts_.push_back(to_string(value));
      lightloop_setting one{info.name.c_str(), nullptr, 0, 0};
      if (const auto* on = std::get_if<bool>(&value)) one.real = static_cast<double>(one.integer = *on);
      if (const auto* n = std::get_if<std::int64_t>(&value)) one.real = static_cast<double>(one.integer = *n);
      if (const auto* x = std::get_if<double>(&value)) {
        one.real = *x;
        one.integer = std::abs(*x) < 9e18 ? static_cast<std::int64_t>(*x) : 0;
      }
      all_.push_back(one);
    }
    for (std::size_t i = 0; i < all_.size(); ++i) all_[i].text = texts_[i].c_str();
  }
  const lightloop_setting* data() const { return all_.data(); }
  std::size_t size() const { return all_.size(); }

 private:
  std::vector<std::string> texts_;
  std::vector<lightloop_setting> all_;  // names belong to the ParamSet
};

class PluginDevice : public Device {
 public:
  PluginDevice(const Model& model, const Settings& settings)
      : who_("plugin:" + model.name), table_(model.table), params_(who_, model.params) {
    params_.set(settings);
    const Values values(params_);
    call(who_, [&](lightloop_buffer* error) {
      return table_.open(model.name.c_str(), values.data(), values.size(), &handle_, error);
    });
    if (handle_ == nullptr) throw DeviceError(who_, "opening gave no device, and no error either");
    try {
      info_ = description();
      if (info_.program && table_.program == nullptr)
        throw DeviceError(who_, "describes a programme, but its table lacks the function program");
    } catch (...) {
      let_go();
      throw;
    }
  }
  ~PluginDevice() override { let_go(); }

  const DeviceInfo& describe() const override { return info_; }
  const ParamSet& settings() const override { return params_; }

  void configure(const Settings& changes) override {
    check_open(handle_ != nullptr);
    ParamSet next = changed(changes);
    if (next.all() == params_.all()) return;
    if (table_.configure == nullptr) unsupported("settings that can be changed");
    apply(next);
    try {
      info_ = description();
    } catch (...) {
      apply(params_);
      throw;
    }
    params_ = std::move(next);
  }

  RunReport run(ConstFrames in, Frames out, const RunOptions& options) override {
    check_open(handle_ != nullptr);
    check_frames(in, out, options);
    if (in.count == 0) return {};
    lightloop_run request = {};
    request.struct_size = sizeof request;
    request.transposed = options.pass == Pass::transposed;
    request.first_frame_id = options.first_frame_id;
    request.frames = in.count;
    request.in_size = in.size;
    request.out_size = out.size;
    request.in = in.data;
    request.aux = in.aux.cols() > 0 ? dense(in.aux) : nullptr;
    request.out = out.data;
    request.numbers = info_.pairing == Pairing::counted ? options.numbers : nullptr;
    request.deadline_ns = -1;
    if (options.deadline) {
      const auto left = *options.deadline - std::chrono::steady_clock::now();
      request.deadline_ns =
          std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::nanoseconds>(left).count());
    }
    lightloop_report said = {};
    said.struct_size = sizeof said;
    said.saturated = -1;
    said.device_s = info_.cost.seconds(in.count, 1);
    said.device_j = info_.cost.joules(in.count, 1);
    call(who_, [&](lightloop_buffer* error) { return table_.run(handle_, &request, &said, error); });
    RunReport report = assumed_report(info_, out);
    if (said.saturated != -1) report.saturated = said.saturated;
    report.device_s = said.device_s;
    report.device_j = said.device_j;
    check_answer(who_, info_, out, report);
    return report;
  }

  void program(ConstFrames codes) override {
    check_open(handle_ != nullptr);
    check_program(codes);
    call(who_, [&](lightloop_buffer* error) { return table_.program(handle_, codes.data, codes.size, error); });
    info_ = description();  // what a programme draws may depend on it
  }

  void reset() override {
    if (!info_.stateful || table_.reset == nullptr) return Device::reset();
    check_open(handle_ != nullptr);
    call(who_, [&](lightloop_buffer* error) { return table_.reset(handle_, error); });
  }

  std::vector<std::byte> snapshot() const override {
    if (!may_have_state() || table_.snapshot == nullptr) return Device::snapshot();
    check_open(handle_ != nullptr);
    std::string bytes;
    try {
      bytes = copy_out(who_, kMostState, [&](lightloop_buffer* out, lightloop_buffer* error) {
        return table_.snapshot(handle_, out, error);
      });
    } catch (const Unsupported&) {
      return Device::snapshot();
    }
    std::vector<std::byte> state(bytes.size());
    if (!bytes.empty()) std::memcpy(state.data(), bytes.data(), bytes.size());
    return state;
  }

  void restore(const std::vector<std::byte>& state) override {
    if (!may_have_state() || table_.restore == nullptr) return Device::restore(state);
    check_open(handle_ != nullptr);
    try {
      call(who_, [&](lightloop_buffer* error) { return table_.restore(handle_, state.data(), state.size(), error); });
    } catch (const Unsupported&) {
      return Device::restore(state);
    }
    info_ = description();  // of the programme that came with it
  }

  SelfTest self_test() override {
    if (table_.self_test == nullptr) return Device::self_test();
    check_open(handle_ != nullptr);
    char text[kLine];
    lightloop_buffer out{text, sizeof text, 0};
    std::int32_t passed = 0;
    call(who_, [&](lightloop_buffer* error) { return table_.self_test(handle_, &passed, &out, error); });
    return {passed != 0, line({text, sizeof text, out.need})};
  }

  std::vector<Monitor> monitors() const override {
    if (table_.monitors == nullptr || handle_ == nullptr) return {};
    const std::string text = copy_out(who_, kMostText, [&](lightloop_buffer* out, lightloop_buffer* error) {
      return table_.monitors(handle_, out, error);
    });
    std::vector<Monitor> all;
    for (const auto& [key, value] : parsed(text)) {
      const std::size_t bracket = key.find('[');
      const auto* whole = std::get_if<std::int64_t>(&value);
      const auto* real = std::get_if<double>(&value);
      if (bracket == std::string::npos || key.back() != ']' || (!whole && !real))
        throw DeviceError(who_, "monitor " + key + " = " + to_string(value), "name[unit]=number");
      all.push_back({key.substr(0, bracket), key.substr(bracket + 1, key.size() - bracket - 2),
                     whole ? static_cast<double>(*whole) : *real});
    }
    return all;
  }

  void close() override { let_go(); }

 private:
  static constexpr std::size_t kLine = 4096;

  /// The number of the last write may be state too.
  bool may_have_state() const { return info_.stateful || info_.program.has_value(); }

  void let_go() noexcept {
    if (handle_ == nullptr) return;
    try {
      table_.close(handle_);
    } catch (...) {
      // it cannot fail by contract; nobody is left to be told
    }
    handle_ = nullptr;
  }

  Settings parsed(const std::string& text) const {
    try {
      return parse_settings(text);
    } catch (const InvalidParameter& error) {
      throw DeviceError(who_, error.what());
    }
  }

  DeviceInfo description() const {
    const std::string text = copy_out(who_, kMostText, [&](lightloop_buffer* out, lightloop_buffer* error) {
      return table_.describe(handle_, out, error);
    });
    Settings flat = parsed(text);
    flat.emplace("model", who_);
    DeviceInfo defaults;
    defaults.repeatable = false;
    try {
      return info_from(flat, who_, defaults);
    } catch (const InvalidParameter& error) {
      throw DeviceError(who_, error.what());
    }
  }

  void apply(const ParamSet& params) {
    const Values values(params);
    call(who_, [&](lightloop_buffer* error) { return table_.configure(handle_, values.data(), values.size(), error); });
  }

  /// Auxiliary codes one row after the other.
  const std::uint16_t* dense(const View<const std::uint16_t>& aux) {
    if (aux.contiguous()) return aux.data();
    aux_.resize(aux.rows(), aux.cols());
    for (Index r = 0; r < aux.rows(); ++r) std::ranges::copy(aux.row(r), aux_.row(r).begin());
    return aux_.data();
  }

  std::string who_;
  lightloop_plugin table_;
  ParamSet params_;
  DeviceInfo info_;
  void* handle_ = nullptr;
  Matrix<std::uint16_t> aux_;
};

Model find(const std::string& name) {
  Catalogue all = catalogue();
  std::vector<std::string> known;
  for (Model& model : all.models) {
    if (model.name == name) return std::move(model);
    known.push_back(model.name);
  }
  std::string limit = known.empty() ? "none found" : "known:";
  for (const std::string& one : known) limit += " " + one;
  for (const Trouble& trouble : all.troubles) limit += "; " + trouble.problem;
  const auto near = nearest(name, known);
  throw UnknownName("plugin", name, limit,
                    near ? "Did you mean " + *near + "?" : "LIGHTLOOP_PLUGIN_PATH names the folders of plugins.");
}

std::vector<Found> look_around() {
  std::vector<Found> found;
  const Catalogue all = catalogue();
  for (const Model& model : all.models)
    found.push_back({"plugin:" + model.name, model.kind + ", " + model.summary + " (" + model.library + ")", ""});
  for (const Trouble& trouble : all.troubles) found.push_back({trouble.place, "", trouble.problem});
  return found;
}
}  // namespace

std::unique_ptr<Device> open_model(const Model& model, const Settings& settings) {
  return std::make_unique<PluginDevice>(model, settings);
}

}  // namespace lightloop::plugin_host

namespace lightloop::plugin {

Backend backend() {
  Backend plugins = [](const DeviceAddress& address, const Registry&) {
    return plugin_host::open_model(plugin_host::find(address.target), address.settings);
  };
  plugins.params = [](const DeviceAddress& address, const Registry&) {
    return plugin_host::find(address.target).params;
  };
  plugins.discover = [](std::chrono::steady_clock::time_point) { return plugin_host::look_around(); };
  return plugins;
}

}  // namespace lightloop::plugin
