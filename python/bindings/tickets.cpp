// Sessions that do not wait: tickets, and what a session tells about itself.
#include <pybind11/stl.h>

#include "driver/recorder/recording.hpp"
#include "python/bindings/bindings.hpp"
#include "python/bindings/codes.hpp"
#include "python/bindings/session.hpp"

namespace lightloop::python {
namespace {

struct BoundTicket {
  Ticket ticket;
  const Session* session = nullptr;
  std::vector<Index> shape;  ///< of the answer
};

BoundTicket submit(SharedSession& shared, const py::array& codes, const py::object& aux, std::optional<double> timeout,
                   bool transposed) {
  const DeviceInfo& info = shared.session->info();
  const FrameFormat& input = transposed ? info.output : info.input;
  const Codes in = check_codes(codes, input, "codes");
  BoundTicket bound{{}, shared.session.get(), (transposed ? info.input : info.output).shape};
  if (!in.single) bound.shape.insert(bound.shape.begin(), in.count);
  const ConstFrames frames = as_input(codes, input, in.count, as_aux(aux, info, in.count));
  RunOptions options;
  options.pass = transposed ? Pass::transposed : Pass::forward;
  if (timeout)
    options.deadline =
        std::chrono::steady_clock::now() +
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>(*timeout));
  py::gil_scoped_release release;
  bound.ticket = shared.session->submit(frames, options);
  return bound;
}

RunReport wait(const BoundTicket& bound, std::optional<double> timeout) {
  py::gil_scoped_release release;
  return timeout ? bound.ticket.wait(std::chrono::duration<double>(*timeout)) : bound.ticket.wait();
}

py::array codes_of(const py::object& self, std::optional<double> timeout) {
  const auto& bound = self.cast<const BoundTicket&>();
  wait(bound, timeout);
  const ConstFrames frames = bound.ticket.frames();
  std::vector<py::ssize_t> shape(bound.shape.begin(), bound.shape.end());
  return frames.bytes == 2 ? read_only(static_cast<const std::uint16_t*>(frames.data), shape, self)
                           : read_only(static_cast<const std::uint8_t*>(frames.data), shape, self);
}

void register_records(py::module_& m) {
  py::class_<Provenance>(m, "Provenance", "Where a result is from.")
      .def_readonly("device", &Provenance::device)
      .def_readonly("model", &Provenance::model)
      .def_readonly("serial", &Provenance::serial)
      .def_readonly("version", &Provenance::version)
      .def_readonly("calibration_id", &Provenance::calibration_id)
      .def_readonly("generation", &Provenance::generation)
      .def_readonly("first_frame_id", &Provenance::first_frame_id)
      .def_readonly("last_frame_id", &Provenance::last_frame_id)
      .def_readonly("first_exposure", &Provenance::first_exposure)
      .def_readonly("last_exposure", &Provenance::last_exposure)
      .def_readonly("saturation", &Provenance::saturation)
      .def_readonly("retries", &Provenance::retries)
      .def("__repr__", [](const Provenance& p) {
        return "Provenance(" + p.device + ", frames " + std::to_string(p.first_frame_id) + ".." +
               std::to_string(p.last_frame_id) + ", retries " + std::to_string(p.retries) + ")";
      });
  py::class_<SessionEvent>(m, "SessionEvent", "One thing that happened to a session.")
      .def_readonly("number", &SessionEvent::number)
      .def_readonly("unix_time", &SessionEvent::unix_time)
      .def_readonly("frame_id", &SessionEvent::frame_id)
      .def_readonly("text", &SessionEvent::text)
      .def("__repr__", [](const SessionEvent& e) { return "frame " + std::to_string(e.frame_id) + ": " + e.text; });
  py::class_<Recording, std::shared_ptr<Recording>>(m, "Recording", "A growing file of all that passes a session.")
      .def_property_readonly("frames", &Recording::frames)
      .def("close", &Recording::close, py::call_guard<py::gil_scoped_release>(), "Ends the recording.");
}

}  // namespace

void register_tickets(py::module_& m, py::class_<SharedSession>& session) {
  register_records(m);
  py::class_<BoundTicket>(m, "Ticket", "Frames that were submitted and will be answered.")
      .def("ready", [](const BoundTicket& b) { return b.ticket.ready(); })
      .def("result", &codes_of, py::arg("timeout") = py::none(),
           "The codes, read-only; waits for them. WaitTimeout when `timeout` seconds were not enough: wait again, or "
           "cancel().")
      .def(
          "cancel", [](BoundTicket& b) { return b.ticket.cancel(); },
          "True when it will not be shown at all; False when it is under way or done.")
      .def_property_readonly(
          "provenance", [](const BoundTicket& b) { return b.session->provenance(wait(b, std::nullopt)); },
          "Where the result is from; waits for it.")
      .def_property_readonly("first_frame_id", [](const BoundTicket& b) { return b.ticket.first_frame_id(); });
  session
      .def("submit_codes", &submit, py::arg("codes"), py::kw_only(), py::arg("aux") = py::none(),
           py::arg("timeout") = py::none(), py::arg("transposed") = false, py::keep_alive<0, 1>())
      .def_property_readonly(
          "state", [](const SharedSession& s) { return to_string(s.session->state()); },
          "closed, opening, ready, running, degraded, lost or fault.")
      .def_property_readonly(
          "events", [](const SharedSession& s) { return s.session->events(); },
          "Losses, repeats, reopenings and the like; the last thousand.")
      .def_property_readonly(
          "policy", [](const SharedSession& s) { return from_settings(s.session->policy().all()); },
          "The session's own settings, given at opening as session={...}.")
      .def(
          "reopen", [](SharedSession& s) { without_interpreter(s, [](Session& one) { one.reopen(); }); },
          "Closes the device and opens it anew; settings, programme and memory are put back.")
      .def(
          "record",
          [](SharedSession& s, const std::string& path) {
            return without_interpreter(s, [&](Session& one) { return record(one, path); });
          },
          py::arg("path"), py::keep_alive<0, 1>(), "Writes down all that passes from now on, for replay:PATH.");
  m.def(
      "session_params", [] { return session_params(); }, "The record of every setting of a session.");
}

}  // namespace lightloop::python
