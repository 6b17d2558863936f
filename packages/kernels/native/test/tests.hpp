#pragma once

namespace expertmesh::test {

void testTeam();
void testProducts();
void testExperts();
void testDense();
void testFuzz();

}  // namespace expertmesh::test
