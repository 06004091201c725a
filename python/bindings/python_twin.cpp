// The model in a class derived from lightloop.Device, seen as a Twin.
#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "driver/api/twin.hpp"
#include "python/bindings/python_object.hpp"

namespace lightloop::python {
namespace {

constexpr const char *kForward = "forward_model", *kBack = "vjp";

using Floats = py::array_t<float, py::array::c_style | py::array::forcecast>;

/// A copy: the model may keep it.
Floats array_of(View<const float> from, std::vector<Index> shape) {
  Floats array(std::move(shape));
  float* to = array.mutable_data();
  for (Index r = 0; r < from.rows(); ++r) to = std::ranges::copy(from.row(r), to).out;
  return array;
}

void check_shape(const char* what, View<const float> given, Index rows, Index columns) {
  if (given.rows() != rows || given.cols() != columns)
    throw ShapeMismatch(what, std::to_string(given.rows()) + " x " + std::to_string(given.cols()),
                        std::to_string(rows) + " x " + std::to_string(columns));
}

class PythonTwin : public Twin, PythonObject {
 public:
  /// Under the interpreter lock.
  PythonTwin(const std::string& who, const py::object& type, const Settings& settings) : PythonObject(who, type) {
    for (const char* method : {kForward, kBack})
      if (!py::hasattr(type, method) || type.attr(method).is_none())
        throw Unsupported(
            "twin", who, std::string("the class has no ") + method + "()",
            "With forward_model() and vjp() it brings one; layer.twin names another device's for layers.");
    ParamSet params(who, type.attr("params").cast<std::vector<ParamInfo>>());
    params.set(settings);
    guarded("open_model", [&] { self_ = module().attr("_make_model")(type, from_settings(params.all())); });
    info_ = description();
    if (info_.program) theta_ = Matrix<float>(1, info_.program->size());
  }
  ~PythonTwin() override {
    if (Py_IsInitialized() == 0) {  // the program is ending: nothing of Python may be touched
      self_.release();
      return;
    }
    const py::gil_scoped_acquire lock;
    self_ = {};
  }
  PythonTwin(const PythonTwin&) = delete;
  PythonTwin& operator=(const PythonTwin&) = delete;

  Index inputs() const override { return info_.input.size(); }
  Index outputs() const override { return info_.output.size(); }
  Index parameters() const override { return theta_.size(); }

  void program(View<const float> theta) override {
    if (!info_.program) return Twin::program(theta);
    check_twin_programme(info_.model, *this, theta);
    std::ranges::copy(theta.row(0), theta_.row(0).begin());
  }

  void forward(View<const float> x, View<float> y) const override {
    check_shape("input of a twin", x, x.rows(), inputs());
    check_shape("output of a twin", y, x.rows(), outputs());
    if (x.rows() == 0) return;
    const py::gil_scoped_acquire lock;
    py::object answer;
    guarded(kForward,
            [&] { answer = self_.attr(kForward)(array_of(x, batch_shape(x.rows(), info_.input)), **programme()); });
    const Floats floats = floats_of(kForward, answer, batch_shape(x.rows(), info_.output), {x.rows(), outputs()});
    std::copy_n(floats.data(), y.size(), y.data());
  }

  void vjp(View<const float> x, View<const float> grad_y, View<float> grad_x, View<float> grad_theta) const override {
    check_shape("input of a twin", x, x.rows(), inputs());
    check_shape("gradient of a twin", grad_y, x.rows(), outputs());
    check_shape("gradient of a twin", grad_x, x.rows(), inputs());
    if (grad_theta.size() > 0) check_shape("gradient of a twin's programme", grad_theta, 1, parameters());
    if (x.rows() == 0) return;
    const py::gil_scoped_acquire lock;
    py::object answer, of_theta;
    guarded(kBack, [&] {
      answer = self_.attr(kBack)(array_of(x, batch_shape(x.rows(), info_.input)),
                                 array_of(grad_y, batch_shape(x.rows(), info_.output)), **programme());
    });
    if (info_.program) {
      if (!py::isinstance<py::tuple>(answer) || py::len(answer) != 2)
        throw refused(kBack, type_name(answer), "(grad_x, grad_theta)");
      of_theta = answer[py::int_(1)];
      answer = answer[py::int_(0)];
    }
    const Floats below = floats_of(kBack, answer, batch_shape(x.rows(), info_.input), {x.rows(), inputs()});
    if (info_.program) {
      const Floats slope = floats_of(kBack, of_theta, info_.program->shape, {parameters()});
      for (Index i = 0; i < grad_theta.size(); ++i) grad_theta(0, i) += slope.data()[i];
    }
    std::copy_n(below.data(), grad_x.size(), grad_x.data());
  }

 private:
  /// theta, of a device that is programmed.
  py::dict programme() const {
    py::dict named;
    if (info_.program) named["theta"] = array_of(theta_, info_.program->shape);
    return named;
  }

  /// What a method returned as float32 of `shape`, or of the same without the sides of a frame, `flat`; finite.
  Floats floats_of(const char* method, const py::object& answer, const std::vector<Index>& shape,
                   const std::vector<Index>& flat) const {
    const std::string wanted = "an array of real numbers " + text_of(shape);
    if (!py::isinstance<py::array>(answer)) throw refused(method, type_name(answer), wanted);
    const auto array = py::reinterpret_borrow<py::array>(answer);
    const std::vector<Index> found(array.shape(), array.shape() + array.ndim());
    const char kind = array.dtype().kind();
    if ((kind != 'f' && kind != 'i' && kind != 'u') || (found != shape && found != flat))
      throw refused(method, std::string(py::str(array.dtype())) + " " + text_of(found), wanted);
    Floats floats(array);
    for (py::ssize_t i = 0; i < floats.size(); ++i)
      if (!std::isfinite(floats.data()[i]))
        throw refused(method, "the number " + std::to_string(floats.data()[i]), "finite numbers");
    return floats;
  }

  DeviceInfo info_;
  Matrix<float> theta_;  ///< empty: not programmable
};
}  // namespace

std::unique_ptr<Twin> open_python_twin(const DeviceAddress& address) {
  const py::gil_scoped_acquire lock;
  const std::string who = "python:" + address.target;
  return std::make_unique<PythonTwin>(who, type_of(address, who), address.settings);
}

}  // namespace lightloop::python
