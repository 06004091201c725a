// Sweeps: the engine is C++, what is measured is Python.
#include "training/sweep/sweep.hpp"

#include <pybind11/functional.h>
#include <pybind11/stl.h>

#include <limits>

#include "core/error.hpp"
#include "python/bindings/bindings.hpp"
#include "python/bindings/session.hpp"

namespace lightloop::python {
namespace {
using namespace sweeps;

/// A device that a sweep opened for a point; Session(opened) is its face in Python.
struct Opened {
  OpenSession session;
};

py::dict to_dict(const std::vector<std::pair<std::string, Value>>& at) {
  py::dict dict;
  for (const auto& [name, value] : at) dict[py::str(name)] = from_value(value);
  return dict;
}

std::vector<Value> to_values(const std::string& key, const py::handle& list) {
  std::vector<Value> values;
  for (const py::handle item : list) values.push_back(to_value(key, item));
  return values;
}

Number number_of(const py::dtype& type) {
  if (type.kind() == 'b') return Number::boolean;
  if (type.kind() == 'f') return type.itemsize() <= 4 ? Number::f32 : Number::f64;
  if (type.kind() == 'u' && type.itemsize() <= 2) return type.itemsize() == 1 ? Number::u8 : Number::u16;
  return Number::i64;
}

const char* name_of(Number type) {
  constexpr const char* kNames[] = {"bool", "uint8", "uint16", "int64", "float32", "float64"};
  return kNames[static_cast<std::size_t>(type)];
}

/// (name, unit, long name, dims, coordinates, array): one variable at one point.
Variable to_variable(const py::tuple& said) {
  Variable v;
  v.name = said[0].cast<std::string>();
  v.unit = said[1].cast<std::string>();
  v.long_name = said[2].cast<std::string>();
  v.dims = said[3].cast<std::vector<std::string>>();
  for (const auto& [dim, values] : said[4].cast<py::dict>()) {
    const auto name = dim.cast<std::string>();
    v.coordinates[name] = to_values(name, values);
  }
  auto array = said[5].cast<py::array>();
  v.type = number_of(array.dtype());
  const bool wide = array.dtype().kind() == 'u' && array.dtype().itemsize() == 8;  // negative once it wraps
  array = py::array::ensure(array.attr("astype")(name_of(v.type)), py::array::c_style);
  if (wide && !array.attr("min")(py::arg("initial") = 0).attr("__ge__")(0).cast<bool>())
    throw InvalidParameter(v.name, "beyond 2^63 - 1", "integers of 64 bits with sign", "Give it as float64.");
  v.shape.assign(array.shape(), array.shape() + array.ndim());
  const auto* bytes = static_cast<const std::byte*>(array.data());
  v.bytes.assign(bytes, bytes + array.nbytes());
  return v;
}

/// measure_at(opened, key, point) -> list of what to_variable() takes.
auto bridge(const py::function& measure_at) {
  return [call = measure_at.ptr()](const OpenSession& session, const Point& point) {
    const py::gil_scoped_acquire lock;
    Record record;
    const py::object said = py::reinterpret_borrow<py::function>(call)(Opened{session}, point.key, to_dict(point.at));
    for (const py::handle one : said) record.values.push_back(to_variable(one.cast<py::tuple>()));
    return record;
  };
}

std::string failure_of(std::exception_ptr error) {
  try {
    std::rethrow_exception(error);
  } catch (const py::error_already_set& raised) {
    const py::gil_scoped_acquire lock;
    const py::module_ own = py::module_::import("lightloop.errors");
    const py::object physical = py::make_tuple(own.attr("OutOfRange"), own.attr("DeviceError"),
                                               py::reinterpret_borrow<py::object>(PyExc_ArithmeticError),
                                               py::module_::import("numpy").attr("linalg").attr("LinAlgError"));
    if (PyObject_IsInstance(raised.value().ptr(), physical.ptr()) != 1) return "";
    return py::str("{}: {}").format(raised.type().attr("__name__"), py::str(raised.value()));
  } catch (...) {
    return physical_failure(std::current_exception());
  }
}

std::vector<Axis> to_axes(const py::dict& over) {
  std::vector<Axis> axes;
  for (const auto& [key, values] : over) {
    const auto name = key.cast<std::string>();
    axes.emplace_back(name, to_values(name, values));
  }
  return axes;
}

Bench to_bench(const py::dict& options) {
  Bench bench;
  bench.order = options["order"].cast<std::string>();
  bench.settle_s = options["settle"].cast<double>();
  bench.hysteresis = options["hysteresis"].cast<std::string>();
  bench.reference_every = options["reference_every"].cast<std::int64_t>();
  bench.reference = to_settings(options["reference"]);
  bench.abort = options["abort"].cast<std::map<std::string, std::pair<double, double>>>();
  return bench;
}

Engine to_engine(const py::object& engine) {
  if (engine.is_none()) return Engine::together;
  if (!py::isinstance<py::str>(engine)) return Engine::elsewhere;
  return engine.cast<std::string>() == "alone" ? Engine::alone : Engine::threads;
}

py::bytes from_bytes_of(const Record& record) { return to_bytes(sweeps::to_bytes(record)); }

/// elsewhere(points, done): points are (key, point, settings), done(i, bytes of a record).
auto handed_out(const py::function& elsewhere) {
  return [call = elsewhere.ptr()](const std::vector<const Point*>& points,
                                  const std::function<void(Index, Record)>& done) {
    const py::gil_scoped_acquire lock;
    py::list tasks;
    for (const Point* p : points) tasks.append(py::make_tuple(p->key, to_dict(p->at), from_settings(p->settings)));
    const py::cpp_function answer([&](Index i, const py::bytes& bytes) {
      Record record = record_from(from_bytes(bytes));
      const py::gil_scoped_release release;
      done(i, std::move(record));
    });
    py::reinterpret_borrow<py::function>(call)(tasks, answer);
  };
}

py::bytes run_sweep(const std::string& device, const py::dict& over,
                    const std::vector<std::pair<std::string, std::string>>& measures, const py::function& measure_at,
                    const py::dict& options) {
  Sweep sweep;
  sweep.device = device;
  sweep.axes = to_axes(over);
  for (const auto& [name, identity] : measures) sweep.measures.push_back({name, identity});
  sweep.measure_at = bridge(measure_at);
  sweep.repeats = options["repeats"].cast<Index>();
  sweep.seed = options["seed"].cast<std::uint64_t>();
  sweep.out = options["out"].cast<std::string>();
  sweep.overwrite = options["overwrite"].cast<bool>();
  sweep.nan_where_it_fails = options["errors"].cast<std::string>() == "nan";
  sweep.bench = to_bench(options);
  sweep.attached = options["attached"].cast<std::optional<bool>>();
  sweep.creator = options["creator"].cast<std::string>();
  sweep.engine = to_engine(options["engine"]);
  if (sweep.engine == Engine::elsewhere) sweep.elsewhere = handed_out(options["engine"]);
  sweep.failure_of = failure_of;
  sweep.clock = [clock = py::function(options["clock"]).ptr()] {
    const py::gil_scoped_acquire lock;
    return py::reinterpret_borrow<py::function>(clock)().cast<double>();
  };
  sweep.poll = [] {
    const py::gil_scoped_acquire lock;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  };
  if (!options["progress"].is_none())
    sweep.progress = [show = py::function(options["progress"]).ptr()](Index done, Index total,
                                                                      const std::string& where) {
      const py::gil_scoped_acquire lock;
      py::reinterpret_borrow<py::function>(show)(done, total, where);
    };
  std::string image;
  {
    const py::gil_scoped_release release;
    image = run(registry(), sweep);
  }
  return py::bytes(image);
}

py::bytes sweep_point(const std::string& device, const std::string& key, const py::dict& at, const py::dict& settings,
                      const py::function& measure_at, bool nan) {
  Sweep sweep;
  sweep.device = device;
  sweep.measure_at = bridge(measure_at);
  sweep.nan_where_it_fails = nan;
  sweep.failure_of = failure_of;
  Point point;
  point.key = key;
  point.settings = to_settings(settings);
  for (const auto& [name, value] : at) point.at.emplace_back(name.cast<std::string>(), to_value("point", value));
  Record record;
  {
    const py::gil_scoped_release release;
    record = measure_alone(registry(), sweep, point);
  }
  return from_bytes_of(record);
}
}  // namespace

void register_sweeps(py::module_& m, py::class_<SharedSession>& session) {
  py::class_<Opened>(m, "Opened", "A device that a sweep opened for a point.");
  session.def(py::init([](const Opened& opened) {
                auto shared = std::make_unique<SharedSession>();
                shared->session = opened.session;
                return shared;
              }),
              py::arg("opened"));
  m.def("sweep", &run_sweep, py::arg("device"), py::arg("over"), py::arg("measures"), py::arg("measure_at"),
        py::arg("options"), "Measures at every point of a grid; the netCDF-4 file as bytes. Use lightloop.sweep.");
  m.def("sweep_point", &sweep_point, py::arg("device"), py::arg("key"), py::arg("at"), py::arg("settings"),
        py::arg("measure_at"), py::arg("nan"), "One point of a sweep, anywhere: its record as bytes.");
}

}  // namespace lightloop::python
