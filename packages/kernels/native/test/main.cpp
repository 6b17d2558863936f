// The kernels without Node: to run them under the sanitizers, and on another architecture's emulator.
#include <cstdio>

#include "../core/isa.hpp"
#include "tests.hpp"

int main() {
  expertmesh::test::testTeam();
  expertmesh::test::testProducts();
  expertmesh::test::testExperts();
  expertmesh::test::testAttention();
  expertmesh::test::testDense();
  expertmesh::test::testWholeLayers();
  expertmesh::test::testFuzz();
  for (const auto* kernels : expertmesh::supportedKernelSets()) std::printf("ok %s\n", kernels->name);
}
