#include "training/activation_bytes.hpp"

namespace lightloop {
namespace {

/// What `sizes` numbers of T would take is left; a damaged count must not be allocated.
Index checked(ByteReader& in, Index count, std::size_t each) {
  if (count < 0 || static_cast<std::size_t>(count) > in.left() / each) in.refuse("damaged");
  return count;
}

template <class T>
void put_matrix(ByteWriter& out, const Matrix<T>& matrix) {
  out.put(matrix.rows());
  out.put(matrix.cols());
  out.put_all<T>(matrix.flat());
}

template <class T>
void get_matrix(ByteReader& in, Matrix<T>& matrix) {
  const auto rows = in.get<Index>(), cols = in.get<Index>();
  if (rows < 0 || cols < 0 || (cols > 0 && rows > static_cast<Index>(in.left() / sizeof(T)) / cols))
    in.refuse("damaged");
  matrix.resize(rows, cols);
  in.get_all(matrix.flat());
}

template <class T, class Put>
void put_each(ByteWriter& out, const std::vector<T>& all, const Put& put_one) {
  out.put(static_cast<Index>(all.size()));
  for (const T& one : all) put_one(out, one);
}

template <class T, class Get>
void get_each(ByteReader& in, std::vector<T>& all, const Get& get_one) {
  all.resize(static_cast<std::size_t>(checked(in, in.get<Index>(), sizeof(Index))));
  for (T& one : all) get_one(in, one);
}

void put_memory(ByteWriter& out, const LayerMemory& memory) {
  put_each(out, memory.kept, put_matrix<float>);
  put_matrix(out, memory.sums);
  put_matrix(out, memory.places);
  put_each(out, memory.inner, put_memory);
  out.put(memory.training);
  out.put(memory.instance);
}

void get_memory(ByteReader& in, LayerMemory& memory) {
  get_each(in, memory.kept, get_matrix<float>);
  get_matrix(in, memory.sums);
  get_matrix(in, memory.places);
  get_each(in, memory.inner, get_memory);
  memory.training = in.get<std::uint8_t>() != 0;
  memory.instance = in.get<std::uint64_t>();
}

}  // namespace

void put(ByteWriter& out, const Matrix<float>& matrix) { put_matrix(out, matrix); }
void get(ByteReader& in, Matrix<float>& matrix) { get_matrix(in, matrix); }

void put_all(ByteWriter& out, const std::vector<Index>& values) {
  out.put(static_cast<Index>(values.size()));
  out.put_all<Index>(values);
}

void get_all(ByteReader& in, std::vector<Index>& values) {
  values.resize(static_cast<std::size_t>(checked(in, in.get<Index>(), sizeof(Index))));
  in.get_all(std::span(values));
}

void put(ByteWriter& out, const Activations& activations) {
  put_each(out, activations.h, put_matrix<float>);
  put_each(out, activations.memory, put_memory);
  put_each(out, activations.mapped, put_matrix<float>);
  put_each(out, activations.seen, put_matrix<float>);
  out.put(activations.clipped);
}

void get(ByteReader& in, Activations& activations) {
  get_each(in, activations.h, get_matrix<float>);
  get_each(in, activations.memory, get_memory);
  get_each(in, activations.mapped, get_matrix<float>);
  get_each(in, activations.seen, get_matrix<float>);
  activations.clipped = in.get<std::uint8_t>() != 0;
}

}  // namespace lightloop
