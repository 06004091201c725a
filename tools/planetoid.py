#!/usr/bin/python3
"""Converts a citation graph from the pickles it is published as (ind.NAME.x, tx, allx, y, ty, ally, graph, test.index) to HDF5.

usage: /usr/bin/python3 tools/planetoid.py FOLDER NAME -o NAME.h5

Pickles may run any code: only the array types that these hold are made, anything else is refused. Nodes are in the order of the
usual loaders: rows of allx, then the test nodes where test.index says. Needs numpy, scipy and h5py.
"""
import argparse
import pathlib
import pickle
import sys

import h5py
import numpy
import scipy.sparse

ALLOWED = {  # what the files name, as published with Python 2 and an older scipy
    ("scipy.sparse.csr", "csr_matrix"): scipy.sparse.csr_matrix,
    ("scipy.sparse._csr", "csr_matrix"): scipy.sparse.csr_matrix,
    ("collections", "defaultdict"): __import__("collections").defaultdict,
    ("__builtin__", "list"): list,
    ("builtins", "list"): list,
    ("numpy", "ndarray"): numpy.ndarray,
    ("numpy", "dtype"): numpy.dtype,
    ("numpy.core.multiarray", "_reconstruct"): numpy.core.multiarray._reconstruct,
    ("numpy.core.multiarray", "scalar"): numpy.core.multiarray.scalar,
    ("_codecs", "encode"): __import__("_codecs").encode,
}


class Arrays(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in ALLOWED:
            raise SystemExit(f"planetoid.py: a pickle asks for {module}.{name}: refused")
        return ALLOWED[module, name]


def read(folder, name):
    part = {}
    for key in ("x", "tx", "allx", "y", "ty", "ally", "graph"):
        with open(folder / f"ind.{name}.{key}", "rb") as file:
            part[key] = Arrays(file, encoding="latin1").load()
    part["test"] = numpy.array([int(line) for line in open(folder / f"ind.{name}.test.index")])
    return part


def convert(part):
    known, test = part["allx"].shape[0], part["test"]
    nodes = max(int(test.max()) + 1, known + len(test))  # a few test nodes of Citeseer are in no file
    features = numpy.zeros((nodes, part["allx"].shape[1]), numpy.uint8)
    labels = numpy.full(nodes, -1, numpy.int16)
    for rows, x, y in ((numpy.arange(known), part["allx"], part["ally"]), (test, part["tx"], part["ty"])):
        features[rows] = x.toarray() != 0
        y = numpy.asarray(y)
        labels[rows] = numpy.where(y.sum(axis=1) > 0, y.argmax(axis=1), -1)
    pairs = {(min(i, j), max(i, j)) for i, heard in part["graph"].items() for j in heard}
    edges = numpy.array(sorted(p for p in pairs if p[0] != p[1]), numpy.int32).reshape(-1, 2)
    masks = numpy.zeros((3, nodes), numpy.uint8)
    train = part["x"].shape[0]
    masks[0, :train] = 1
    masks[1, train:min(train + 500, known)] = 1
    masks[2, test] = 1
    return {"features": features, "labels": labels, "edges": edges,
            "self_loops": numpy.array(sorted(i for i, j in pairs if i == j), numpy.int32),
            "train_mask": masks[0], "val_mask": masks[1], "test_mask": masks[2]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("name", help="cora or citeseer")
    parser.add_argument("-o", "--out", type=pathlib.Path, required=True)
    options = parser.parse_args()
    if options.out.exists():
        raise SystemExit(f"planetoid.py: {options.out} exists already")
    try:
        content = convert(read(options.folder, options.name))
    except (OSError, ValueError, KeyError, IndexError, AttributeError, TypeError, EOFError, pickle.UnpicklingError) as fault:
        raise SystemExit(f"planetoid.py: {options.folder}: {fault}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(options.out, "w", libver="earliest") as file:
        for name, values in content.items():
            file.create_dataset(name, data=values, **({"compression": 9, "shuffle": True} if values.size else {}))
    print(f"{options.out}: {len(content['labels'])} nodes, {len(content['edges'])} edges")


if __name__ == "__main__":
    sys.exit(main())
