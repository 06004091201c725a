#include "devices/pendula/twin.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/threads.hpp"
#include "devices/pendula/params.hpp"

namespace lightloop::pendula {
namespace {

constexpr Index kLongestPath = Index{1} << 22;  // 64 MiB for every thread (assumed to be there)

class PendulaTwin : public Twin {
 public:
  explicit PendulaTwin(const ParamSet& params)
      : scales_(params), chain_(scales_.chain(std::vector<double>(static_cast<std::size_t>(scales_.parameters())))) {
    check_turn(scales_.fastest(), scales_.step_s);
  }
  Index inputs() const override { return scales_.size; }
  Index outputs() const override { return scales_.size; }
  Index parameters() const override { return scales_.parameters(); }

  void program(View<const float> theta) override {
    check_twin_programme("pendula", *this, theta);
    std::vector<double> settings;
    for (const float code : theta.row(0)) settings.push_back(static_cast<double>(code) / scales_.middle_program - 1);
    chain_ = scales_.chain(settings);
  }

  void forward(View<const float> x, View<float> y) const override {
    parallel_for(x.rows(), [&](Index r) {
      std::vector<double> state = start(x.row(r));
      swing(chain_, scales_.step_s, scales_.steps, state);
      for (Index i = 0; i < outputs(); ++i)
        y(r, i) = static_cast<float>(scales_.middle_out * (1 + state[static_cast<std::size_t>(i)] / scales_.range_rad));
    });
  }

  void vjp(View<const float> x, View<const float> grad_y, View<float> grad_x, View<float> grad_theta) const override {
    if (scales_.steps * scales_.size > kLongestPath)
      throw OutOfRange("sim:pendula: gradient over steps x pendula",
                       std::to_string(scales_.steps) + " x " + std::to_string(scales_.size),
                       std::to_string(kLongestPath) + " at most: the way there is kept",
                       "Take a shorter time_s or a longer step_s.");
    const auto n = static_cast<std::size_t>(inputs());
    std::vector<ChainGradient> all(grad_theta.empty() ? 0 : static_cast<std::size_t>(x.rows()));
    parallel_for(x.rows(), [&](Index r) {
      std::vector<double> g(2 * n);
      for (std::size_t i = 0; i < n; ++i)
        g[i] = static_cast<double>(grad_y(r, static_cast<Index>(i))) * scales_.middle_out / scales_.range_rad;
      ChainGradient* own = nullptr;
      if (!all.empty()) {
        own = &all[static_cast<std::size_t>(r)];
        own->values.assign(3 * n, 0.0);
      }
      swing_back(chain_, scales_.step_s, scales_.steps, start(x.row(r)), g, own);
      for (std::size_t i = 0; i < n; ++i)
        grad_x(r, static_cast<Index>(i)) = static_cast<float>(g[i] * scales_.encoding_rad / scales_.middle_in);
    });
    for (Index k = 0; k < grad_theta.cols(); ++k) {
      double sum = 0;  // row by row, in double precision: the same bits for any number of threads
      for (const ChainGradient& one : all) sum += one.values[static_cast<std::size_t>(k)];
      grad_theta(0, k) += static_cast<float>(sum * scales_.slope(k) / scales_.middle_program);
    }
  }

 private:
  std::vector<double> start(std::span<const float> codes) const {
    std::vector<double> state(2 * codes.size());
    for (std::size_t i = 0; i < codes.size(); ++i)
      state[i] = scales_.encoding_rad * (static_cast<double>(codes[i]) / scales_.middle_in - 1);
    return state;
  }

  Scales scales_;
  Chain chain_;
};

}  // namespace

std::unique_ptr<Twin> make_twin(const ParamSet& params) { return std::make_unique<PendulaTwin>(params); }

}  // namespace lightloop::pendula
