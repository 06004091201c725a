#include "training/sweep/summary.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "core/hdf5.hpp"
#include "training/sweep/text.hpp"

namespace lightloop::sweeps {
namespace {
struct Column {
  std::string name, unit;
  std::vector<std::string> dims;
  std::vector<Index> shape;
  double mean = 0, least = 0, most = 0;
};

Column column_of(const h5::Reader& file, const std::string& name) {
  const auto data = file.read("/" + name);
  Column column{name, file.unit("/" + name), file.dimensions("/" + name), data.shape};
  double sum = 0;  // points that failed are left out
  std::int64_t count = 0;
  column.least = column.most = std::numeric_limits<double>::quiet_NaN();
  for (const double value : data.values) {
    if (std::isnan(value)) continue;
    sum += value;
    ++count;
    column.least = std::fmin(column.least, value);
    column.most = std::fmax(column.most, value);
  }
  column.mean = sum / static_cast<double>(count);
  return column;
}

struct Contents {
  std::vector<Column> measures;
  std::vector<std::string> axes;  ///< dimensions with values, in the order in which the measures have them
};

Contents contents(const h5::Reader& file) {
  Contents all;
  for (const auto& name : file.children("/"))
    if (!file.is_dimension("/" + name)) all.measures.push_back(column_of(file, name));
  const std::string asked = std::get<std::string>(file.attribute("/", "measures"));  // "a,b": in the order asked for
  const auto place = [&](const Column& column) {
    return ("," + asked + ",").find("," + column.name.substr(0, column.name.find('.')) + ",");
  };
  std::stable_sort(all.measures.begin(), all.measures.end(),
                   [&](const Column& a, const Column& b) { return place(a) < place(b); });
  for (const Column& column : all.measures)
    for (const auto& dim : column.dims) {
      const bool bare = !file.has_attribute("/" + dim, "units") && dim != "repeat" && dim != "direction";
      if (!bare && std::find(all.axes.begin(), all.axes.end(), dim) == all.axes.end()) all.axes.push_back(dim);
    }
  return all;
}

std::vector<Value> values_of(const h5::Reader& file, const std::string& axis) {
  std::vector<Value> values;
  if (file.holds_text("/" + axis)) {
    for (const auto& text : file.read_texts("/" + axis)) values.emplace_back(text);
    return values;
  }
  for (const double value : file.read("/" + axis).values) {
    if (axis == "repeat")
      values.emplace_back(static_cast<std::int64_t>(value));
    else
      values.emplace_back(value);
  }
  return values;
}

std::string unit_of(const h5::Reader& file, const std::string& object) {
  const std::string unit = file.unit("/" + object);
  return unit.empty() ? "1" : unit;
}

std::string short_number(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}
}  // namespace

std::string summary_text(const std::string& path, double seconds) {
  const h5::Reader file(path);
  const Contents all = contents(file);
  std::string text = path + ":";
  for (const auto& axis : all.axes) {
    const std::string name = axis.starts_with("device.") ? axis.substr(7) : axis;
    text += (text.ends_with(':') ? " " : " × ") + std::to_string(file.shape("/" + axis)[0]) + " " + name;
  }
  char time[40];
  std::snprintf(time, sizeof time, ", %.1f s\n", seconds);
  text += time;
  for (const Column& m : all.measures)
    text += "  " + m.name + ": mean " + short_number(m.mean) + (m.unit == "1" ? "" : " " + m.unit) + ", " +
            short_number(m.least) + " to " + short_number(m.most) + "\n";
  return text;
}

std::string summary_json(const std::string& path, double seconds, Index resumed) {
  const h5::Reader file(path);
  const Contents all = contents(file);
  const auto number = [](double value) { return std::isfinite(value) ? json(Value(value)) : std::string("null"); };
  std::string axes, measures;
  for (const auto& axis : all.axes)
    axes += (axes.empty() ? "" : ", ") + json(axis) + ": {\"units\": " + json(unit_of(file, axis)) +
            ", \"values\": " + json(values_of(file, axis)) + "}";
  for (const Column& m : all.measures) {
    std::vector<std::string> dims, shape;
    for (const auto& dim : m.dims) dims.push_back(json(dim));
    for (const Index n : m.shape) shape.push_back(std::to_string(n));
    measures += (measures.empty() ? "" : ", ") + json(m.name) + ": {\"dims\": " + json_array(dims) +
                ", \"shape\": " + json_array(shape) + ", \"units\": " + json(m.unit) + ", \"mean\": " + number(m.mean) +
                ", \"min\": " + number(m.least) + ", \"max\": " + number(m.most) + "}";
  }
  return "{\"out\": " + json(path) + ", \"seconds\": " + json(Value(std::round(seconds * 1000) / 1000)) +
         ", \"resumed\": " + std::to_string(resumed) + ", \"axes\": {" + axes + "}, \"measures\": {" + measures + "}}";
}

}  // namespace lightloop::sweeps
