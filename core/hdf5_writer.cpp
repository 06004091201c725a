#include <hdf5_hl.h>

#include <atomic>
#include <cstdio>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/hdf5.hpp"
#include "core/hdf5_handle.hpp"

namespace lightloop::h5 {
namespace {
Handle ordered(hid_t property_class) {
  Handle list(H5Pcreate(property_class));
  H5Pset_link_creation_order(list, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);  // netCDF-4 asks for it
  return list;
}
}  // namespace

/// The file is built in memory, where writing cannot fail: HDF5 1.10.8 crashes at exit after a flush that failed on a
/// full disk.
struct Writer::Impl {
  std::string path;
  Handle file;

  explicit Impl(std::string name) : path(std::move(name)) {
    static std::atomic<std::uint64_t> images{0};  // two files of one name cannot be open at once
    const std::string unique = path.empty() ? "memory-" + std::to_string(++images) : temporary_name(path);
    if (!path.empty()) check_writable(path);
    const Handle access(H5Pcreate(H5P_FILE_ACCESS));
    H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_LATEST);
    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
    constexpr std::size_t kIncrement = 1 << 20;
    H5Pset_fapl_core(access, kIncrement, false);
    file = checked(H5Fcreate(unique.c_str(), H5F_ACC_TRUNC, ordered(H5P_FILE_CREATE), access), "cannot write " + path);
  }
  ~Impl() {
    const Quiet quiet;
    file.reset();
  }
  std::string naming(const std::string& object) const { return "cannot write " + object + " in " + path; }

  void make_groups(const std::string& object) const {
    for (auto end = object.find('/', 1); end != object.npos; end = object.find('/', end + 1))
      make_group(object.substr(0, end));
  }
  void make_group(const std::string& group) const {
    if (group == "/" || H5Lexists(file, group.c_str(), H5P_DEFAULT) > 0) return;
    checked(H5Gcreate2(file, group.c_str(), H5P_DEFAULT, ordered(H5P_GROUP_CREATE), H5P_DEFAULT), naming(group));
  }
  Handle make_dataset(const std::string& object, hid_t type, hid_t space) const {
    if (object.size() < 2 || object.front() != '/' || object.back() == '/')
      throw InvalidParameter(naming(object), "not an absolute path", "", "Write it as \"/group/name\".");
    make_groups(object);
    if (H5Lexists(file, object.c_str(), H5P_DEFAULT) > 0)
      throw InvalidParameter(naming(object), "it exists already", "", "Write every dataset once.");
    return checked(H5Dcreate2(file, object.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                   naming(object));
  }
  Handle open_dataset(const std::string& object) const {
    return checked(H5Dopen2(file, object.c_str(), H5P_DEFAULT), naming(object), "Write the dataset first.");
  }
  Handle open_object(const std::string& object) const {
    make_groups(object);
    make_group(object);
    return checked(H5Oopen(file, object.c_str(), H5P_DEFAULT), naming(object));
  }
};

Writer::Writer(std::string path) {
  const Quiet quiet;
  impl_ = std::make_unique<Impl>(std::move(path));
}
Writer::~Writer() = default;
Writer::Writer(Writer&&) noexcept = default;
Writer& Writer::operator=(Writer&&) noexcept = default;

void Writer::attribute(const std::string& object, const std::string& name, const Value& value) {
  const Quiet quiet;
  write_attribute(impl_->open_object(object), name, value, impl_->naming(object + ":" + name));
}

void Writer::attribute(const std::string& object, const std::string& name, const std::vector<std::string>& values) {
  const Quiet quiet;
  const auto owner = impl_->open_object(object);
  const auto what = impl_->naming(object + ":" + name);
  std::vector<const char*> pointers;
  for (const auto& value : values) pointers.push_back(value.c_str());
  const auto type = text_type();
  const auto space = space_of({static_cast<Index>(values.size())});
  const auto made = checked(H5Acreate2(owner, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), what);
  if (!values.empty()) check(H5Awrite(made, type, pointers.data()), what);
}

template <class T>
void Writer::write_numbers(const std::string& path, std::span<const T> values, const std::vector<Index>& shape,
                           const std::string& unit) {
  const Quiet quiet;
  Index size = 1;
  for (const Index n : shape) size *= n;
  if (size != static_cast<Index>(values.size()))
    throw ShapeMismatch(impl_->naming(path), std::to_string(values.size()) + " values",
                        "the shape holds " + std::to_string(size));
  const auto dataset = impl_->make_dataset(path, number_type<T>(), space_of(shape));
  if (size > 0)
    check(H5Dwrite(dataset, number_type<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), impl_->naming(path));
  if (!unit.empty()) write_attribute(dataset, "units", unit, impl_->naming(path));
}

void Writer::write(const std::string& path, std::span<const float> v, std::vector<Index> shape,
                   const std::string& unit) {
  write_numbers(path, v, shape, unit);
}
void Writer::write(const std::string& path, std::span<const double> v, std::vector<Index> shape,
                   const std::string& unit) {
  write_numbers(path, v, shape, unit);
}
void Writer::write(const std::string& path, std::span<const std::int64_t> v, std::vector<Index> shape,
                   const std::string& unit) {
  write_numbers(path, v, shape, unit);
}
void Writer::write(const std::string& path, std::span<const std::uint8_t> v, std::vector<Index> shape,
                   const std::string& unit) {
  write_numbers(path, v, shape, unit);
}
void Writer::write(const std::string& path, std::span<const std::uint16_t> v, std::vector<Index> shape,
                   const std::string& unit) {
  write_numbers(path, v, shape, unit);
}

void Writer::write_text(const std::string& path, const std::string& text) {
  const Quiet quiet;
  const auto type = text_type();
  const auto dataset = impl_->make_dataset(path, type, space_of({}));
  const char* pointer = text.c_str();
  check(H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, &pointer), impl_->naming(path));
}

void Writer::write_texts(const std::string& path, const std::vector<std::string>& texts) {
  const Quiet quiet;
  const auto type = text_type();
  const auto dataset = impl_->make_dataset(path, type, space_of({static_cast<Index>(texts.size())}));
  std::vector<const char*> pointers;
  for (const auto& text : texts) pointers.push_back(text.c_str());
  if (!texts.empty())
    check(H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, pointers.data()), impl_->naming(path));
}

void Writer::parameters(const std::string& group, const ParamSet& params) {
  const Quiet quiet;
  const auto owner = impl_->open_object(group);
  for (const auto& info : params.infos()) {
    const auto what = impl_->naming(group + ":" + info.name);
    write_attribute(owner, info.name, params.value(info.name), what);
    if (!info.unit.empty()) write_attribute(owner, info.name + ".unit", info.unit, what);
  }
}

void Writer::dimension(const std::string& dataset, Index axis, const std::string& scale) {
  const Quiet quiet;
  const auto what = impl_->naming("dimension " + std::to_string(axis) + " of " + dataset);
  const auto data = impl_->open_dataset(dataset), coordinate = impl_->open_dataset(scale);
  const auto data_shape = shape_of(data, what), length = shape_of(coordinate, what);
  if (axis < 0 || axis >= static_cast<Index>(data_shape.size()) || length.size() != 1 ||
      length[0] != data_shape[static_cast<std::size_t>(axis)])
    throw ShapeMismatch(what, scale, "a 1-D dataset as long as that axis");
  if (H5DSis_scale(coordinate) <= 0) check(H5DSset_scale(coordinate, scale.substr(scale.rfind('/') + 1).c_str()), what);
  check(H5DSattach_scale(data, coordinate, static_cast<unsigned>(axis)), what);
}

void Writer::bare_dimension(const std::string& scale, Index size) {
  const Quiet quiet;
  const auto dataset = impl_->make_dataset(scale, H5T_NATIVE_FLOAT, space_of({size}));
  char name[80];  // the words by which netCDF-4 knows a dimension that is no variable
  std::snprintf(name, sizeof name, "This is a netCDF dimension but not a netCDF variable. %9d", static_cast<int>(size));
  check(H5DSset_scale(dataset, name), impl_->naming(scale));
}

namespace {
/// The file as it lies in memory: HDF5's in-memory driver hands out the address of its buffer, which may be longer.
std::string_view image_of(hid_t file, const std::string& path) {
  check(H5Fflush(file, H5F_SCOPE_GLOBAL), "cannot write " + path);
  void* image = nullptr;
  const auto size = H5Fget_file_image(file, nullptr, 0);
  if (size <= 0) throw FileError("cannot write " + path, last_message());
  check(H5Fget_vfd_handle(file, H5P_DEFAULT, &image), "cannot write " + path);
  return {*static_cast<const char**>(image), static_cast<std::size_t>(size)};
}
}  // namespace

void Writer::commit() {
  const Quiet quiet;
  write_file(impl_->path, image_of(impl_->file, impl_->path));
}

std::string Writer::image() const {
  const Quiet quiet;
  return std::string(image_of(impl_->file, impl_->path));
}

}  // namespace lightloop::h5
