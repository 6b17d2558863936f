// The kernels without Node: to run them under the sanitizers, and on another architecture's emulator. With `threads` as
// argument only what threads share is tested, and no arithmetic of one.
#include <cstdio>
#include <cstring>

#include "../core/isa.hpp"
#include "tests.hpp"

int main(int argc, char** argv) {
  const bool isOfThreads = argc > 1 && std::strcmp(argv[1], "threads") == 0;
  expertmesh::test::testTeam();
  if (!isOfThreads) expertmesh::test::testProducts();
  expertmesh::test::testExperts();
  expertmesh::test::testAttention();
  expertmesh::test::testDense();
  expertmesh::test::testWholeLayers();
  expertmesh::test::testFuzz();
  for (const auto* kernels : expertmesh::supportedKernelSets()) std::printf("ok %s\n", kernels->name);
}
