#pragma once
// Numpy arrays of float64 as views, and matrices as arrays.
#include <pybind11/numpy.h>

#include <algorithm>
#include <string>

#include "core/array.hpp"
#include "core/error.hpp"

namespace lightloop::python {

/// (T, columns), or (T) as one column.
inline View<const double> number_rows(const pybind11::array_t<double>& array, const char* name) {
  if (array.ndim() == 1) return {array.data(), array.shape(0), 1};
  if (array.ndim() != 2)
    throw ShapeMismatch(name, std::to_string(array.ndim()) + " axes", "(time,) or (time, channels) wanted");
  return {array.data(), array.shape(0), array.shape(1)};
}

template <class T>
pybind11::array_t<T> to_array(const Matrix<T>& matrix) {
  pybind11::array_t<T> array({matrix.rows(), matrix.cols()});
  std::copy_n(matrix.data(), matrix.size(), array.mutable_data());
  return array;
}

}  // namespace lightloop::python
