#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/hdf5.hpp"
#include "core/hdf5_handle.hpp"
#include "core/hdf5_stream.hpp"

namespace lightloop::h5 {
namespace {
/// Every dataset below `group`.
void collect(const Reader& file, const std::string& group, std::vector<std::string>& datasets) {
  for (const auto& name : file.children(group)) {
    const auto path = (group == "/" ? "" : group) + "/" + name;
    if (file.is_group(path))
      collect(file, path, datasets);
    else
      datasets.push_back(path);
  }
}

void copy_attributes(const Reader& from, const std::string& object, hid_t to, const std::string& what) {
  for (const auto& name : from.attribute_names(object)) write_attribute(to, name, from.attribute(object, name), what);
}

std::int64_t table_of(const Reader& file, const std::string& dataset) {
  return file.has_attribute(dataset, kTableAttribute) ? std::get<std::int64_t>(file.attribute(dataset, kTableAttribute))
                                                      : 0;
}

/// Copies the first `rows` rows, a few at a time.
void copy_rows(hid_t from, hid_t to, Index rows, const std::string& what) {
  const Handle type(H5Dget_type(from)), source(H5Dget_space(from)), target(H5Dget_space(to));
  auto size = shape_of(from, what);
  std::size_t row_bytes = H5Tget_size(type);
  for (std::size_t i = 1; i < size.size(); ++i) row_bytes *= static_cast<std::size_t>(size[i]);
  constexpr std::size_t kPortion = 1 << 22;
  const auto step = static_cast<Index>(std::max<std::size_t>(1, kPortion / row_bytes));
  std::vector<std::byte> buffer(static_cast<std::size_t>(std::min(step, rows)) * row_bytes);
  for (Index first = 0; first < rows; first += step) {
    size[0] = std::min(step, rows - first);
    const std::vector<hsize_t> count(size.begin(), size.end());
    std::vector<hsize_t> start(size.size(), 0);
    start[0] = static_cast<hsize_t>(first);
    const auto memory = space_of(size);
    H5Sselect_hyperslab(source, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
    H5Sselect_hyperslab(target, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
    check(H5Dread(from, type, memory, source, H5P_DEFAULT, buffer.data()), what, "The file is damaged.");
    check(H5Dwrite(to, type, memory, target, H5P_DEFAULT, buffer.data()), what);
  }
}

void copy_file(const Reader& from, hid_t source, hid_t to, const std::vector<std::string>& datasets,
               const std::map<std::int64_t, Index>& rows) {
  copy_attributes(from, "/", Handle(H5Gopen2(to, "/", H5P_DEFAULT)), "cannot recover " + from.path());
  const Handle links(H5Pcreate(H5P_LINK_CREATE));
  H5Pset_create_intermediate_group(links, 1);
  for (const auto& path : datasets) {
    const auto what = "cannot recover " + path + " in " + from.path();
    const auto old = checked(H5Dopen2(source, path.c_str(), H5P_DEFAULT), what);
    const Handle type(H5Dget_type(old)), creation(H5Dget_create_plist(old)), space(H5Dget_space(old));
    auto shape = shape_of(old, what);
    shape[0] = rows.at(table_of(from, path));
    const std::vector<hsize_t> dims(shape.begin(), shape.end());
    auto most = dims;
    most[0] = H5S_UNLIMITED;
    check(H5Sset_extent_simple(space, static_cast<int>(dims.size()), dims.data(), most.data()), what);
    const auto fresh = checked(H5Dcreate2(to, path.c_str(), type, space, links, creation, H5P_DEFAULT), what);
    copy_attributes(from, path, fresh, what);
    copy_rows(old, fresh, shape[0], what);
  }
}
}  // namespace

Index recover(const std::string& path) {
  const Quiet quiet;
  const auto what = "cannot recover " + path;
  const Reader reader(path);
  std::vector<std::string> datasets;
  collect(reader, "/", datasets);
  std::map<std::int64_t, Index> rows = {{0, 0}};
  std::set<std::int64_t> met;
  for (const auto& dataset : datasets) {
    const auto shape = reader.shape(dataset);
    if (shape.empty()) throw FileError(what, dataset + " has no rows", "", "Is it a recording?");
    const auto table = table_of(reader, dataset);
    rows[table] = met.insert(table).second ? shape[0] : std::min(rows[table], shape[0]);
  }
  if (!left_open(path)) return rows[0];

  const Handle access(H5Pcreate(H5P_FILE_ACCESS));
  H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);  // as the reader's
  const auto source = checked(H5Fopen(path.c_str(), H5F_ACC_RDONLY | H5F_ACC_SWMR_READ, access), what);
  hsize_t size = 0;
  check(H5Fget_filesize(source, &size), what);
  const auto temporary = temporary_name(path);
  auto fresh = checked(H5Fcreate(temporary.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, appending_access()), what);
  try {
    std::size_t reserved = 0;
    reserve(fresh, static_cast<std::size_t>(size) + datasets.size() * kColumnSlack, reserved, path);
    copy_file(reader, source, fresh, datasets, rows);
    if (!close_file(fresh)) throw FileError(what, last_message());
    publish_file(temporary, path);
  } catch (...) {
    fresh.reset();
    ::unlink(temporary.c_str());
    throw;
  }
  return rows[0];
}

}  // namespace lightloop::h5
