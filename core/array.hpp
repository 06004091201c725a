#pragma once
// Row-major arrays and views. A batch is (samples, channels); a view owns nothing and copies nothing.
#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

namespace lightloop {

using Index = std::ptrdiff_t;

/// A row-major window onto (rows, cols) values; `stride` elements lie between the starts of two rows.
template <class T>
class View {
 public:
  View() = default;
  View(T* data, Index rows, Index cols, Index stride) : data_(data), rows_(rows), cols_(cols), stride_(stride) {}
  View(T* data, Index rows, Index cols) : View(data, rows, cols, cols) {}
  template <class U>
  requires(std::is_const_v<T>&& std::is_same_v<std::remove_const_t<T>, U>) View(const View<U>& other)
      : View(other.data(), other.rows(), other.cols(), other.stride()) {}  // NOLINT: implicit on purpose

  T* data() const { return data_; }
  Index rows() const { return rows_; }
  Index cols() const { return cols_; }
  Index stride() const { return stride_; }
  Index size() const { return rows_ * cols_; }
  bool empty() const { return size() == 0; }
  bool contiguous() const { return stride_ == cols_ || rows_ <= 1; }
  T& operator()(Index r, Index c) const { return data_[r * stride_ + c]; }
  std::span<T> row(Index r) const { return {data_ + r * stride_, static_cast<std::size_t>(cols_)}; }
  View rows(Index first, Index count) const { return {data_ + first * stride_, count, cols_, stride_}; }
  View cols(Index first, Index count) const { return {data_ + first, rows_, count, stride_}; }

 private:
  T* data_ = nullptr;
  Index rows_ = 0, cols_ = 0, stride_ = 0;
};

/// An owning, 64-byte aligned, contiguous row-major matrix. New elements are zero.
///
/// `resize` keeps the storage when it is large enough, so a workspace allocates only until it has met its largest
/// batch; after a resize the contents are unspecified.
template <class T>
class Matrix {
 public:
  static_assert(std::is_trivially_copyable_v<T>);
  Matrix() = default;
  Matrix(Index rows, Index cols) {
    resize(rows, cols);
    std::fill_n(data_.get(), size(), T{});
  }
  Matrix(const Matrix& other) { *this = other; }
  Matrix& operator=(const Matrix& other) {
    if (this != &other) {
      resize(other.rows_, other.cols_);
      std::copy_n(other.data_.get(), size(), data_.get());
    }
    return *this;
  }
  Matrix(Matrix&& other) noexcept { swap(other); }
  Matrix& operator=(Matrix&& other) noexcept {
    swap(other);
    return *this;
  }
  void swap(Matrix& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(capacity_, other.capacity_);
    std::swap(rows_, other.rows_);
    std::swap(cols_, other.cols_);
  }
  void resize(Index rows, Index cols) {
    if (rows * cols > capacity_) {
      data_.reset(
          static_cast<T*>(::operator new[](static_cast<std::size_t>(rows * cols) * sizeof(T), std::align_val_t{64})));
      capacity_ = rows * cols;
    }
    rows_ = rows;
    cols_ = cols;
  }
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  Index rows() const { return rows_; }
  Index cols() const { return cols_; }
  Index size() const { return rows_ * cols_; }
  T& operator()(Index r, Index c) { return data_.get()[r * cols_ + c]; }
  const T& operator()(Index r, Index c) const { return data_.get()[r * cols_ + c]; }
  View<T> view() { return {data_.get(), rows_, cols_}; }
  View<const T> view() const { return {data_.get(), rows_, cols_}; }
  operator View<T>() { return view(); }              // NOLINT: a matrix is a view of itself
  operator View<const T>() const { return view(); }  // NOLINT
  std::span<T> row(Index r) { return view().row(r); }
  std::span<const T> row(Index r) const { return view().row(r); }
  std::span<T> flat() { return {data_.get(), static_cast<std::size_t>(size())}; }
  std::span<const T> flat() const { return {data_.get(), static_cast<std::size_t>(size())}; }

 private:
  struct Free {
    void operator()(T* p) const { ::operator delete[](p, std::align_val_t{64}); }
  };
  std::unique_ptr<T[], Free> data_;
  Index capacity_ = 0, rows_ = 0, cols_ = 0;
};

}  // namespace lightloop
