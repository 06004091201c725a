#include "python/bindings/codes.hpp"

#include <vector>

#include "core/error.hpp"

namespace lightloop::python {

Codes check_codes(const py::array& array, const FrameFormat& format, const char* name) {
  const bool wide = format.bytes() == 2;
  const std::string type = wide ? "uint16" : "uint8";
  const py::dtype dtype = array.dtype();
  const bool fits = wide ? dtype.kind() == 'u' && dtype.itemsize() == 2
                         : (dtype.kind() == 'u' || dtype.kind() == 'b') && dtype.itemsize() == 1;
  const bool ordered = (array.flags() & py::array::c_style) != 0;
  if (!fits || !ordered)
    throw py::type_error(
        std::string(name) + ": C-contiguous " + type + " codes are wanted, found " +
        (fits ? "another memory order" : py::cast<std::string>(py::str(static_cast<py::handle>(dtype)))) +
        "; pass np.ascontiguousarray(" + name + ", dtype=np." + type + ")");
  const std::vector<Index> shape(array.shape(), array.shape() + array.ndim());
  const std::vector<Index> flat = {format.size()};
  if (shape == format.shape || shape == flat) return {1, true};
  if (!shape.empty()) {
    const std::vector<Index> tail(shape.begin() + 1, shape.end());
    if (tail == format.shape || tail == flat) return {shape[0], false};
  }
  throw ShapeMismatch(name, std::string(py::str(to_tuple(shape))),
                      "(frames, " + std::to_string(format.size()) + ") or (frames, *" +
                          std::string(py::str(to_tuple(format.shape))) + ") wanted");
}

ConstFrames as_input(const py::array& array, const FrameFormat& format, Index count, View<const std::uint16_t> aux) {
  if (format.bytes() == 2)
    return {View<const std::uint16_t>(static_cast<const std::uint16_t*>(array.data()), count, format.size()), aux};
  return {View<const std::uint8_t>(static_cast<const std::uint8_t*>(array.data()), count, format.size()), aux};
}

Frames as_output(py::array& array, const FrameFormat& format, Index count) {
  if (format.bytes() == 2)
    return Frames(View<std::uint16_t>(static_cast<std::uint16_t*>(array.mutable_data()), count, format.size()));
  return Frames(View<std::uint8_t>(static_cast<std::uint8_t*>(array.mutable_data()), count, format.size()));
}

View<const std::uint16_t> as_aux(const py::object& aux, const DeviceInfo& info, Index count) {
  if (aux.is_none()) return {};
  const Index wanted = static_cast<Index>(info.aux_inputs.size());
  const auto array = py::isinstance<py::array_t<std::uint16_t, py::array::c_style>>(aux)
                         ? py::reinterpret_borrow<py::array>(aux)
                         : throw py::type_error(
                               "aux: C-contiguous uint16 codes are wanted; pass np.ascontiguousarray(aux, "
                               "dtype=np.uint16)");
  const bool column = array.ndim() == 1 && wanted == 1 && array.shape(0) == count;
  const bool table = array.ndim() == 2 && array.shape(0) == count && array.shape(1) == wanted;
  if (!column && !table)
    throw ShapeMismatch("aux", std::string(py::str(array.attr("shape"))),
                        "(" + std::to_string(count) + ", " + std::to_string(wanted) + ") wanted");
  return {static_cast<const std::uint16_t*>(array.data()), count, wanted};
}

}  // namespace lightloop::python
