// The one place where devices meet training: see cli.cpp.
#include "tools/lightloop/command.hpp"

int main(int argc, char** argv) { return lightloop::command::main(argc, argv); }
