#include <hdf5_hl.h>

#include <algorithm>
#include <cstring>

#include "core/error.hpp"
#include "core/hdf5.hpp"
#include "core/hdf5_handle.hpp"

namespace lightloop::h5 {
namespace {
/// Text held by a scalar or one-dimensional attribute or dataset; `read` fetches it in the type given.
template <class Read>
std::vector<std::string> texts_of(hid_t type, hid_t space, const std::string& what, Read read) {
  const auto count = static_cast<std::size_t>(std::max<hssize_t>(H5Sget_simple_extent_npoints(space), 0));
  std::vector<std::string> texts;
  if (count == 0) return texts;
  if (H5Tis_variable_str(type) > 0) {
    const Handle memory(H5Tcopy(type));
    std::vector<char*> pointers(count, nullptr);
    check(read(memory, pointers.data()), what);
    for (const char* text : pointers) texts.emplace_back(text ? text : "");
    H5Dvlen_reclaim(memory, space, H5P_DEFAULT, pointers.data());
    return texts;
  }
  const auto size = H5Tget_size(type);
  std::vector<char> bytes(count * size);
  check(read(type, bytes.data()), what);
  for (std::size_t i = 0; i < count; ++i) texts.emplace_back(&bytes[i * size], strnlen(&bytes[i * size], size));
  return texts;
}

bool is_number(hid_t type) {
  const auto kind = H5Tget_class(type);
  return kind == H5T_INTEGER || kind == H5T_FLOAT || kind == H5T_ENUM;
}

/// An h5py boolean is an enumeration; its numbers are those of its base.
bool is_switch(hid_t type) {
  if (H5Tget_class(type) == H5T_ENUM) return H5Tget_size(type) == 1;
  return H5Tget_class(type) == H5T_INTEGER && H5Tget_size(type) == 1 && H5Tget_sign(type) == H5T_SGN_NONE;
}

herr_t collect(hid_t, const char* name, const H5A_info_t*, void* names) {
  static_cast<std::vector<std::string>*>(names)->emplace_back(name);
  return 0;
}
herr_t collect_link(hid_t, const char* name, const H5L_info_t*, void* names) {
  static_cast<std::vector<std::string>*>(names)->emplace_back(name);
  return 0;
}
}  // namespace

struct Reader::Impl {
  std::string path;
  Handle file;

  explicit Impl(std::string name) : path(std::move(name)) {
    const Handle access(H5Pcreate(H5P_FILE_ACCESS));
    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
    file = Handle(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access));
    if (file.valid()) return;
    const auto reason = last_message();
    if (left_open(path)) {
      H5Pset_metadata_read_attempts(access, 20);  // milliseconds; HDF5's own 100 doubling waits never end
      file = Handle(H5Fopen(path.c_str(), H5F_ACC_RDONLY | H5F_ACC_SWMR_READ, access));
    }
    if (!file.valid())
      throw FileError("cannot read " + path, reason, "", "Give the path of an HDF5 file that is complete.");
  }
  std::string naming(const std::string& object) const { return "cannot read " + object + " in " + path; }

  bool exists(const std::string& object) const {
    if (object == "/") return true;
    for (auto end = object.find('/', 1);; end = object.find('/', end + 1)) {
      if (H5Lexists(file, object.substr(0, end).c_str(), H5P_DEFAULT) <= 0) return false;
      if (end == object.npos) return true;
    }
  }
  Handle open(const std::string& object) const {
    if (!exists(object)) throw FileError(naming(object), "there is no such object", "", suggestion(object));
    return checked(H5Oopen(file, object.c_str(), H5P_DEFAULT), naming(object));
  }
  Handle open_dataset(const std::string& object) const {
    auto found = open(object);
    if (H5Iget_type(found) != H5I_DATASET) throw FileError(naming(object), "it is a group, not a dataset");
    return found;
  }
  Handle open_numbers(const std::string& object) const {
    auto found = open_dataset(object);
    if (!is_number(Handle(H5Dget_type(found)))) throw FileError(naming(object), "it does not hold numbers");
    return found;
  }
  Handle open_attribute(const std::string& object, const std::string& name) const {
    const auto owner = open(object);
    if (H5Aexists(owner, name.c_str()) <= 0)
      throw FileError(naming(object + ":" + name), "there is no such attribute", "", "Is it a file of another kind?");
    return checked(H5Aopen(owner, name.c_str(), H5P_DEFAULT), naming(object + ":" + name));
  }
  std::string suggestion(const std::string& object) const {
    const auto end = object.rfind('/');
    const auto group = end == 0 || end == object.npos ? std::string("/") : object.substr(0, end);
    if (!exists(group)) return "Is it a file of another kind?";
    const auto near = nearest(object.substr(end + 1), children(group));
    return near ? "Did you mean \"" + *near + "\"?" : "Is it a file of another kind?";
  }
  std::vector<std::string> children(const std::string& group) const {
    std::vector<std::string> names;
    const auto owner = checked(H5Gopen2(file, group.c_str(), H5P_DEFAULT), naming(group));
    check(H5Literate(owner, H5_INDEX_NAME, H5_ITER_INC, nullptr, collect_link, &names), naming(group));
    return names;
  }
};

Reader::Reader(std::string path) {
  const Quiet quiet;
  impl_ = std::make_unique<Impl>(std::move(path));
}
Reader::~Reader() = default;
Reader::Reader(Reader&&) noexcept = default;
Reader& Reader::operator=(Reader&&) noexcept = default;

const std::string& Reader::path() const { return impl_->path; }

bool Reader::exists(const std::string& path) const {
  const Quiet quiet;
  return impl_->exists(path);
}

bool Reader::is_group(const std::string& path) const {
  const Quiet quiet;
  return impl_->exists(path) && H5Iget_type(impl_->open(path)) == H5I_GROUP;
}

std::vector<std::string> Reader::children(const std::string& group) const {
  const Quiet quiet;
  impl_->open(group);  // says clearly that it is missing
  return impl_->children(group);
}

std::vector<Index> Reader::shape(const std::string& path) const {
  const Quiet quiet;
  return shape_of(impl_->open_dataset(path), impl_->naming(path));
}

std::string Reader::unit(const std::string& path) const {
  return has_attribute(path, "units") ? to_string(attribute(path, "units")) : "";
}

Array Reader::read(const std::string& path) const {
  const Quiet quiet;
  const auto dataset = impl_->open_numbers(path);
  Array array{shape_of(dataset, impl_->naming(path)), {}};
  std::size_t size = 1;
  for (const Index n : array.shape) size *= static_cast<std::size_t>(n);
  array.values.resize(size);
  if (size > 0)
    check(H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, array.values.data()), impl_->naming(path));
  return array;
}

void Reader::read(const std::string& path, std::span<float> out) const {
  const Quiet quiet;
  const auto dataset = impl_->open_numbers(path);
  std::size_t size = 1;
  for (const Index n : shape_of(dataset, impl_->naming(path))) size *= static_cast<std::size_t>(n);
  if (size != out.size())
    throw ShapeMismatch(impl_->naming(path), std::to_string(size) + " values in the file",
                        std::to_string(out.size()) + " expected");
  if (size > 0)
    check(H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, out.data()), impl_->naming(path));
}

bool Reader::holds_bytes(const std::string& path) const {
  const Quiet quiet;
  const Handle type(H5Dget_type(impl_->open_dataset(path)));
  return is_number(type) && is_switch(type);
}

bool Reader::holds_integers(const std::string& path) const {
  const Quiet quiet;
  const Handle type(H5Dget_type(impl_->open_dataset(path)));
  return is_number(type) && H5Tget_class(type) != H5T_FLOAT;
}

std::vector<std::uint8_t> Reader::read_bytes(const std::string& path) const {
  const Quiet quiet;
  const auto dataset = impl_->open_numbers(path);
  const Handle type(H5Dget_type(dataset));
  if (!is_switch(type)) throw FileError(impl_->naming(path), "not 8-bit unsigned numbers", "", "Store it as uint8.");
  std::size_t size = 1;
  for (const Index n : shape_of(dataset, impl_->naming(path))) size *= static_cast<std::size_t>(n);
  std::vector<std::uint8_t> bytes(size);
  const hid_t memory = H5Tget_class(type) == H5T_ENUM ? hid_t{type} : H5T_NATIVE_UINT8;
  if (size > 0) check(H5Dread(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()), impl_->naming(path));
  return bytes;
}

template <class T>
void Reader::read_some(const std::string& path, Index first, Index count, std::span<T> out) const {
  const Quiet quiet;
  const auto what = impl_->naming(path);
  const auto dataset = impl_->open_numbers(path);
  if (H5Tequal(Handle(H5Dget_type(dataset)), number_type<T>()) <= 0)
    throw FileError(what, "numbers of another width", std::to_string(8 * sizeof(T)) + " bits expected",
                    "Is it a file of another kind?");
  auto shape = shape_of(dataset, what);
  if (shape.empty() || first < 0 || count < 0 || first + count > shape[0])
    throw FileError(what, "holds " + std::to_string(shape.empty() ? 0 : shape[0]) + " rows",
                    "rows up to " + std::to_string(first + count) + " wanted", "The file is damaged.");
  shape[0] = count;
  std::size_t size = 1;
  for (const Index n : shape) size *= static_cast<std::size_t>(n);
  if (size != out.size())
    throw ShapeMismatch(what, std::to_string(size) + " values", std::to_string(out.size()) + " expected");
  if (size == 0) return;
  const std::vector<hsize_t> extent(shape.begin(), shape.end());
  std::vector<hsize_t> start(extent.size(), 0);
  start[0] = static_cast<hsize_t>(first);
  const Handle source(H5Dget_space(dataset)), memory = space_of(shape);
  check(H5Sselect_hyperslab(source, H5S_SELECT_SET, start.data(), nullptr, extent.data(), nullptr), what);
  check(H5Dread(dataset, number_type<T>(), memory, source, H5P_DEFAULT, out.data()), what);
}
void Reader::read_rows(const std::string& path, Index first, Index count, std::span<std::uint8_t> out) const {
  read_some(path, first, count, out);
}
void Reader::read_rows(const std::string& path, Index first, Index count, std::span<std::uint16_t> out) const {
  read_some(path, first, count, out);
}

std::string Reader::read_text(const std::string& path) const {
  const auto texts = read_texts(path);
  if (texts.size() != 1) throw FileError(impl_->naming(path), std::to_string(texts.size()) + " texts", "one expected");
  return texts[0];
}

std::vector<std::string> Reader::read_texts(const std::string& path) const {
  const Quiet quiet;
  const auto dataset = impl_->open_dataset(path);
  const Handle type(H5Dget_type(dataset)), space(H5Dget_space(dataset));
  if (H5Tget_class(type) != H5T_STRING) throw FileError(impl_->naming(path), "it does not hold text");
  return texts_of(type, space, impl_->naming(path), [&](hid_t memory, void* data) {
    return H5Dread(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
  });
}

bool Reader::holds_text(const std::string& path) const {
  const Quiet quiet;
  return H5Tget_class(Handle(H5Dget_type(impl_->open_dataset(path)))) == H5T_STRING;
}

bool Reader::is_dimension(const std::string& path) const {
  const Quiet quiet;
  return H5DSis_scale(impl_->open_dataset(path)) > 0;
}

std::vector<std::string> Reader::dimensions(const std::string& path) const {
  const Quiet quiet;
  const auto dataset = impl_->open_dataset(path);
  std::vector<std::string> names(shape_of(dataset, impl_->naming(path)).size());
  const auto note = [](hid_t, unsigned, hid_t scale, void* name) {
    char full[1024] = {};
    if (H5Iget_name(scale, full, sizeof full) > 0) *static_cast<std::string*>(name) = std::strrchr(full, '/') + 1;
    return herr_t{1};  // one is enough
  };
  for (unsigned axis = 0; axis < names.size(); ++axis)
    if (H5DSget_num_scales(dataset, axis) > 0) H5DSiterate_scales(dataset, axis, nullptr, note, &names[axis]);
  return names;
}

bool Reader::has_attribute(const std::string& object, const std::string& name) const {
  const Quiet quiet;
  return H5Aexists(impl_->open(object), name.c_str()) > 0;
}

Value Reader::attribute(const std::string& object, const std::string& name) const {
  const Quiet quiet;
  const auto what = impl_->naming(object + ":" + name);
  const auto found = impl_->open_attribute(object, name);
  const Handle type(H5Aget_type(found)), space(H5Aget_space(found));
  if (H5Sget_simple_extent_npoints(space) != 1) throw FileError(what, "it is a list", "one value expected");
  if (H5Tget_class(type) == H5T_STRING) {
    const auto read = [&](hid_t memory, void* data) { return H5Aread(found, memory, data); };
    return texts_of(type, space, what, read)[0];
  }
  if (!is_number(type)) throw FileError(what, "neither switch, number nor text");
  if (is_switch(type)) {
    std::uint8_t flag = 0;
    check(H5Aread(found, H5Tget_class(type) == H5T_ENUM ? hid_t{type} : H5T_NATIVE_UINT8, &flag), what);
    return flag != 0;
  }
  if (H5Tget_class(type) == H5T_FLOAT) {
    double real = 0;
    check(H5Aread(found, H5T_NATIVE_DOUBLE, &real), what);
    return real;
  }
  std::int64_t integer = 0;
  check(H5Aread(found, H5T_NATIVE_INT64, &integer), what);
  return integer;
}

std::vector<std::string> Reader::attribute_texts(const std::string& object, const std::string& name) const {
  const Quiet quiet;
  const auto found = impl_->open_attribute(object, name);
  const Handle type(H5Aget_type(found)), space(H5Aget_space(found));
  const auto what = impl_->naming(object + ":" + name);
  if (H5Tget_class(type) != H5T_STRING) throw FileError(what, "it does not hold text");
  return texts_of(type, space, what, [&](hid_t memory, void* data) { return H5Aread(found, memory, data); });
}

bool Reader::holds_list(const std::string& object, const std::string& name) const {
  const Quiet quiet;
  const Handle space(H5Aget_space(impl_->open_attribute(object, name)));
  return H5Sget_simple_extent_npoints(space) != 1;
}

std::vector<std::string> Reader::attribute_names(const std::string& object) const {
  const Quiet quiet;
  std::vector<std::string> names;
  const auto owner = impl_->open(object);
  check(H5Aiterate2(owner, H5_INDEX_NAME, H5_ITER_INC, nullptr, collect, &names), impl_->naming(object));
  std::erase_if(names, [](const std::string& name) {
    return name == "CLASS" || name == "NAME" || name == "DIMENSION_LIST" || name == "REFERENCE_LIST";
  });
  return names;
}

Settings Reader::parameters(const std::string& group) const {
  Settings settings;
  const auto names = attribute_names(group);
  for (const auto& name : names) {
    const bool is_unit =
        name.ends_with(".unit") && std::binary_search(names.begin(), names.end(), name.substr(0, name.size() - 5));
    if (!is_unit) settings.emplace(name, attribute(group, name));
  }
  return settings;
}

}  // namespace lightloop::h5
