// What heads, patterns, probes and CKA see of an image.
#include "training/rules/head_view.hpp"

#include <catch2/catch.hpp>

#include "core/random.hpp"
#include "training/clusters_for_tests.hpp"
#include "training/trainer.hpp"

using namespace lightloop;

namespace {

/// Noise around 0, and 1 on an eighth of the long axis; the class is the quarter that this begins.
Dataset bands(std::uint64_t seed, Index samples, Index height, Index width) {
  Dataset data = clusters(samples, seed, height * width, 4);
  data.sample_shape = {height, width, 1};
  const Stream noise(seed, 0, Purpose::user);
  const Index length = std::max(height, width);
  for (Index s = 0; s < samples; ++s) {
    noise.normal(std::uint64_t(s), 0, data.floats.row(s));
    for (Index i = 0; i < height * width; ++i) {
      const Index place = height > width ? i / width : i % width, from = s % 4 * length / 4;
      data.floats(s, i) = 0.3f * data.floats(s, i) + (place >= from && place < from + length / 8 ? 1.0f : 0.0f);
    }
  }
  return data;
}

}  // namespace

TEST_CASE("an image of any sides is averaged over its parts: as many along either side") {
  struct Case {
    Shape image;
    Index window_h, window_w, stride_h, stride_w;
  };
  for (const Case& c :
       {Case{{1, 100, 1}, 1, 25, 1, 25}, Case{{100, 1, 2}, 25, 1, 25, 1}, Case{{64, 16, 2}, 16, 4, 16, 4},
        Case{{28, 28, 3}, 7, 7, 7, 7}, Case{{27, 27, 1}, 9, 9, 6, 6}, Case{{3, 30, 1}, 1, 9, 1, 7}}) {
    HeadView view(c.image, 4);
    INFO(shape_text(c.image));
    const Index rows = std::min<Index>(4, c.image[0]), cols = std::min<Index>(4, c.image[1]), n = c.image[2];
    REQUIRE(view.shape() == Shape{rows, cols, n});
    Matrix<float> h(2, elements(c.image));
    for (Index r = 0; r < 2; ++r) Stream(3, 0, Purpose::user).normal(std::uint64_t(r), 0, h.row(r));
    const View<const float> seen = view.see(h);
    for (Index i = 0; i < rows; ++i)
      for (Index j = 0; j < cols; ++j) {
        double sum = 0;
        for (Index u = 0; u < c.window_h; ++u)
          for (Index v = 0; v < c.window_w; ++v)
            sum += double(h(1, ((i * c.stride_h + u) * c.image[1] + j * c.stride_w + v) * n));
        CHECK(double(seen(1, (i * cols + j) * n)) == Approx(sum / double(c.window_h * c.window_w)).margin(1e-6));
      }
    Matrix<float> delta(2, view.width());
    for (Index r = 0; r < 2; ++r) Stream(4, 0, Purpose::user).normal(std::uint64_t(r), 0, delta.row(r));
    double forth = 0, back = 0;  // <see(h), d> = <h, back(d)>
    for (Index r = 0; r < 2; ++r)
      for (Index k = 0; k < delta.cols(); ++k) forth += double(seen(r, k)) * double(delta(r, k));
    view.back(h, delta);
    for (std::size_t k = 0; k < h.flat().size(); ++k) back += double(h.flat()[k]) * double(delta.flat()[k]);
    CHECK(back == Approx(forth).margin(1e-4));
  }
}

TEST_CASE("local losses know where along the long side of an image something is") {
  for (const Shape& image : {Shape{64, 8}, Shape{8, 64}})
    for (const char* rule : {"sff", "local"}) {
      const TrainResult result =
          train({{"train.net", "conv 4 1, relu | flatten, dense 16, relu | dense classes"},
                 {"train.rule", rule},
                 {"train.batch", std::int64_t{32}},
                 {"train.epochs", std::int64_t{4}},
                 {"train.lr", 1e-2}},
                {bands(1, 400, image[0], image[1]), bands(2, 200, image[0], image[1])}, Registry(), {});
      INFO(rule << " on " << shape_text(image));
      CHECK(result.epochs.back().layer_loss.at(0) < 0.3);  // blind to the place: 1.3 and more
    }
}
