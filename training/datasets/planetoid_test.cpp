// Citation graphs from files, whole and damaged; networks that train on a part of their nodes.
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "core/hdf5.hpp"
#include "training/datasets/readers.hpp"
#include "training/datasets/test_files.hpp"
#include "training/layers/graph.hpp"

using namespace lightloop;

namespace {

struct Citations {
  std::vector<std::uint8_t> features = {1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 1};
  std::vector<std::int64_t> labels = {0, 1, -1, 1}, edges = {0, 1, 1, 2}, self_loops = {3};
  std::vector<Index> edge_shape = {2, 2};
  std::vector<float> numbers = {};  ///< in place of features
  std::string without = {};         ///< name of a dataset
  std::vector<std::uint8_t> train = {1, 0, 0, 0}, val = {0, 1, 0, 0}, test = {0, 0, 0, 1};

  std::string write(const test::Folder& folder) const {
    const std::string path = folder / "small.h5";
    h5::Writer file(path);
    const auto write = [&]<class T>(const std::string& name, const std::vector<T>& values, std::vector<Index> shape) {
      if (name != without) file.write(name, std::span<const T>(values), shape, "1");
    };
    if (numbers.empty())
      write("/features", features, {4, 3});
    else
      write("/features", numbers, {4, 2});
    write("/labels", labels, {Index(labels.size())});
    write("/edges", edges, edge_shape);
    write("/self_loops", self_loops, {Index(self_loops.size())});
    write("/train_mask", train, {Index(train.size())});
    write("/val_mask", val, {Index(val.size())});
    write("/test_mask", test, {Index(test.size())});
    file.commit();
    return path;
  }
};

std::string refusal(const Citations& citations) {
  const test::Folder folder;
  const std::string path = citations.write(folder);
  try {
    read_planetoid(path);
  } catch (const FileError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a citation graph is read with its split, rows of words divided by their sum") {
  const test::Folder folder;
  const TrainTest both = read_planetoid(Citations{}.write(folder));
  CHECK(both.train.size() == 4);
  CHECK(both.train.counted() == 1);
  CHECK(both.validation.counted() == 1);
  CHECK(both.test.counts == std::vector<std::uint8_t>{0, 0, 0, 1});
  CHECK(both.train.classes == 2);
  CHECK(both.train.graph->edges() == 5);
  CHECK(both.train.graph == both.test.graph);
  Matrix<float> x(2, 3);
  const std::uint32_t which[] = {0, 2};
  both.train.gather(which, x);
  CHECK(x(0, 0) == 0.5f);
  CHECK(x(0, 2) == 0.0f);
  CHECK(x(1, 1) == 0.0f);
  CHECK(both.train.content_sha256() != both.test.content_sha256());
}

TEST_CASE("a damaged citation graph is refused with what is wrong") {
  Citations bad;
  CHECK(refusal(bad) == "");
  bad.edges[1] = 4;
  CHECK_THAT(refusal(bad), Catch::Contains("/edges") && Catch::Contains("0 to 3"));
  bad = {};
  bad.test[2] = 1;
  CHECK_THAT(refusal(bad), Catch::Contains("node 2") && Catch::Contains("has no label"));
  bad = {};
  bad.test[0] = 1;
  CHECK_THAT(refusal(bad), Catch::Contains("more than one of train"));
  bad = {};
  bad.labels.pop_back();
  CHECK_THAT(refusal(bad), Catch::Contains("3 numbers"));
  bad = {};
  bad.edge_shape = {4};
  CHECK_THAT(refusal(bad), Catch::Contains("two columns"));
  bad = {};
  bad.train = {0, 0, 0, 0};
  CHECK_THAT(refusal(bad), Catch::Contains("names no node"));
}

TEST_CASE("a graph of one's own is a data set by its path, features as numbers too, and what is missing is named") {
  const test::Folder folder;
  Citations own;
  own.numbers = {1.5f, -2, 0, 0, 0.25f, 3, 4, 5};
  const TrainTest both = load_dataset(own.write(folder), "", 1);
  CHECK(both.train.graph->edges() == 5);
  CHECK(both.train.features() == 2);
  Matrix<float> x(1, 2);
  const std::uint32_t last[] = {3};
  both.test.gather(last, x);
  CHECK((x(0, 0) == 4 && x(0, 1) == 5));
  for (const char* name : {"/features", "/labels", "/edges", "/train_mask", "/val_mask", "/test_mask"}) {
    const test::Folder another;
    Citations part;
    part.without = name;
    CHECK_THROWS_WITH(load_dataset(part.write(another), "", 1),
                      Catch::Contains("has no " + std::string(name)) && Catch::Contains("docs/file_formats.md"));
  }
  own.numbers[2] = INFINITY;
  CHECK_THAT(refusal(own), Catch::Contains("node 1") && Catch::Contains("infinite"));
}
