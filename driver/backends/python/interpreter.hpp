#pragma once
// An interpreter for programs that are not Python themselves. libpython is looked up by name and called through its
// stable interface: the library neither links it nor needs its headers.

namespace lightloop::python {

/// Starts an interpreter if there is none and imports the package `lightloop`, which sets the hook. Throws Unsupported
/// saying what is missing. Calling it again is cheap; the interpreter lock is not held afterwards.
void import_package();

}  // namespace lightloop::python
