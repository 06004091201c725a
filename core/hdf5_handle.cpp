#include "core/hdf5_handle.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "core/error.hpp"

namespace lightloop::h5 {
namespace {
herr_t keep_first(unsigned, const H5E_error2_t* error, void* text) {
  auto& found = *static_cast<std::string*>(text);
  if (found.empty() && error->desc) found = error->desc;
  return 0;
}
}  // namespace

std::string last_message() {
  std::string text;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, &text);
  constexpr std::string_view kMark = "error message = '";
  if (const auto start = text.find(kMark); start != text.npos) {
    text.erase(0, start + kMark.size());
    text.erase(std::min(text.find('\''), text.size()));
  }
  return text.empty() ? "unknown reason" : text;
}

void check(herr_t result, const std::string& what, const std::string& hint) {
  if (result < 0) throw FileError(what, last_message(), "", hint);
}

Handle checked(hid_t id, const std::string& what, const std::string& hint) {
  if (id < 0) throw FileError(what, last_message(), "", hint);
  return Handle(id);
}

template <>
hid_t number_type<float>() {
  return H5T_NATIVE_FLOAT;
}
template <>
hid_t number_type<double>() {
  return H5T_NATIVE_DOUBLE;
}
template <>
hid_t number_type<std::int64_t>() {
  return H5T_NATIVE_INT64;
}
template <>
hid_t number_type<std::uint8_t>() {
  return H5T_NATIVE_UINT8;
}
template <>
hid_t number_type<std::uint16_t>() {
  return H5T_NATIVE_UINT16;
}

Handle text_type() {
  Handle type(H5Tcopy(H5T_C_S1));
  H5Tset_size(type, H5T_VARIABLE);
  H5Tset_cset(type, H5T_CSET_UTF8);
  return type;
}

Handle space_of(const std::vector<Index>& shape) {
  if (shape.empty()) return Handle(H5Screate(H5S_SCALAR));
  const std::vector<hsize_t> dims(shape.begin(), shape.end());
  return checked(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr), "HDF5 array shape");
}

std::vector<Index> shape_of(hid_t dataset, const std::string& what) {
  const auto space = checked(H5Dget_space(dataset), what);
  const int rank = H5Sget_simple_extent_ndims(space);
  check(rank, what);
  std::vector<hsize_t> dims(static_cast<std::size_t>(rank));
  H5Sget_simple_extent_dims(space, dims.data(), nullptr);
  return {dims.begin(), dims.end()};
}

void write_attribute(hid_t object, const std::string& name, const Value& value, const std::string& what) {
  const auto space = space_of({});
  const auto put = [&](hid_t type, const void* data) {
    if (H5Aexists(object, name.c_str()) > 0) check(H5Adelete(object, name.c_str()), what);
    const auto attribute = checked(H5Acreate2(object, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), what);
    check(H5Awrite(attribute, type, data), what);
  };
  if (const auto* text = std::get_if<std::string>(&value)) {
    const char* pointer = text->c_str();
    put(text_type(), &pointer);
  } else if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    put(H5T_NATIVE_INT64, integer);
  } else if (const auto* real = std::get_if<double>(&value)) {
    put(H5T_NATIVE_DOUBLE, real);
  } else {
    const std::uint8_t flag = std::get<bool>(value);  // netCDF-4 knows no boolean; eight unsigned bits mean a switch
    put(H5T_NATIVE_UINT8, &flag);
  }
}

/// Flags in byte 11 of a version 3 superblock (HDF5 file format specification, II.A).
bool left_open(const std::string& path) {
  char head[12] = {};
  std::ifstream(path, std::ios::binary).read(head, sizeof head);
  return head[8] == 3 && head[11] != 0;
}

Handle appending_access() {
  Handle access(H5Pcreate(H5P_FILE_ACCESS));
  H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
  H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
  return access;
}

namespace {
int descriptor_of(hid_t file) {
  void* driver = nullptr;
  return H5Fget_vfd_handle(file, H5P_DEFAULT, &driver) < 0 ? -1 : *static_cast<int*>(driver);
}
}  // namespace

void reserve(hid_t file, std::size_t more, std::size_t& reserved, const std::string& path) {
  hsize_t size = 0;
  check(H5Fget_filesize(file, &size), "cannot write " + path);
  const auto needed = static_cast<std::size_t>(size) + more;
  if (needed <= reserved) return;
  const int error =
      ::posix_fallocate(descriptor_of(file), static_cast<off_t>(reserved), static_cast<off_t>(needed - reserved));
  if (error != 0)
    throw FileError("cannot write " + path, std::strerror(error), "", "Free some space or write elsewhere.");
  reserved = needed;
}

bool close_file(Handle& file) {
  haddr_t end = 0;
  const int fd = ::dup(descriptor_of(file));
  const bool flushed = H5Fflush(file, H5F_SCOPE_GLOBAL) >= 0 && H5Fget_eoa(file, &end) >= 0;
  const bool closed = file.reset();
  const bool stored = fd >= 0 && flushed && ::ftruncate(fd, static_cast<off_t>(end)) == 0 && ::fsync(fd) == 0;
  if (fd >= 0) ::close(fd);
  return closed && stored;
}

}  // namespace lightloop::h5
