#include "python/bindings/python_device.hpp"

#include <atomic>
#include <cstring>
#include <set>

#include "core/error.hpp"
#include "driver/api/answer.hpp"
#include "driver/api/description.hpp"
#include "python/bindings/python_object.hpp"

namespace lightloop::python {
namespace {

/// numpy arrays over memory of the caller. It is the caller's again when run() returns: nobody may have kept them.
py::array lent(const void* data, int bytes, std::vector<Index> shape, bool writable) {
  const py::capsule owner(data, [](void*) {});
  py::array array =
      bytes == 2
          ? py::array(py::array_t<std::uint16_t>(std::move(shape), static_cast<const std::uint16_t*>(data), owner))
          : py::array(py::array_t<std::uint8_t>(std::move(shape), static_cast<const std::uint8_t*>(data), owner));
  if (!writable) array.attr("setflags")(py::arg("write") = false);
  return array;
}

class PythonDevice : public Device, PythonObject {
 public:
  /// Under the interpreter lock. `type` is the class.
  PythonDevice(const std::string& who, const py::object& type, const Settings& settings)
      : PythonObject(who, type), params_(who, type.attr("params").cast<std::vector<ParamInfo>>()) {
    params_.set(settings);
    guarded("__init__", [&] {
      self_ = module().attr("_make")(type, from_settings(params_.all()));
      run_ = self_.attr("run");
    });
    run_place_ = place("run");
    borrows_ = type.attr("borrows").cast<bool>();
    wants_ = module().attr("_extras")(run_).cast<std::set<std::string>>();
    info_ = description();
    alive().insert(this);
  }
  ~PythonDevice() override {
    if (gone_) return;
    if (Py_IsInitialized() == 0) {  // the program is ending: nothing of Python may be touched
      self_.release();
      run_.release();
      return;
    }
    const py::gil_scoped_acquire lock;
    let_go();
  }

  /// Closes what is still open, under the interpreter lock, while the interpreter can still be asked for it: a thread
  /// that asks later is ended by it, and the program with it.
  static void let_all_go() {
    while (!alive().empty()) (*alive().begin())->let_go();
  }

  const DeviceInfo& describe() const override { return info_; }
  const ParamSet& settings() const override { return params_; }

  void configure(const Settings& changes) override {
    check_open(open_);
    ParamSet next = changed(changes);
    py::gil_scoped_acquire lock;
    py::dict different;
    for (const ParamInfo& info : next.infos())
      if (next.value(info.name) != params_.value(info.name))
        different[py::str(info.name)] = from_value(next.value(info.name));
    if (different.empty()) return;
    show_settings(next);
    try {
      if (has("configure")) call("configure", different);
      info_ = description();
    } catch (...) {
      show_settings(params_);
      throw;
    }
    params_ = std::move(next);
  }

  RunReport run(ConstFrames in, Frames out, const RunOptions& options) override {
    check_open(open_);
    check_frames(in, out, options);
    if (in.count == 0) return {};
    const py::gil_scoped_acquire lock;
    RunReport report;
    guarded("run", [&] { report = run_locked(in, out, options); });
    check_answer(who_ + " run() (" + run_place_ + ")", info_, out, report);
    return report;
  }

  void program(ConstFrames codes) override {
    check_open(open_);
    check_program(codes);
    const py::gil_scoped_acquire lock;
    need("program");
    guarded("program",
            [&] { self_.attr("program")(lent(codes.data, codes.bytes, info_.program->shape, false).attr("copy")()); });
    info_ = description();
  }

  void reset() override {
    check_open(open_);
    const py::gil_scoped_acquire lock;
    if (!has("reset")) return Device::reset();
    call("reset");
  }

  std::vector<std::byte> snapshot() const override {
    check_open(open_);
    const py::gil_scoped_acquire lock;
    if (!has("snapshot")) return Device::snapshot();
    return from_bytes(cast<py::bytes>("snapshot", call("snapshot"), "bytes"));
  }

  void restore(const std::vector<std::byte>& state) override {
    check_open(open_);
    const py::gil_scoped_acquire lock;
    if (!has("restore")) return Device::restore(state);
    call("restore", to_bytes(state));
    info_ = description();  // of the programme that came with it
  }

  SelfTest self_test() override {
    check_open(open_);
    const py::gil_scoped_acquire lock;
    need("self_test");
    const auto [passed, detail] =
        cast<std::pair<bool, std::string>>("self_test", call("self_test"), "(passed, one line of text)");
    return {passed, detail};
  }

  std::vector<Monitor> monitors() const override {
    if (!open_) return {};
    const py::gil_scoped_acquire lock;
    if (!has("monitors")) return {};
    std::vector<Monitor> all;
    for (const auto& [name, reading] : cast<std::map<std::string, std::pair<double, std::string>>>(
             "monitors", call("monitors"), "{name: (value, unit)}"))
      all.push_back({name, reading.second, reading.first});
    return all;
  }

  void close() override {
    if (gone_) return;
    const py::gil_scoped_acquire lock;
    end();
  }

 private:
  /// Devices whose object is there; touched under the interpreter lock only.
  static std::set<PythonDevice*>& alive() {
    static auto* const all = new std::set<PythonDevice*>;  // outlives the program's statics
    return *all;
  }
  void let_go() noexcept {
    alive().erase(this);
    try {
      end();
    } catch (const std::exception&) {
      // nobody is left to be told
    }
    self_ = {};
    run_ = {};
    gone_ = true;
  }
  void need(const char* method) const {
    if (!has(method)) unsupported(std::string("method ") + method + "()");
  }

  void show_settings(const ParamSet& params) { module().attr("_show_settings")(self_, from_settings(params.all())); }

  /// Throws when somebody still holds the array, whose memory is the caller's again.
  void check_returned(const py::array& array, const char* method) const {
    if (array.ref_count() > 1)
      throw DeviceError(who_ + " " + method + "()", "kept the array it was given", place(method),
                        "Keep a copy of it, and of frames too if the class borrows them.");
  }

  RunReport run_locked(const ConstFrames& in, const Frames& out, const RunOptions& options) {
    const bool forward = options.pass == Pass::forward;
    const FrameFormat& input = forward ? info_.input : info_.output;
    FrameFormat output = forward ? info_.output : info_.input;
    output.bits = info_.output.bits;
    py::array frames = lent(in.data, in.bytes, batch_shape(in.count, input), false);
    if (!borrows_) frames = frames.attr("copy")();
    py::array memory;
    py::dict extras;
    if (wants("first_frame_id")) extras["first_frame_id"] = options.first_frame_id;
    if (wants("transposed")) extras["transposed"] = !forward;
    if (!forward && !wants("transposed"))
      throw DeviceError(who_ + " run()", "takes no argument transposed, but describe() says it can", place("run"));
    if (wants("aux")) extras["aux"] = aux_of(in);
    if (wants("deadline_s")) {
      extras["deadline_s"] = py::none();
      if (options.deadline)
        extras["deadline_s"] =
            std::chrono::duration<double>(*options.deadline - std::chrono::steady_clock::now()).count();
    }
    if (wants("out")) {
      memory = lent(out.data, out.bytes, batch_shape(out.count, output), true);
      extras["out"] = memory;
    }
    py::array_t<std::uint64_t> numbers;
    if (wants("numbers")) {
      numbers = py::array_t<std::uint64_t>(in.count);
      extras["numbers"] = numbers;
    }
    py::object answer = run_(frames, **extras);
    extras.clear();
    py::object told = py::none();
    if (py::isinstance<py::tuple>(answer) && py::len(answer) == 2) {
      told = answer[py::int_(1)];
      answer = answer[py::int_(0)];
    }
    take(answer, memory, out, output);
    answer = {};
    if (borrows_) check_returned(frames, "run");
    if (wants("out")) check_returned(memory, "run");
    if (wants("numbers") && options.numbers != nullptr)
      std::memcpy(options.numbers, numbers.data(), static_cast<std::size_t>(in.count) * sizeof(std::uint64_t));
    RunReport report = assumed_report(info_, out);
    if (told.is_none()) return report;
    for (const auto& [name, value] : cast<std::map<std::string, py::object>>("run", told, "(codes, {name: number})")) {
      if (name == "parts")
        report.parts = parts_of(value);
      else if (name == "saturated")
        report.saturated = static_cast<std::int64_t>(number(value));
      else if (name == "device_s")
        report.device_s = number(value);
      else if (name == "device_j")
        report.device_j = number(value);
      else
        throw refused("run", "the number " + name, "saturated, device_s, device_j or parts");
    }
    if (!report.parts.empty() && !told.contains("device_j")) {
      report.device_j = 0;
      for (const EnergyPart& part : report.parts) report.device_j += part.joules;
    }
    return report;
  }

  double number(const py::object& value) const { return cast<double>("run", value, "a number"); }

  /// {name: joules} or {name: {"events": ..., "joules": ...}}.
  std::vector<EnergyPart> parts_of(const py::object& told) const {
    constexpr const char* kWanted = "parts as {name: joules} or {name: {\"events\": ..., \"joules\": ...}}";
    std::vector<EnergyPart> parts;
    for (const auto& [name, value] : cast<py::dict>("run", told, kWanted)) {
      EnergyPart& part = parts.emplace_back();
      part.name = py::str(name);
      if (!py::isinstance<py::dict>(value)) {
        part.joules = cast<double>("run", py::reinterpret_borrow<py::object>(value), kWanted);
        continue;
      }
      for (const auto& [key, count] :
           cast<std::map<std::string, double>>("run", py::reinterpret_borrow<py::object>(value), kWanted)) {
        if (key != "events" && key != "joules") throw refused("run", "the key " + key, kWanted);
        (key == "events" ? part.events : part.joules) = count;
      }
    }
    return parts;
  }

  bool wants(const char* extra) const { return wants_.contains(extra); }

  /// Auxiliary codes, at rest where the caller gave none.
  py::array aux_of(const ConstFrames& in) const {
    const auto n = static_cast<Index>(info_.aux_inputs.size());
    py::array_t<std::uint16_t> array({in.count, n});
    for (Index r = 0; r < in.count; ++r)
      for (Index c = 0; c < n; ++c)
        array.mutable_at(r, c) = in.aux.cols() > 0
                                     ? in.aux(r, c)
                                     : static_cast<std::uint16_t>(info_.aux_inputs[static_cast<std::size_t>(c)].rest);
    return array;
  }

  /// Checks what run() returned and brings it to `out`.
  void take(const py::object& answer, const py::array& memory, const Frames& out, const FrameFormat& output) const {
    if (answer.is_none() && wants("out")) return;
    const std::string type = out.bytes == 2 ? "uint16" : "uint8";
    const std::string wanted = type + " " + text_of(batch_shape(out.count, output));
    if (!py::isinstance<py::array>(answer)) throw refused("run", type_name(answer), "an array " + wanted);
    py::array codes = py::reinterpret_borrow<py::array>(answer);
    const std::vector<Index> shape(codes.shape(), codes.shape() + codes.ndim());
    const std::string returned = std::string(py::str(codes.dtype())) + " " + text_of(shape);
    const bool fits = codes.dtype().itemsize() == out.bytes &&
                      (codes.dtype().kind() == 'u' || (codes.dtype().kind() == 'b' && output.bits == 1));
    if (!fits)
      throw refused("run", returned, wanted,
                    "Round, clip to 0.." + std::to_string(output.highest()) + " and use .astype(np." + type + ").");
    if (shape != batch_shape(out.count, output) && shape != std::vector<Index>{out.count, out.size})
      throw refused("run", returned, wanted);
    if (codes.ptr() == memory.ptr()) return;
    if ((codes.flags() & py::array::c_style) == 0)
      codes = py::module_::import("numpy").attr("ascontiguousarray")(codes);
    std::memcpy(out.data, codes.data(), static_cast<std::size_t>(out.count * out.size * out.bytes));
  }

  void end() {
    if (!open_) return;
    open_ = false;
    if (has("close")) call("close");
  }

  std::string run_place_;
  ParamSet params_;
  py::object run_;
  std::set<std::string> wants_;
  DeviceInfo info_;
  bool borrows_ = false, open_ = true;
  std::atomic<bool> gone_ = false;  ///< there is no Python behind it any more
};

}  // namespace

py::object type_of(const DeviceAddress& address, const std::string& who) {
  try {
    return py::module_::import("lightloop.device").attr("_load")(address.target);
  } catch (py::error_already_set& raised) {
    throw_python_error(raised, who, "");
  }
}

DeviceInfo PythonObject::description() const {
  DeviceInfo info;
  guarded("describe", [&] { info = module().attr("_describe")(self_).cast<DeviceInfo>(); });
  if (info.model.empty()) info.model = who_;
  try {
    check_info(info, who_);
  } catch (const InvalidParameter& error) {
    throw DeviceError(who_ + " describe()", error.what(), place("describe"));
  }
  return info;
}

std::unique_ptr<Device> open_python_device(const DeviceAddress& address) {
  const py::gil_scoped_acquire lock;
  const std::string who = "python:" + address.target;
  return std::make_unique<PythonDevice>(who, type_of(address, who), address.settings);
}

void close_python_devices() { PythonDevice::let_all_go(); }

std::vector<ParamInfo> python_device_params(const DeviceAddress& address) {
  const py::gil_scoped_acquire lock;
  const py::object type = type_of(address, "python:" + address.target);
  return type.attr("params").cast<std::vector<ParamInfo>>();
}

}  // namespace lightloop::python
