#include "training/sweep/record.hpp"

#include <algorithm>
#include <cstring>

#include "core/error.hpp"

namespace lightloop::sweeps {
namespace {
/// Calls body(T{}) with the C++ type of a kind of numbers.
template <class Body>
auto as_type(Number type, Body&& body) {
  switch (type) {
    case Number::boolean:
    case Number::u8:
      return body(std::uint8_t{});
    case Number::u16:
      return body(std::uint16_t{});
    case Number::i64:
      return body(std::int64_t{});
    case Number::f32:
      return body(float{});
    case Number::f64:
      break;
  }
  return body(double{});
}

template <class T>
T load(const std::vector<std::byte>& bytes, Index i) {
  T value;
  std::memcpy(&value, bytes.data() + static_cast<std::size_t>(i) * sizeof(T), sizeof(T));
  return value;
}

std::string shape_text(const std::vector<Index>& shape) {
  std::string text;
  for (const Index n : shape) text += (text.empty() ? "" : ", ") + std::to_string(n);
  return "(" + text + (shape.size() == 1 ? ",)" : ")");
}

void put(ByteWriter& out, const std::string& text) {
  out.put<std::uint64_t>(text.size());
  out.put_all(std::span<const char>(text));
}

std::string get_text(ByteReader& in) {
  const auto bytes = in.take(in.get<std::uint64_t>());
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void put(ByteWriter& out, const Value& value) {
  out.put<std::uint8_t>(static_cast<std::uint8_t>(value.index()));
  if (const auto* text = std::get_if<std::string>(&value))
    put(out, *text);
  else if (const auto* real = std::get_if<double>(&value))
    out.put(*real);
  else if (const auto* integer = std::get_if<std::int64_t>(&value))
    out.put(*integer);
  else
    out.put<std::uint8_t>(std::get<bool>(value));
}

Value get_value(ByteReader& in) {
  switch (in.get<std::uint8_t>()) {
    case 0:
      return in.get<std::uint8_t>() != 0;
    case 1:
      return in.get<std::int64_t>();
    case 2:
      return in.get<double>();
    default:
      return get_text(in);
  }
}
}  // namespace

std::size_t size_of(Number type) {
  return as_type(type, [](auto zero) { return sizeof zero; });
}

bool is_real(Number type) { return type == Number::f32 || type == Number::f64; }

Number wider(Number a, Number b) {
  if (a > b) std::swap(a, b);
  return b == Number::f32 && a == Number::i64 ? Number::f64 : b;
}

Index Variable::size() const {
  Index n = 1;
  for (const Index length : shape) n *= length;
  return n;
}

double Variable::at(Index i) const {
  return as_type(type, [&](auto zero) { return static_cast<double>(load<decltype(zero)>(bytes, i)); });
}

std::vector<std::byte> converted(const Variable& variable, Number type) {
  if (variable.type == type) return variable.bytes;
  std::vector<std::byte> result(static_cast<std::size_t>(variable.size()) * size_of(type));
  as_type(variable.type, [&](auto from) {
    as_type(type, [&](auto to) {
      for (Index i = 0; i < variable.size(); ++i) {
        const auto value = static_cast<decltype(to)>(load<decltype(from)>(variable.bytes, i));
        std::memcpy(result.data() + static_cast<std::size_t>(i) * sizeof value, &value, sizeof value);
      }
    });
  });
  return result;
}

const Variable* Record::find(const std::string& name) const {
  const auto found = std::find_if(values.begin(), values.end(), [&](const Variable& v) { return v.name == name; });
  return found == values.end() ? nullptr : &*found;
}

void Record::add(const std::string& name, const Metric& metric) {
  Variable variable;
  variable.name = name;
  variable.long_name = metric.convention;
  variable.bytes.resize(sizeof metric.value);
  std::memcpy(variable.bytes.data(), &metric.value, sizeof metric.value);
  values.push_back(std::move(variable));
}

std::vector<std::byte> to_bytes(const Record& record) {
  ByteWriter out;
  put(out, record.failure);
  out.put(record.time_s);
  out.put<std::uint64_t>(record.values.size());
  for (const Variable& v : record.values) {
    for (const auto* text : {&v.name, &v.unit, &v.long_name}) put(out, *text);
    out.put(v.type);
    out.put<std::uint64_t>(v.shape.size());
    out.put_all(std::span<const Index>(v.shape));
    for (const auto& dim : v.dims) put(out, dim);
    out.put<std::uint64_t>(v.coordinates.size());
    for (const auto& [dim, values] : v.coordinates) {
      put(out, dim);
      out.put<std::uint64_t>(values.size());
      for (const Value& value : values) put(out, value);
    }
    out.put_all(std::span<const std::byte>(v.bytes));
  }
  return out.take();
}

namespace {
/// Of the numbers of `v`; its shape was read and may be anything.
std::size_t bytes_in(const Variable& v, const ByteReader& in) {
  const bool empty = std::find(v.shape.begin(), v.shape.end(), 0) != v.shape.end();
  const auto most = empty ? static_cast<std::size_t>(std::numeric_limits<Index>::max()) : in.left();
  std::size_t bytes = size_of(v.type);
  for (const Index length : v.shape) {
    if (length < 0) in.refuse("a negative length");
    if (length > 0 && bytes > most / static_cast<std::size_t>(length)) in.refuse("too short for its shape");
    if (length > 0) bytes *= static_cast<std::size_t>(length);
  }
  return empty ? 0 : bytes;
}
}  // namespace

Record record_from(std::span<const std::byte> bytes) {
  ByteReader in(bytes, "a point of a sweep");
  Record record;
  record.failure = get_text(in);
  record.time_s = in.get<double>();
  for (auto left = in.get<std::uint64_t>(); left > 0; --left) {
    Variable v;
    for (auto* text : {&v.name, &v.unit, &v.long_name}) *text = get_text(in);
    v.type = in.get<Number>();
    if (v.type > Number::f64) in.refuse("an unknown kind of numbers");
    const auto axes = in.get<std::uint64_t>();
    if (axes > in.left() / sizeof(Index)) in.refuse("too short");
    v.shape.resize(axes);
    in.get_all(std::span<Index>(v.shape));
    for (std::uint64_t i = 0; i < axes; ++i) v.dims.push_back(get_text(in));
    for (auto dims = in.get<std::uint64_t>(); dims > 0; --dims) {
      auto& values = v.coordinates[get_text(in)];
      for (auto count = in.get<std::uint64_t>(); count > 0; --count) values.push_back(get_value(in));
    }
    const auto data = in.take(bytes_in(v, in));
    v.bytes.assign(data.begin(), data.end());
    record.values.push_back(std::move(v));
  }
  in.done();
  return record;
}

void Alike::check(const Record& record, const std::string& where) {
  if (!record.failure.empty()) return;
  std::map<std::string, std::vector<Index>> shapes;
  for (const Variable& v : record.values) shapes[v.name] = v.shape;
  if (shapes_.empty()) shapes_ = shapes;
  if (shapes == shapes_) return;
  auto all = shapes_;
  all.insert(shapes.begin(), shapes.end());
  for (const auto& entry : all) {
    const auto found = shapes.find(entry.first), usual = shapes_.find(entry.first);
    if (found != shapes.end() && usual != shapes_.end() && found->second == usual->second) continue;
    const auto text = [](const auto& it, const auto& end) { return it == end ? "absent" : shape_text(it->second); };
    throw ShapeMismatch("measure " + entry.first, text(found, shapes.end()), text(usual, shapes_.end()) + " elsewhere",
                        "A measure answers alike at every point; this was at " + where + ".");
  }
}

}  // namespace lightloop::sweeps
