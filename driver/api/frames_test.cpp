#include "driver/api/frames.hpp"

#include <catch2/catch.hpp>

#include "core/error.hpp"

namespace lightloop {

TEST_CASE("a format knows the size, the storage and the highest code") {
  const FrameFormat image{{3, 4}, 12, "camera code"};
  CHECK(image.size() == 12);
  CHECK(image.bytes() == 2);
  CHECK(image.highest() == 4095);
  CHECK(FrameFormat{{5}, 1, ""}.bytes() == 1);
  CHECK(FrameFormat{}.size() == 0);
}

TEST_CASE("a slice of frames carries its auxiliary codes along") {
  Matrix<std::uint8_t> codes(4, 2);
  Matrix<std::uint16_t> aux(4, 1);
  for (Index r = 0; r < 4; ++r) {
    codes(r, 1) = static_cast<std::uint8_t>(10 + r);
    aux(r, 0) = static_cast<std::uint16_t>(100 + r);
  }
  const ConstFrames part = ConstFrames(View<const std::uint8_t>(codes), aux.view()).slice(1, 2);
  CHECK(part.count == 2);
  CHECK(part.at(1, 1) == 12);
  CHECK(part.u8()(0, 1) == 11);
  CHECK(part.aux(1, 0) == 102);
  CHECK_THROWS_AS(part.slice(1, 2), OutOfRange);
  CHECK_THROWS_AS(part.slice(-1, 1), OutOfRange);
}

TEST_CASE("codes cannot be read with the wrong width, and views with gaps are refused") {
  Matrix<std::uint8_t> codes(4, 6);
  const Frames frames(codes.view());
  CHECK_THROWS_AS(frames.u16(), InternalError);
  CHECK_THROWS_AS(frames.as_const().u16(), InternalError);
  CHECK_THROWS_AS(Frames(codes.view().cols(0, 3)), ShapeMismatch);
  CHECK_THROWS_AS(ConstFrames(View<const std::uint8_t>(codes.view().cols(1, 3))), ShapeMismatch);
}

TEST_CASE("a buffer holds two-byte codes, survives a copy and keeps its memory") {
  FrameBuffer buffer({{3}, 12, ""}, 2);
  CHECK(buffer.frames().at(1, 2) == 0);
  buffer.frames().set(1, 2, 4000);
  const FrameBuffer copy = buffer;
  buffer.frames().set(1, 2, 1);
  CHECK(copy.frames().at(1, 2) == 4000);
  CHECK(copy.frames().u16()(1, 2) == 4000);
  const void* memory = buffer.frames().data;
  buffer.resize({{3}, 8, ""}, 3);
  CHECK(buffer.frames().data == memory);
  CHECK(buffer.frames().count == 3);
  CHECK(buffer.frames().bytes == 1);
}

}  // namespace lightloop
