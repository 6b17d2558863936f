// Which module may import which: the layout of docs/architecture.md as rules.

const vendorOnlyIn = (vendor, comment, files) => ({
  name: `${vendor} stays at its edge`,
  comment,
  severity: 'error',
  from: { path: '^packages/[^/]+/src/', pathNot: [...files, '^packages/test-kit/'] },
  to: { path: `(^|/)node_modules/${vendor}/` },
});

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'Two modules that need each other are one concept, or lack a third.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-orphans',
      comment: 'A module that nothing imports and that imports nothing is dead.',
      severity: 'error',
      from: { orphan: true, pathNot: ['\\.d\\.ts$', '(^|/)[^/]*\\.config\\.', '\\.test\\.ts$', '\\.mjs$', '\\.cjs$'] },
      to: {},
    },
    {
      name: 'unresolvable',
      comment: 'Build first: packages resolve to dist.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'roles-import-only-shared',
      comment:
        'Coordinator, worker and CLI talk over the wire. The CLI hands its arguments to a role in role.ts and nowhere else.',
      severity: 'error',
      from: { path: '^packages/(coordinator|worker|cli)/src/', pathNot: ['^packages/cli/src/role\\.ts$'] },
      to: { path: '^packages/(coordinator|worker|cli)/', pathNot: ['^packages/$1/'] },
    },
    {
      name: 'role-entry-points-only',
      comment: 'role.ts loads the main module of a role and nothing else of it.',
      severity: 'error',
      from: { path: '^packages/cli/src/role\\.ts$' },
      to: {
        path: '^packages/(coordinator|worker)/',
        pathNot: ['^packages/(coordinator|worker)/(dist|src)/main\\.(js|ts|d\\.ts)$'],
      },
    },
    {
      name: 'shared-imports-no-other',
      comment: 'What the processes agree on cannot depend on one of them, nor on what they compute with.',
      severity: 'error',
      from: { path: '^packages/shared/src/' },
      to: { path: '^packages/(coordinator|worker|cli|compute|kernels)/' },
    },
    {
      name: 'compute-imports-no-role',
      comment: 'Every role computes with it.',
      severity: 'error',
      from: { path: '^packages/(compute|kernels)/src/' },
      to: { path: '^packages/(coordinator|worker|cli)/' },
    },
    {
      name: 'no-tests-in-code',
      comment: 'A test, or what only tests use, is not part of the product.',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/', pathNot: ['\\.test\\.ts$', '^packages/test-kit/'] },
      to: { path: ['\\.test\\.ts$', '^test/', '^packages/test-kit/'] },
    },
    {
      name: 'no-dev-dependencies-in-code',
      comment: 'Move the package to the dependencies of the workspace that imports it.',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/', pathNot: ['\\.test\\.ts$', '^packages/test-kit/'] },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
    vendorOnlyIn('onnxruntime-node', 'ONNX Runtime stays behind OnnxSession.', ['^packages/shared/src/onnx/']),
    vendorOnlyIn('nats', 'The NATS client stays behind one file.', [
      '^packages/shared/src/control-plane/nats-connection\\.ts$',
    ]),
    vendorOnlyIn('@grpc/grpc-js', 'gRPC stays in rpc/ and in the files that implement a service.', [
      '^packages/shared/src/rpc/',
      '^packages/coordinator/src/grpc/',
      '^packages/worker/src/.*-service\\.ts$',
    ]),
    vendorOnlyIn('pino', 'Loggers are made in one place.', ['^packages/shared/src/process/logger\\.ts$']),
    vendorOnlyIn('fastify', 'HTTP stays in the API.', ['^packages/coordinator/src/api/']),
  ],
  options: {
    doNotFollow: { path: ['node_modules', '^packages/[^/]+/dist/'] },
    exclude: { path: ['^packages/shared/src/gen/'] },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['types', 'import', 'default'],
      extensions: ['.ts', '.js'],
    },
  },
};
