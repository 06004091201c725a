#include "training/sweep/dataset.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <ctime>

#include "core/error.hpp"
#include "core/hdf5.hpp"
#include "training/sweep/drift.hpp"
#include "training/sweep/text.hpp"

namespace lightloop::sweeps {
namespace {
template <class T>
void write_as(h5::Writer& file, const Variable& v) {
  file.write("/" + v.name, std::span(reinterpret_cast<const T*>(v.bytes.data()), v.bytes.size() / sizeof(T)), v.shape,
             v.unit);
}

/// Dimensions and variables of one file.
class Sheet {
 public:
  explicit Sheet(const std::string& path) : file_(path) {}
  h5::Writer& file() { return file_; }

  void coordinate(const std::string& name, const std::vector<Value>& values, const std::string& unit) {
    const auto kind = [&](auto example) {
      return std::all_of(values.begin(), values.end(),
                         [](const Value& v) { return std::holds_alternative<decltype(example)>(v); });
    };
    const std::vector<Index> shape = {claim(name, static_cast<Index>(values.size()), true)};
    if (kind(std::int64_t{})) {
      std::vector<std::int64_t> numbers;
      for (const Value& v : values) numbers.push_back(std::get<std::int64_t>(v));
      file_.write("/" + name, std::span<const std::int64_t>(numbers), shape, unit);
    } else if (kind(true)) {
      std::vector<std::uint8_t> flags;
      for (const Value& v : values) flags.push_back(std::get<bool>(v));
      file_.write("/" + name, std::span<const std::uint8_t>(flags), shape, unit);
      file_.attribute("/" + name, "dtype", std::string("bool"));
    } else if (std::none_of(values.begin(), values.end(), [](const Value& v) {
                 return std::holds_alternative<std::string>(v) || std::holds_alternative<bool>(v);
               })) {
      std::vector<double> numbers;
      for (const Value& v : values) {
        const auto* integer = std::get_if<std::int64_t>(&v);
        numbers.push_back(integer ? static_cast<double>(*integer) : std::get<double>(v));
      }
      file_.write("/" + name, std::span<const double>(numbers), shape, unit);
    } else {
      std::vector<std::string> texts;
      for (const Value& v : values) texts.push_back(shown(v));
      file_.write_texts("/" + name, texts);
      if (!unit.empty()) file_.attribute("/" + name, "units", unit);
    }
  }

  /// `dims` one per axis; those not known yet are made.
  void variable(const Variable& v) {
    if (sizes_.contains(v.name))
      throw InvalidParameter("measure " + v.name, "also the name of a dimension", "", "Give one another name.");
    for (std::size_t i = 0; i < v.dims.size(); ++i) {
      const auto own = v.coordinates.find(v.dims[i]);
      if (sizes_.contains(v.dims[i]) || own == v.coordinates.end())
        claim(v.dims[i], v.shape[i], false);
      else
        coordinate(v.dims[i], own->second, "");
    }
    switch (v.type) {
      case Number::boolean:
      case Number::u8:
        write_as<std::uint8_t>(file_, v);
        if (v.type == Number::boolean) file_.attribute("/" + v.name, "dtype", std::string("bool"));
        break;
      case Number::u16:
        write_as<std::uint16_t>(file_, v);
        break;
      case Number::i64:
        write_as<std::int64_t>(file_, v);
        break;
      case Number::f32:
        write_as<float>(file_, v);
        break;
      case Number::f64:
        write_as<double>(file_, v);
    }
    for (std::size_t i = 0; i < v.dims.size(); ++i)
      file_.dimension("/" + v.name, static_cast<Index>(i), "/" + v.dims[i]);
    if (!v.long_name.empty()) file_.attribute("/" + v.name, "long_name", v.long_name);
  }

 private:
  Index claim(const std::string& name, Index size, bool has_values) {
    const auto [known, fresh] = sizes_.emplace(name, size);
    if (known->second != size)
      throw ShapeMismatch("dimension " + name, std::to_string(size), std::to_string(known->second) + " elsewhere",
                          "Give the dimensions of a measure names of their own.");
    if (fresh && !has_values) file_.bare_dimension("/" + name, size);
    return size;
  }
  h5::Writer file_;
  std::map<std::string, Index> sizes_;
};

std::string date() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[40];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S+00:00", &utc);
  return text;
}

void write_attributes(h5::Writer& file, const Answers& answers) {
  const Sweep& sweep = answers.sweep;
  const auto put = [&](const std::string& name, const Value& value) { file.attribute("/", name, value); };
  std::string names;
  for (const auto& m : sweep.measures) names += (names.empty() ? "" : ",") + m.name;
  put("kind", std::string("sweep"));
  put("format_version", kFormatVersion);
  put("creator", "lightloop " LIGHTLOOP_VERSION + (sweep.creator.empty() ? "" : ", " + sweep.creator));
  put("created", date());
  put("device", sweep.device);
  put("seed", static_cast<std::int64_t>(sweep.seed));
  put("measures", names);
  put("sweep", answers.spec);
  put("device_model", answers.info.model);
  put("device_serial", answers.info.serial);
  put("device_version", answers.info.version);
  put("calibration_id", answers.info.calibration_id);
  put("settings", json(answers.settings));
  Settings failures;
  for (std::size_t i = 0; i < answers.points.size(); ++i)
    if (!answers.records[i]->failure.empty()) failures[answers.points[i].where()] = answers.records[i]->failure;
  if (!failures.empty()) put("failures", json(failures));
}

/// The dimensions all variables have in common.
struct Grid {
  std::vector<std::string> dims;
  std::vector<Index> shape;
  Index cells = 1;

  explicit Grid(const Sweep& sweep) {
    for (const Axis& axis : sweep.axes) add(axis.name, static_cast<Index>(axis.values.size()));
    add("repeat", sweep.repeats);
    const auto directions = sweep.bench.directions();
    if (!directions.empty()) add("direction", static_cast<Index>(directions.size()));
  }
  void add(const std::string& name, Index size) {
    dims.push_back(name);
    shape.push_back(size);
    cells *= size;
  }
  std::size_t cell(const Point& point) const {
    Index cell = 0;
    for (std::size_t d = 0; d < shape.size(); ++d) cell = cell * shape[d] + point.place[d];
    return static_cast<std::size_t>(cell);
  }
};

std::vector<std::byte> bytes_of(std::span<const double> numbers) {
  const auto bytes = std::as_bytes(numbers);
  return {bytes.begin(), bytes.end()};
}

/// A variable over the whole grid: `fill(i)` gives the bytes of point i.
template <class Fill>
Variable spread(const Answers& answers, const Variable& example, Number type, Fill fill) {
  const Grid grid(answers.sweep);
  Variable all = example;
  const std::size_t item = static_cast<std::size_t>(example.size()) * size_of(type);
  all.type = type;
  all.bytes.resize(static_cast<std::size_t>(grid.cells) * item);
  for (std::size_t i = 0; i < answers.points.size(); ++i) {
    const std::vector<std::byte> bytes = fill(i);
    std::copy(bytes.begin(), bytes.end(), all.bytes.data() + grid.cell(answers.points[i]) * item);
  }
  all.shape = grid.shape;
  all.dims = grid.dims;
  all.shape.insert(all.shape.end(), example.shape.begin(), example.shape.end());
  all.dims.insert(all.dims.end(), example.dims.begin(), example.dims.end());
  return all;
}

/// The values at all points; NaN where one failed.
Variable gathered(const Answers& answers, const Variable& example) {
  Number type = example.type;
  bool failed = false;
  for (const Record* record : answers.records) {
    failed = failed || !record->failure.empty();
    if (record->failure.empty()) type = wider(type, record->find(example.name)->type);
  }
  if (failed && !is_real(type)) type = Number::f64;
  Variable none = example;
  none.type = Number::f64;
  none.bytes =
      bytes_of(std::vector(static_cast<std::size_t>(example.size()), std::numeric_limits<double>::quiet_NaN()));
  return spread(answers, example, type, [&](std::size_t i) {
    const Record& record = *answers.records[i];
    return converted(record.failure.empty() ? *record.find(example.name) : none, type);
  });
}

Variable elapsed(const Answers& answers, const Drift& drift) {
  Variable time;
  time.name = "elapsed";
  time.unit = "s";
  return spread(answers, time, Number::f64,
                [&](std::size_t i) { return bytes_of(std::vector{drift.elapsed(*answers.records[i])}); });
}

/// NAME_corrected: the raw values less the drift.
Variable corrected(const Answers& answers, const Drift& drift, const Variable& example) {
  Variable all = spread(answers, example, Number::f64, [&](std::size_t i) {
    const Record& record = *answers.records[i];
    std::vector<double> values;
    for (Index k = 0; k < example.size(); ++k)
      values.push_back(record.find(example.name)->at(k) - drift.at(record, example.name, k));
    return bytes_of(values);
  });
  all.name += "_corrected";
  return all;
}
}  // namespace

std::string write_dataset(const Answers& answers, const std::string& path) {
  const auto good =
      std::find_if(answers.records.begin(), answers.records.end(), [](const Record* r) { return r->failure.empty(); });
  if (good == answers.records.end())
    throw InvalidParameter("measure", "failed at all " + std::to_string(answers.points.size()) + " points", "",
                           answers.records[0]->failure);
  Sheet sheet(path);
  const Sweep& sweep = answers.sweep;
  for (const Axis& axis : sweep.axes)
    sheet.coordinate(axis.name, axis.values,
                     !axis.unit.empty()         ? axis.unit
                     : !axis.unit_shown.empty() ? axis.unit_shown
                                                : "1");
  std::vector<Value> repeats, directions;
  for (std::int64_t r = 0; r < sweep.repeats; ++r) repeats.emplace_back(r);
  sheet.coordinate("repeat", repeats, "");
  for (const auto& d : sweep.bench.directions()) directions.emplace_back(d);
  if (!directions.empty()) sheet.coordinate("direction", directions, "");
  const Drift drift(answers.records, answers.visits);
  if (answers.attached) {
    sheet.variable(elapsed(answers, drift));
    if (!answers.visits.empty()) sheet.coordinate("visit", drift.visit_times(), "s");
  }
  for (const Variable& example : (*good)->values) {
    sheet.variable(gathered(answers, example));
    if (answers.attached && !answers.visits.empty() && is_real(example.type)) {
      sheet.variable(drift.reference(example));
      sheet.variable(corrected(answers, drift, example));
    }
  }
  write_attributes(sheet.file(), answers);
  if (!path.empty()) sheet.file().commit();
  return sheet.file().image();
}

}  // namespace lightloop::sweeps
