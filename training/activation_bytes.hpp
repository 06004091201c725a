#pragma once
// What a forward pass left behind, in a snapshot.
#include <vector>

#include "core/bytes.hpp"
#include "training/network.hpp"

namespace lightloop {

void put(ByteWriter& out, const Matrix<float>& matrix);
void put_all(ByteWriter& out, const std::vector<Index>& values);
/// Without workspaces; of passes made in memory (LayerMemory::products null).
void put(ByteWriter& out, const Activations& activations);

/// Read what put() wrote. Throw InvalidParameter for bytes that hold less than they say.
void get(ByteReader& in, Matrix<float>& matrix);
void get_all(ByteReader& in, std::vector<Index>& values);
void get(ByteReader& in, Activations& activations);

}  // namespace lightloop
