#include "core/factor.hpp"

namespace lightloop {

Matrix<float>& Factor::change() {
  for (Side& side : sides_) side.products = 0;
  return matrix_;
}

void Factor::multiply(float alpha, View<const float> a, Transpose t, float beta, View<float> c) {
  Side& side = sides_[t == Transpose::yes ? 1 : 0];
  if (side.products == 0) {  // perhaps the only one
    gemm(Transpose::no, t, alpha, a, matrix_, beta, c);
    side.products = 1;
    return;
  }
  if (side.products == 1) side.packed.pack(t, matrix_);
  side.products = 2;
  gemm(Transpose::no, alpha, a, side.packed, beta, c);
}

}  // namespace lightloop
