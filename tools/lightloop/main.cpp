// The one place where devices meet training: see cli.cpp.
#include <malloc.h>

#include "tools/lightloop/command.hpp"

int main(int argc, char** argv) {
  // glibc raises this bound after the first large free, and a run file growing on its heap would then be copied as it
  // grows: 11 MB more at the peak of an MNIST run.
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  return lightloop::command::main(argc, argv);
}
