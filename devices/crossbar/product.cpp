#include "devices/crossbar/product.hpp"

#include <algorithm>
#include <cmath>

#include "core/threads.hpp"

namespace lightloop::crossbar {
namespace {

constexpr double kWire = 0.35 * 5e-6;  // ohm x siemens: loss per cell and unit of current (aihwkit's figures)

ReadLaw law_of(const std::string& name) {
  if (name == "additive") return ReadLaw::additive;
  return name == "pcm_read" ? ReadLaw::pcm_read : ReadLaw::device;
}

}  // namespace

Imperfections imperfections(const ParamSet& params) {
  return {law_of(params.text("read_law")), params.real("read_noise"), params.real("ir_drop"),
          params.real("voltage_offset")};
}

bool reads_noisily(const Imperfections& what, const Cells& cells) {
  return what.law == ReadLaw::device ? cells.read_variances().rows() > 0 : what.read_noise > 0;
}

void Product::compute(Cells& cells, const Imperfections& what, bool forward) {
  const Index n = voltages_.cols();
  Factor& w = cells.weights();
  const Index outputs = forward ? w.rows() : w.cols();
  const bool wires = what.ir_drop > 0;
  const bool own = what.law == ReadLaw::device && cells.read_variances().rows() > 0;
  const bool squares = squares_ = own || (what.law == ReadLaw::pcm_read && what.read_noise > 0);
  squares_at_ = wires ? rows_ : 0;
  if (wires || squares) sizes_.resize(squares_at_ + (squares ? rows_ : 0), n);
  drive_.resize(static_cast<std::size_t>(rows_));
  parallel_for(rows_, [&](Index r) {
    const std::span<const float> v = voltages_.row(r);
    if (what.law == ReadLaw::additive && what.read_noise > 0) {
      float sums[16] = {};  // fixed partial sums: vector code with the same bits everywhere
      std::size_t j = 0;
      for (; j + 16 <= v.size(); j += 16)
        for (std::size_t k = 0; k < 16; ++k) sums[k] += v[j + k] * v[j + k];
      double sum = 0;
      for (; j < v.size(); ++j) sum += static_cast<double>(v[j]) * v[j];
      for (const float part : sums) sum += static_cast<double>(part);
      drive_[static_cast<std::size_t>(r)] = sum;
    }
    if (wires) {
      const std::span<float> placed = voltages_.row(rows_ + r), size = sizes_.row(r);
      for (std::size_t j = 0; j < v.size(); ++j) {
        const float rest = 1.0f - static_cast<float>(j) / static_cast<float>(n);
        placed[j] = v[j] * (1.0f - rest * rest);
        size[j] = std::abs(v[j]);
      }
    }
    if (squares)
      for (std::size_t j = 0; j < v.size(); ++j) sizes_(squares_at_ + r, static_cast<Index>(j)) = v[j] * v[j];
  });
  const Transpose side = forward ? Transpose::yes : Transpose::no;
  const Index stacked = wires ? 2 * rows_ : rows_;
  products_.resize(stacked, outputs);
  w.multiply(1.0f, voltages_.view().rows(0, stacked), side, 0.0f, products_);
  if (!wires && !squares) return;
  size_products_.resize(sizes_.rows(), outputs);
  const Index by_conductance = squares && !own ? sizes_.rows() : squares_at_;
  if (by_conductance > 0)
    cells.conductances().multiply(1.0f, sizes_.view().rows(0, by_conductance), side, 0.0f,
                                  size_products_.view().rows(0, by_conductance));
  if (own)
    cells.read_variances().multiply(1.0f, sizes_.view().rows(squares_at_, rows_), side, 0.0f,
                                    size_products_.view().rows(squares_at_, rows_));
}

void Product::outputs(const Imperfections& what, Index row, Index first, std::span<float> out) const {
  const auto part = [&](const Matrix<float>& m, Index r) { return m.row(r).data() + first; };
  const float* y = part(products_, row);
  std::copy_n(y, out.size(), out.data());
  if (what.ir_drop > 0) {
    const float *placed = part(products_, rows_ + row), *current = part(size_products_, row);
    const auto scale = static_cast<float>(kWire * static_cast<double>(voltages_.cols()));
    const auto strength = static_cast<float>(what.ir_drop);
    for (std::size_t i = 0; i < out.size(); ++i) {
      const float a = scale * current[i];
      out[i] -= strength * (a * (a * (0.05f * a - 0.2f) + 0.5f)) * placed[i];
    }
  }
}

double Product::row_variance(const Imperfections& what, Index row) const {
  if (what.law != ReadLaw::additive || what.read_noise == 0) return 0;
  return what.read_noise * what.read_noise * drive_[static_cast<std::size_t>(row)];
}

void Product::variances(const Imperfections& what, Index row, Index first, std::span<float> out) const {
  const float* sums = size_products_.row(squares_at_ + row).data() + first;
  const auto scale = static_cast<float>(what.law == ReadLaw::device ? 1.0 : what.read_noise * what.read_noise);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = scale * sums[i];
}

}  // namespace lightloop::crossbar
