#include <cstdlib>
#include <filesystem>

#include "training/datasets/dataset.hpp"

namespace lightloop {
namespace {
constexpr const char* kMnist = "http://yann.lecun.com/exdb/mnist/";
constexpr const char* kMnistMirror = "https://ossci-datasets.s3.amazonaws.com/mnist/";
constexpr const char* kFashion = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/";
constexpr const char* kFashionMirror =
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/";

KnownDataset::File file(const char* name, const char* from, const char* mirror, const char* sha256,
                        std::int64_t bytes) {
  return {name, std::string(from) + name, sha256, bytes, std::string(mirror) + name};
}
/// The graphs are published as pickles of Python objects, which the program does not read.
KnownDataset planetoid(const std::string& name, const std::string& summary) {
  return {name,
          summary + " (Sen et al. 2008; split of Yang, Cohen, Salakhutdinov)",
          "MIT, research use",
          {},
          "Take the eight files ind." + name +
              ".* from the folder data of https://github.com/kimiyoung/planetoid, then: " +
              "/usr/bin/python3 tools/planetoid.py FOLDER " + name + " -o DATA/planetoid/" + name + ".h5"};
}
}  // namespace

const std::vector<KnownDataset>& known_datasets() {
  static const std::vector<KnownDataset> sets = {
      {"digits", "stroke digits 0-9 drawn by the program, 28 x 28, 10000 + 2000 samples", "none needed", {}},
      {"mnist",
       "handwritten digits 0-9, 28 x 28, 60000 + 10000 samples (LeCun, Cortes, Burges)",
       "CC BY-SA 3.0",
       {file("train-images-idx3-ubyte.gz", kMnist, kMnistMirror,
             "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", 9912422),
        file("train-labels-idx1-ubyte.gz", kMnist, kMnistMirror,
             "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", 28881),
        file("t10k-images-idx3-ubyte.gz", kMnist, kMnistMirror,
             "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", 1648877),
        file("t10k-labels-idx1-ubyte.gz", kMnist, kMnistMirror,
             "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", 4542)}},
      {"fashion",
       "pictures of clothing in 10 classes, 28 x 28, 60000 + 10000 samples (Xiao, Rasul, Vollgraf)",
       "MIT",
       {file("train-images-idx3-ubyte.gz", kFashion, kFashionMirror,
             "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84", 26421880),
        file("train-labels-idx1-ubyte.gz", kFashion, kFashionMirror,
             "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", 29515),
        file("t10k-images-idx3-ubyte.gz", kFashion, kFashionMirror,
             "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073", 4422102),
        file("t10k-labels-idx1-ubyte.gz", kFashion, kFashionMirror,
             "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", 5148)}},
      planetoid("cora", "graph of 2708 papers in 7 classes, 1433 words, 140 + 500 + 1000 labels"),
      planetoid("citeseer", "graph of 3327 papers in 6 classes, 3703 words, 120 + 500 + 1000 labels"),
      {"vowels",
       "seven vowels of 37 women, twelve formants behind room for a label, 210 + 49 samples (Hillenbrand et al. 1995)",
       "none stated, free for research",
       {},
       "Take vowdata.dat from https://homepages.wmich.edu/~hillenbr/voweldata.html and put it into DATA/vowels"},
      {"japanese_vowels",
       "nine speakers of one vowel, 36 coefficients behind room for a label, 270 + 370 samples (Kudo et al. 1999)",
       "CC BY 4.0",
       {},
       "Take ae.train and ae.test from https://archive.ics.uci.edu/dataset/128 and put them into "
       "DATA/japanese_vowels"},
      {"shakespeare",
       "1115394 characters of plays, 65 distinct (Shakespeare; chosen by Karpathy)",
       "public domain",
       {{"tinyshakespeare.txt",
         "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
         "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed", 1115394}}},
      {"clicks", "click log of six fields of 40 values drawn by the program, 30000 + 20000 samples", "none needed", {}},
      {"picture", "picture of 64 x 64 pixels drawn by the program, colours as real targets", "none needed", {}}};
  return sets;
}

std::vector<std::string> data_folders(const std::string& data_dir) {
  std::vector<std::string> folders;
  if (!data_dir.empty()) folders.push_back(data_dir);
  if (const char* path = std::getenv("LIGHTLOOP_DATA"); path && *path) folders.emplace_back(path);
  if (const char* home = std::getenv("HOME"); home && *home)
    folders.push_back((std::filesystem::path(home) / ".cache" / "lightloop").string());
  return folders;
}

}  // namespace lightloop
