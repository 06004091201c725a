#pragma once
// Inside core/hdf5 only: HDF5's identifiers as objects, its error stack as exceptions.
#include <hdf5.h>

#include <string>
#include <utility>

#include "core/array.hpp"
#include "core/param.hpp"

namespace lightloop::h5 {

/// Keeps HDF5 from printing while it lives; the caller's own handler comes back afterwards.
class Quiet {
 public:
  Quiet() {
    H5Eget_auto2(H5E_DEFAULT, &function_, &data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  ~Quiet() { H5Eset_auto2(H5E_DEFAULT, function_, data_); }
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;

 private:
  H5E_auto2_t function_ = nullptr;
  void* data_ = nullptr;
};

/// Owns one identifier of any kind.
class Handle {
 public:
  Handle() = default;
  explicit Handle(hid_t id) : id_(id) {}
  ~Handle() { reset(); }
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }
  operator hid_t() const { return id_; }  // NOLINT: passed straight to the C API
  bool valid() const { return id_ >= 0; }
  /// Closes; false when HDF5 reports that closing failed.
  bool reset() { return id_ < 0 || H5Idec_ref(std::exchange(id_, H5I_INVALID_HID)) >= 0; }

 private:
  hid_t id_ = H5I_INVALID_HID;
};

/// The innermost message on HDF5's error stack, or the operating system's reason inside it.
std::string last_message();
/// Throws FileError "<what> <object>: <reason>" for a negative result.
void check(herr_t result, const std::string& what, const std::string& hint = {});
Handle checked(hid_t id, const std::string& what, const std::string& hint = {});

/// HDF5's type in memory (and, on our little-endian machines, in the file) of a C++ number.
template <class T>
hid_t number_type();

Handle text_type();  ///< variable length, UTF-8
Handle space_of(const std::vector<Index>& shape);
std::vector<Index> shape_of(hid_t object_with_space, const std::string& what);
void write_attribute(hid_t object, const std::string& name, const Value& value, const std::string& what);

/// Whether an appending writer died with the file or still has it.
bool left_open(const std::string& path);

/// How a file that grows is opened: newest format, closed with everything in it.
Handle appending_access();
/// Takes disk space for what HDF5 has allocated and `more` bytes, because HDF5 1.10.8 crashes at exit after a flush
/// that met a full disk. `reserved` remembers how much is taken already. Throws FileError.
void reserve(hid_t file, std::size_t more, std::size_t& reserved, const std::string& path);
constexpr const char* kTableAttribute = "table";  ///< of a dataset: which table it is a column of; absent: the first
constexpr std::size_t kColumnSlack = 1 << 16;     ///< assumed: more than one flush of a dataset adds to its chunk index
/// Gives back what was reserved too much, fsyncs and closes. False on failure.
bool close_file(Handle& file);

}  // namespace lightloop::h5
