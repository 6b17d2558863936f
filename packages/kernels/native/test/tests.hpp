#pragma once

namespace expertmesh::test {

void testTeam();
void testProducts();
void testExperts();
void testAttention();
void testDense();
void testWholeLayers();
void testFuzz();

}  // namespace expertmesh::test
