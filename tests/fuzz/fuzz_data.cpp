// Measured data from elsewhere. The first byte chooses: the matrix of a wave system, whose datasets and attributes are
// taken from the input, inside a sound HDF5 file; a table of vowels; utterances. Only a lightloop::Error may come out;
// what was read must be finite.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "core/error.hpp"
#include "core/hdf5.hpp"
#include "devices/wave/params.hpp"
#include "tests/fuzz/script.hpp"
#include "training/datasets/readers.hpp"

namespace lightloop {
namespace {
fuzz::Script script;

template <class Numbers>
void require_finite(const Numbers& numbers, const char* what) {
  for (const auto v : numbers) {
    if (std::isfinite(v)) continue;
    std::fprintf(stderr, "not finite: %s\n", what);
    std::abort();
  }
}

void dataset(h5::Writer& file, const std::string& path, std::vector<Index> shape) {
  const std::uint8_t how = script.byte();
  if (how == 255) return;  // left out
  if (how == 254) shape.push_back(1 + script.byte() % 3);
  if (how == 253) shape[0] = script.byte() % 5;
  std::size_t size = 1;
  for (const Index n : shape) size *= static_cast<std::size_t>(n);
  std::vector<double> values(size);
  for (double& v : values) {
    const std::uint8_t small = script.byte();
    v = small < 240 ? small / 32.0 : script.number<double>();
  }
  file.write(path, std::span<const double>(values), shape, "1");
}

void try_matrix(const std::string& path) {
  fuzz::attempt([&] {
    h5::Writer file(path);
    const Index outputs = 1 + script.byte() % 3, inputs = 1 + script.byte() % 3;
    dataset(file, "/matrix", {outputs, inputs, 2});
    dataset(file, "/offset", {outputs, 2});
    for (const char* name : {"/full_scale", "/noise"}) dataset(file, name, {outputs});
    for (const char* name : {"encoding", "detection"})
      if (script.byte() % 2 == 1)
        file.attribute("/", name, script.byte() % 2 == 1 ? script.value() : Value(std::string("amplitude")));
    file.commit();
  });
  fuzz::attempt([&] {
    using namespace wave;
    const Medium medium = read_medium(path);
    for (const auto* all : {&medium.offset_re, &medium.offset_im, &medium.full_scale, &medium.noise})
      require_finite(*all, "numbers of the file");
    for (const std::string& detection : detections()) {
      ParamSet asked("sim:wave", params());
      asked.set({{"detection", detection}});
      fuzz::attempt([&] {
        const Scales scales(asked, medium);
        for (Index i = 0; i < medium.outputs(); ++i) {
          const auto re = static_cast<double>(medium.re(i, 0)), im = static_cast<double>(medium.im(i, 0));
          const auto [a, b] = scales.slope(i, re, im);
          require_finite(std::vector<double>{scales.code(i, scales.signal(i, re, im)), scales.noise(i), a, b}, "codes");
        }
      });
    }
  });
}

void try_text(int which, const std::string& path, const std::string& text) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (!file) std::abort();
  std::fwrite(text.data(), 1, text.size(), file);
  std::fclose(file);
  fuzz::attempt([&] {
    if (which == 1) {
      const TrainTest both = read_vowels(path, 1);
      require_finite(both.train.floats.flat(), "vowels");
    } else {
      for (const Utterance& one : read_utterances(path))
        for (const auto& frame : one) require_finite(frame, "utterances");
    }
  });
}
}  // namespace
}  // namespace lightloop

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lightloop;
  if (size == 0) return 0;
  static const std::string matrix = fuzz::scratch_file(".h5"), table = fuzz::scratch_file(".txt");
  const int which = data[0] % 3;
  script = fuzz::Script(data + 1, size - 1);
  which == 0 ? try_matrix(matrix) : try_text(which, table, std::string(data + 1, data + size));
  return 0;
}
