#pragma once
// Files of samples. Every malformed one is refused with FileError naming the file, the place in it and the fault.
#include <string>

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

/// A citation graph with its public split (Yang, Cohen, Salakhutdinov, ICML 2016), as tools/planetoid.py stores it:
/// features (n, F) 0 or 1, labels (n) with -1 for none, edges (E, 2), self_loops and the masks train_mask, val_mask and
/// test_mask (n). Rows of the features are divided by their sum. The three parts differ in `counts` only.
TrainTest read_planetoid(const std::string& path);

/// A text as load_dataset describes, windows of `tokens` characters. Codes are places in the sorted alphabet of the
/// whole file. The yardstick of the test part is its bits per character when every character is guessed by how often it
/// stands in the training part (with one added to each count). Throws FileError for a text that is too short.
TrainTest read_text(const std::string& path, Index tokens);
/// The same text in the codes of another alphabet. Throws InvalidParameter naming a character that is not in it.
void recode(Dataset& text, const std::string& alphabet);

}  // namespace lightloop
