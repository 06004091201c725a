#pragma once
// Files of samples. Every malformed one is refused with FileError naming the file, the place in it and the fault.
#include <array>
#include <string>
#include <vector>

#include "training/datasets/dataset.hpp"

namespace lightloop {

/// IDX images and labels, gzip or plain: big-endian header 00 00 08 ndim, ndim 32-bit sizes, then unsigned bytes.
/// `classes` is the largest label + 1.
Dataset read_idx(const std::string& images, const std::string& labels);

/// Comma, semicolon or tab separated numbers, as load_dataset describes.
Dataset read_csv(const std::string& path);

/// Samples and labels of one group ("/", "/train") of an HDF5 file.
Dataset read_hdf5(const std::string& path, const std::string& group);
/// Whether that group holds samples.
bool hdf5_has_samples(const std::string& path, const std::string& group);

/// A graph of which some nodes have labels, as tools/planetoid.py stores the citation graphs with their public split
/// (Yang, Cohen, Salakhutdinov, ICML 2016): features (n, F), labels (n) with -1 for none, edges (E, 2), either way or
/// both, self_loops where there are, and the masks train_mask, val_mask and test_mask (n). Rows of features stored as
/// bytes are divided by their sum, other numbers taken as they are. The three parts differ in `counts` only.
TrainTest read_planetoid(const std::string& path);
/// Whether a file holds features or edges.
bool hdf5_has_graph(const std::string& path);

/// A text as load_dataset describes, windows of `tokens` characters. Codes are places in the sorted alphabet of the
/// whole file. The yardstick of the test part is its bits per character when every character is guessed by how often it
/// stands in the training part (with one added to each count). Throws FileError for a text that is too short.
TrainTest read_text(const std::string& path, Index tokens);
/// The same text in the codes of another alphabet. Throws InvalidParameter naming a character that is not in it.
void recode(Dataset& text, const std::string& alphabet);

/// Vowels of women (Hillenbrand, Getty, Clark, Wheeler, J. Acoust. Soc. Am. 97, 3099 (1995)) from their file
/// vowdata.dat: the samples of the published task of physics-aware training (Wright, Onodera et al., Nature 601, 549
/// (2022)), seven vowels (ae ah aw uw er iy ih) by 37 women each, their F1 to F3 steady and at 20, 50 and 80 % of the
/// vowel. Seven blank features (room for the label of forward-only rules), then these twelve, mean 0 and deviation 1
/// over the training samples; the published numbers are divided by the largest of all samples instead. Seven of each
/// vowel are the test samples, by Stream(seed, 0, task_data), row = vowel, and not the published split.
/// Throws FileError for a table in which these are not 37 each.
TrainTest read_vowels(const std::string& path, std::uint64_t seed);

/// One utterance: 12 LPC cepstrum coefficients a frame.
using Utterance = std::vector<std::array<double, 12>>;
/// The Japanese vowels (Kudo, Toyama, Shimbo, Pattern Recognit. Lett. 20, 1103 (1999)): 270 and 370 utterances by nine
/// speakers. A line of ones ends an utterance.
struct Utterances {
  std::vector<Utterance> train, test;
  std::vector<std::uint8_t> train_speaker, test_speaker;
};
std::vector<Utterance> read_utterances(const std::string& path);
Utterances read_japanese_vowels(const std::string& train, const std::string& test);
/// As samples: nine blank features, then the means of the coefficients over the first, second and last third of the
/// utterance, standardised as read_vowels does.
TrainTest japanese_vowels_data(const std::string& train_file, const std::string& test_file);

}  // namespace lightloop
