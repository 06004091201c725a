#include "python/bindings/bindings.hpp"

PYBIND11_MODULE(_core, m) {
  using namespace lightloop::python;
  m.doc() = "Lightloop's C++ library. Use the names of the package `lightloop`.";
  m.attr("__version__") = LIGHTLOOP_VERSION;
  register_errors(m);
  register_params(m);
  register_device(m);
  register_projection(m);
  register_layer(m);
  register_random(m);
  register_datasets(m);
  register_reservoir(m);
  register_metrics(m);
  register_tasks(m);
  register_measures(m);
  register_masks(m);
  register_network(m);
  register_train(m);
  register_runs(m);
  register_analog(m);
  register_twin(m);
}
