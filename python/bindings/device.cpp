#include <pybind11/stl.h>

#include <array>
#include <chrono>

#include "core/error.hpp"
#include "driver/api/conformance.hpp"
#include "driver/api/description.hpp"
#include "driver/api/discover.hpp"
#include "driver/backends/python/python.hpp"
#include "driver/recorder/check_recording.hpp"
#include "python/bindings/bindings.hpp"
#include "python/bindings/codes.hpp"
#include "python/bindings/python_device.hpp"
#include "python/bindings/session.hpp"

namespace lightloop::python {
namespace {

py::array run(SharedSession& shared, const py::array& codes, const py::object& aux,
              const std::optional<std::uint64_t>& first_frame_id, const py::object& out, bool transposed) {
  const DeviceInfo& info = shared.session->info();
  const FrameFormat& input = transposed ? info.output : info.input;
  const FrameFormat& output = transposed ? info.input : info.output;
  const Codes in = check_codes(codes, input, "codes");
  py::array result;
  if (out.is_none()) {
    std::vector<Index> shape = output.shape;
    if (!in.single) shape.insert(shape.begin(), in.count);
    result = output.bytes() == 2 ? py::array(py::array_t<std::uint16_t>(shape))
                                 : py::array(py::array_t<std::uint8_t>(shape));
  } else {
    if (!py::isinstance<py::array>(out)) throw py::type_error("out: a numpy array is wanted");
    result = py::reinterpret_borrow<py::array>(out);
    if (check_codes(result, output, "out").count != in.count)
      throw ShapeMismatch("out", std::string(py::str(result.attr("shape"))),
                          std::to_string(in.count) + " frames wanted");
    if (!result.writeable()) throw py::type_error("out: the array is read-only");
  }
  const ConstFrames frames_in = as_input(codes, input, in.count, as_aux(aux, info, in.count));
  const Frames frames_out = as_output(result, output, in.count);
  without_interpreter(shared, [&](Session& session) {
    RunOptions options;
    if (first_frame_id) session.continue_at(*first_frame_id);
    options.pass = transposed ? Pass::transposed : Pass::forward;
    return session.run(frames_in, frames_out, options);
  });
  return result;
}

/// FrameFormat, or (shape, bits, meaning) with the last two left out at will.
FrameFormat to_format(const py::object& format) {
  if (py::isinstance<FrameFormat>(format)) return format.cast<FrameFormat>();
  const py::object type = py::type::of<FrameFormat>();
  return type(*py::tuple(format)).cast<FrameFormat>();
}

/// Components that take energy: {name: joules of a frame}, or {name: {field: value}} with the fields of CostPart. Power
/// and joules of a programme that are 0 are theirs together.
void put_parts(Settings& flat, const py::dict& parts, const CostModel& cost) {
  double frame_j = 0, program_j = 0;
  std::int64_t n = 0;
  for (const auto& [name, said] : parts) {
    const std::string prefix = "cost.part." + std::to_string(n++) + ".";
    Settings part;
    if (py::isinstance<py::dict>(said))
      part = to_settings(said.cast<py::dict>());
    else
      part["frame_j"] = said.cast<double>();
    for (const auto& [field, value] : part) flat[prefix + field] = value;
    flat[prefix + "name"] = name.cast<std::string>();
    const auto joules = [&](const char* field) {
      const auto found = part.find(field);
      if (found == part.end()) return 0.0;
      const auto* real = std::get_if<double>(&found->second);
      const auto* whole = std::get_if<std::int64_t>(&found->second);
      return real ? *real : whole ? static_cast<double>(*whole) : 0.0;
    };
    frame_j += joules("frame_j");
    program_j += joules("program_j");
  }
  flat["cost.parts"] = n;
  if (cost.power_w == 0 && cost.frame_s > 0 && frame_j > 0) flat["cost.power_w"] = frame_j / cost.frame_s;
  if (cost.program_j == 0 && program_j > 0) flat["cost.program_j"] = program_j;
}

DeviceInfo make_info(const std::string& kind, const py::object& input, const py::object& output,
                     const std::string& model, const std::string& serial, const std::string& version,
                     const std::vector<AuxFormat>& aux_inputs, const py::object& program, bool stateful,
                     bool deterministic, bool repeatable, bool transposed, Index max_batch, double frame_s,
                     double batch_s, double program_s, double power_w, double program_j,
                     const std::string& calibration_id, const std::string& pairing, const py::dict& parts) {
  DeviceInfo info;
  info.kind = kind;
  info.model = model;
  info.serial = serial;
  info.version = version;
  info.input = to_format(input);
  info.output = to_format(output);
  info.aux_inputs = aux_inputs;
  if (!program.is_none()) info.program = to_format(program);
  info.stateful = stateful;
  info.deterministic = deterministic;
  info.repeatable = repeatable || deterministic;
  info.transposed = transposed;
  info.max_batch = max_batch;
  info.cost = {frame_s, batch_s, program_s, power_w, program_j};
  info.calibration_id = calibration_id;
  Settings flat = to_settings(info);
  put_parts(flat, parts, info.cost);
  flat["pairing"] = pairing;
  if (model.empty()) flat["model"] = std::string("a device of your own");
  DeviceInfo checked = info_from(flat, model.empty() ? "a device" : model);
  checked.model = model;
  return checked;
}

void register_records(py::module_& m) {
  py::class_<FrameFormat>(m, "FrameFormat", "Shape, bits and meaning of one frame's codes.")
      .def(py::init([](const py::object& shape, int bits, const std::string& meaning) {
             const bool one = py::isinstance<py::int_>(shape);
             return FrameFormat{one ? std::vector<Index>{shape.cast<Index>()} : shape.cast<std::vector<Index>>(), bits,
                                meaning};
           }),
           py::arg("shape"), py::arg("bits") = 8, py::arg("meaning") = "code")
      .def_property_readonly("shape", [](const FrameFormat& f) { return to_tuple(f.shape); })
      .def_readonly("bits", &FrameFormat::bits)
      .def_readonly("meaning", &FrameFormat::meaning)
      .def_property_readonly("size", &FrameFormat::size)
      .def_property_readonly("highest", &FrameFormat::highest)
      .def_property_readonly("dtype",
                             [](const FrameFormat& f) { return py::dtype(f.bytes() == 2 ? "uint16" : "uint8"); })
      .def("__repr__", [](const FrameFormat& f) {
        return "FrameFormat(" + std::string(py::str(to_tuple(f.shape))) + ", " + std::to_string(f.bits) + " bit " +
               f.meaning + ")";
      });
  py::class_<AuxFormat>(m, "AuxFormat", "One extra code per frame beside the main input.")
      .def(py::init<std::string, int, std::uint32_t, std::string>(), py::arg("name"), py::arg("bits") = 8,
           py::arg("rest") = 0, py::arg("help") = "")
      .def_readonly("name", &AuxFormat::name)
      .def_readonly("bits", &AuxFormat::bits)
      .def_readonly("rest", &AuxFormat::rest)
      .def_readonly("help", &AuxFormat::help);
  py::class_<CostModel>(m, "CostModel", "Time and energy of frames, batches and programs.")
      .def_readonly("frame_s", &CostModel::frame_s)
      .def_readonly("batch_s", &CostModel::batch_s)
      .def_readonly("program_s", &CostModel::program_s)
      .def_readonly("power_w", &CostModel::power_w)
      .def_readonly("program_j", &CostModel::program_j)
      .def_property_readonly(
          "parts",
          [](const CostModel& cost) {
            py::dict parts;
            for (const CostPart& part : cost.parts)
              parts[py::str(part.name)] =
                  py::dict(py::arg("frame_events") = part.frame_events, py::arg("frame_j") = part.frame_j,
                           py::arg("program_events") = part.program_events, py::arg("program_j") = part.program_j,
                           py::arg("latency_s") = part.latency_s);
            return parts;
          },
          "Events, joules and seconds by component.")
      .def("seconds", &CostModel::seconds, py::arg("frames"), py::arg("batches") = 0, py::arg("programs") = 0)
      .def("joules", &CostModel::joules, py::arg("frames"), py::arg("batches") = 0, py::arg("programs") = 0);
  py::class_<DeviceInfo>(m, "DeviceInfo", "What a device is and can do.")
      .def(py::init(&make_info), py::arg("kind"), py::arg("input"), py::arg("output"), py::kw_only(),
           py::arg("model") = "", py::arg("serial") = "", py::arg("version") = "",
           py::arg("aux_inputs") = std::vector<AuxFormat>{}, py::arg("program") = py::none(),
           py::arg("stateful") = false, py::arg("deterministic") = false, py::arg("repeatable") = false,
           py::arg("transposed") = false, py::arg("max_batch") = 4096, py::arg("frame_s") = 0.0,
           py::arg("batch_s") = 0.0, py::arg("program_s") = 0.0, py::arg("power_w") = 0.0, py::arg("program_j") = 0.0,
           py::arg("calibration_id") = "", py::arg("pairing") = "certain", py::arg("parts") = py::dict(),
           "The description of a device of your own. Formats are FrameFormat or (shape, bits, meaning). Seconds and "
           "watts are those of one frame, of each call of run(), and of programming. parts: the components that take "
           "the energy, {name: joules a frame} or {name: {field: value}} with the fields frame_events, frame_j, "
           "program_events, program_j, latency_s and per (\"frame\", \"input\" or \"output\": what a transposed pass "
           "has other numbers of); power_w and program_j that are left out are their sums.")
      .def_readonly("kind", &DeviceInfo::kind)
      .def_readonly("model", &DeviceInfo::model)
      .def_readonly("serial", &DeviceInfo::serial)
      .def_readonly("version", &DeviceInfo::version)
      .def_readonly("input", &DeviceInfo::input)
      .def_readonly("output", &DeviceInfo::output)
      .def_readonly("aux_inputs", &DeviceInfo::aux_inputs)
      .def_readonly("program", &DeviceInfo::program)
      .def_readonly("stateful", &DeviceInfo::stateful)
      .def_readonly("deterministic", &DeviceInfo::deterministic)
      .def_readonly("repeatable", &DeviceInfo::repeatable)
      .def_readonly("transposed", &DeviceInfo::transposed)
      .def_readonly("max_batch", &DeviceInfo::max_batch)
      .def_readonly("cost", &DeviceInfo::cost)
      .def_readonly("calibration_id", &DeviceInfo::calibration_id)
      .def_property_readonly(
          "pairing", [](const DeviceInfo& info) { return std::get<std::string>(to_settings(info).at("pairing")); });
  py::class_<Meter>(m, "Meter", "Everything counted since the session was opened.")
      .def_readonly("frames", &Meter::frames)
      .def_readonly("batches", &Meter::batches)
      .def_readonly("programs", &Meter::programs)
      .def_readonly("codes", &Meter::codes)
      .def_readonly("saturated", &Meter::saturated)
      .def_readonly("device_s", &Meter::device_s)
      .def_readonly("device_j", &Meter::device_j)
      .def_readonly("retries", &Meter::retries)
      .def_readonly("discarded", &Meter::discarded)
      .def_readonly("checks", &Meter::checks)
      .def_readonly("losses", &Meter::losses)
      .def_readonly("reopened", &Meter::reopened)
      .def_property_readonly("saturation", &Meter::saturation);
  py::class_<DeviceModel>(m, "DeviceModel", "The record of a device model in the catalogue.")
      .def_readonly("name", &DeviceModel::name)
      .def_readonly("kind", &DeviceModel::kind)
      .def_readonly("summary", &DeviceModel::summary)
      .def_readonly("source", &DeviceModel::source)
      .def_readonly("params", &DeviceModel::params)
      .def_property_readonly("presets", [](const DeviceModel& d) {
        py::dict presets;
        for (const auto& [name, settings] : d.presets) presets[py::str(name)] = from_settings(settings);
        return presets;
      });
}

}  // namespace

void register_device(py::module_& m) {
  register_records(m);
  set_hook({open_python_device, python_device_params, open_python_twin});
  py::module_::import("atexit").attr("register")(py::cpp_function(&close_python_devices));
  m.def(
      "check_device",
      [](const std::string& address, const py::dict& settings, const std::string& record) {
        const Settings wanted = to_settings(settings);
        std::vector<CheckResult> results;
        {
          py::gil_scoped_release release;
          std::unique_ptr<Candidate> candidate = registry().candidate(address, wanted);
          if (record.empty()) {
            results = check_device(*candidate);
          } else {
            CheckRecording recording(record, address, std::move(candidate));
            results = check_device(recording);
            recording.close();
          }
        }
        py::list claims;
        for (const CheckResult& result : results) {
          constexpr std::array kOutcomes{"passed", "failed", "skipped"};
          claims.append(
              py::make_tuple(result.name, kOutcomes[static_cast<std::size_t>(result.outcome)], result.detail));
        }
        return claims;
      },
      py::arg("address"), py::arg("settings") = py::dict(), py::arg("record") = "",
      "The conformance suite: (claim, outcome, detail) of each; recorded in a file, if one is named.");
  m.def(
      "check_physics",
      [](const std::string& address, const py::dict& settings) {
        const Settings wanted = to_settings(settings);
        std::vector<PhysicsRow> rows;
        {
          py::gil_scoped_release release;
          rows = registry().physics(address, wanted);
        }
        py::list all;
        for (const PhysicsRow& row : rows)
          all.append(py::dict(py::arg("name") = row.name, py::arg("formula") = row.formula, py::arg("unit") = row.unit,
                              py::arg("expected") = row.expected, py::arg("measured") = row.measured,
                              py::arg("tolerance") = row.tolerance, py::arg("detail") = row.detail,
                              py::arg("skipped") = row.skipped, py::arg("agrees") = !row.skipped && row.agrees()));
        return all;
      },
      py::arg("address"), py::arg("settings") = py::dict(),
      "What a simulated device measures on itself, beside the formulas.");
  m.def(
      "discover",
      [](double limit_s) {
        std::vector<Found> found;
        {
          py::gil_scoped_release release;
          found = discover(registry(), configured_devices(),
                           std::chrono::milliseconds(static_cast<std::int64_t>(1000 * limit_s)));
        }
        py::list all;
        for (const Found& one : found) all.append(py::make_tuple(one.address, one.summary, one.problem));
        return all;
      },
      py::arg("limit_s") = 3.0,
      "(address, summary, problem) of what can be opened here beside simulated models, and of what was looked for in "
      "vain.");
  m.def(
      "models", [] { return registry().models(); }, "The record of every device model of this build.");
  m.def(
      "parse_address",
      [](const std::string& address) {
        const DeviceAddress parsed = parse_address(address);
        return py::make_tuple(parsed.backend, parsed.target, from_settings(parsed.settings));
      },
      py::arg("address"), "(backend, target, settings) of a device string.");
  m.def(
      "open_params", [](const std::string& address) { return registry().open_params(address); }, py::arg("address"),
      "What may still be chosen when this device string is opened; empty where that is not known before.");
  py::class_<SharedSession> bound(m, "Session", "One open device: frames in, frames out, counted.");
  bound
      .def(py::init([](const std::string& address, const py::dict& settings) {
             const Settings extra = to_settings(settings);
             py::gil_scoped_release release;
             auto shared = std::make_unique<SharedSession>();
             shared->session = open_session(registry(), address, extra);
             return shared;
           }),
           py::arg("address"), py::arg("settings") = py::dict())
      .def_property_readonly("address", [](const SharedSession& s) { return s.session->address(); })
      .def_property_readonly(
          "info", [](const SharedSession& s) { return s.session->info(); },
          "What the device is and can do, for its present settings.")
      .def_property_readonly(
          "params", [](SharedSession& s) { return s.session->settings().infos(); },
          "The record of everything settable.")
      .def_property_readonly("meter", [](const SharedSession& s) { return s.session->meter(); })
      .def_property_readonly("next_frame_id", [](const SharedSession& s) { return s.session->next_frame_id(); })
      .def("run", &run, py::arg("codes"), py::kw_only(), py::arg("aux") = py::none(),
           py::arg("first_frame_id") = py::none(), py::arg("out") = py::none(), py::arg("transposed") = false,
           "Shows the codes (frames, size) and returns what was detected. Nothing is copied: another dtype or memory "
           "order is "
           "a TypeError. Equal frame ids give equal read noise; by default ids go on from the last call.")
      .def(
          "program",
          [](SharedSession& s, const py::array& codes) {
            const auto& format = s.session->info().program;
            if (!format) throw Unsupported("program", s.session->address(), {}, "This device is not programmable.");
            check_codes(codes, *format, "codes");
            const ConstFrames frames = as_input(codes, *format, 1, {});
            without_interpreter(s, [&](Session& session) { session.program(frames); });
          },
          py::arg("codes"), "Writes what the hardware holds: one frame in the format of info.program.")
      .def("get_settings", [](SharedSession& s) { return from_settings(s.session->settings().all()); })
      .def(
          "set_settings",
          [](SharedSession& s, const py::dict& changes) {
            const Settings wanted = to_settings(changes);
            without_interpreter(s, [&](Session& session) { session.configure(wanted); });
          },
          py::arg("changes"))
      .def(
          "reset", [](SharedSession& s) { without_interpreter(s, [](Session& session) { session.reset(); }); },
          "Back to the state after opening; settings and programmed codes stay.")
      .def(
          "snapshot",
          [](SharedSession& s) {
            return to_bytes(without_interpreter(s, [](Session& session) { return session.snapshot(); }));
          },
          "Frame ids, meter and state of the device: equal snapshots give equal futures.")
      .def(
          "restore",
          [](SharedSession& s, const py::bytes& state) {
            const auto bytes = from_bytes(state);
            without_interpreter(s, [&](Session& session) { session.restore(bytes); });
          },
          py::arg("state"))
      .def(
          "self_test",
          [](SharedSession& s) {
            const SelfTest test = without_interpreter(s, [](Session& session) { return session.self_test(); });
            return py::make_tuple(test.passed, test.detail);
          },
          "(passed, one line a person can act on).")
      .def(
          "monitors",
          [](SharedSession& s) {
            const auto all = without_interpreter(s, [](Session& session) { return session.monitors(); });
            py::dict values;
            for (const Monitor& monitor : all)
              values[py::str(monitor.name)] = py::make_tuple(monitor.value, monitor.unit);
            return values;
          },
          "Physical quantities the device watches: name -> (value, unit).")
      .def(
          "close", [](SharedSession& s) { without_interpreter(s, [](Session& session) { session.close(); }); },
          "Ends the use of the device; calling it twice is harmless.");
  register_tickets(m, bound);
  register_sweeps(m, bound);
}

}  // namespace lightloop::python
