// The network of a run, as Python has it.
#include "training/network.hpp"

#include <pybind11/stl.h>

#include <algorithm>

#include "core/error.hpp"
#include "python/bindings/arrays.hpp"
#include "python/bindings/bindings.hpp"
#include "training/layers/architecture.hpp"
#include "training/layers/graph.hpp"
#include "training/layers/model.hpp"

namespace lightloop::python {
namespace {

/// As the file of a run holds it: text, activation, parameters, state; a graph as begin, neighbour, weight, or None.
py::tuple network_state(const Network& net) {
  const auto array = [](const auto& all) { return py::array(static_cast<py::ssize_t>(all.size()), all.data()); };
  py::object graph = py::none();
  if (const Graph* of = net.model() ? net.model()->graph().get() : nullptr)
    graph = py::make_tuple(array(of->begin), array(of->neighbour), array(of->weight));
  return py::make_tuple(net.text(), to_string(net.hidden_activation()), array(net.parameters()), array(net.state()),
                        graph);
}

template <class T>
std::vector<T> numbers(const py::handle& from) {
  const auto array = from.cast<py::array_t<T, py::array::c_style | py::array::forcecast>>();
  return {array.data(), array.data() + array.size()};
}

Network network_from(const py::tuple& state) {
  const auto text = state[0].cast<std::string>();
  ModelContext context;
  if (!state[4].is_none()) {
    const auto parts = state[4].cast<py::tuple>();
    Graph graph{.begin = numbers<Index>(parts[0]),
                .neighbour = numbers<std::int32_t>(parts[1]),
                .weight = numbers<float>(parts[2])};
    graph.nodes = static_cast<Index>(graph.begin.size()) - 1;
    context.graph = std::make_shared<const Graph>(std::move(graph));
  }
  Network net = is_widths(text) ? Network(parse_net(text), activation_from(state[1].cast<std::string>()))
                                : Network(parse_model(text, context));
  for (const auto& [place, to] : {std::pair{2, net.parameters()}, {3, net.state()}}) {
    const std::vector<float> from = numbers<float>(state[static_cast<std::size_t>(place)]);
    if (from.size() != to.size())
      throw ShapeMismatch("a pickled network", std::to_string(from.size()) + " numbers",
                          std::to_string(to.size()) + " wanted");
    std::ranges::copy(from, to.begin());
  }
  return net;
}

}  // namespace

void register_network(py::module_& m) {
  const auto fully_connected = [](const Network& n) -> const Network& {
    if (n.model())
      throw Unsupported("weights by layer", n.text(), "for fully connected networks only", "take net.parameters");
    return n;
  };
  py::class_<Network>(m, "Network",
                      "A network: fully connected layers with a linear last one, or blocks of any layers.")
      .def(py::pickle(&network_state, &network_from))
      .def_property_readonly("text", &Network::text)
      .def_property_readonly("fully_connected", [](const Network& n) { return n.model() == nullptr; })
      .def_property_readonly(
          "parameters",
          [](const py::object& self) {
            const auto p = self.cast<const Network&>().parameters();
            return read_only(p.data(), {static_cast<py::ssize_t>(p.size())}, self);
          },
          "Every parameter in one row, a read-only view and not a copy.")
      .def_property_readonly("widths", [](const Network& n) { return n.widths(); })
      .def_property_readonly("tokens", &Network::tokens,
                             "How many answers a sample gets, one for each token of a text.")
      .def_property_readonly("activation", [](const Network& n) { return to_string(n.hidden_activation()); })
      .def(
          "weights",
          [fully_connected](const py::object& self, Index layer) {
            const auto w = fully_connected(self.cast<const Network&>()).weights(layer);
            return read_only(w.data(), {w.rows(), w.cols()}, self);
          },
          py::arg("layer"), "W of one layer (outputs, inputs): a read-only view, not a copy.")
      .def(
          "bias",
          [fully_connected](const py::object& self, Index layer) {
            const auto b = fully_connected(self.cast<const Network&>()).bias(layer);
            return read_only(b.data(), {static_cast<py::ssize_t>(b.size())}, self);
          },
          py::arg("layer"), "b of one layer: a read-only view, not a copy.")
      .def(
          "forward",
          [](const Network& net, const py::object& x, std::uint64_t first_sample) {
            const View<const float> in = float_rows(x, net.widths().front(), "x");
            Activations activations;
            {
              py::gil_scoped_release release;
              forward(net, in, activations, {.first_sample = first_sample});
            }
            const Matrix<float>& last = activations.h.back();
            py::array_t<float> logits({last.rows(), last.cols()});
            std::copy_n(last.data(), last.size(), logits.mutable_data());
            return logits;
          },
          py::arg("x"), py::arg("first_sample") = 0,
          "Logits (rows, classes) of float32 rows. Row r is sample first_sample + r: layers with noise draw by that "
          "number.");
}

}  // namespace lightloop::python
