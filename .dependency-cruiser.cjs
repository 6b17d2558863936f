// Which module may import which: the layout of docs/architecture.md as rules.

const vendorOnlyIn = (vendor, comment, files) => ({
  name: `${vendor} stays at its edge`,
  comment,
  severity: 'error',
  from: { path: '^packages/[^/]+/src/', pathNot: [...files, '^packages/test-kit/'] },
  to: { path: `(^|/)node_modules/${vendor}/` },
});

/**
 * What a room of a package may import of its other rooms; tests may look at anything. A room is a folder directly under
 * src/; that no two of them import each other is checked by scripts/check-rooms.mjs.
 */
const roomImportsOnly = (packageName, room, others, comment) => ({
  name: `${packageName}: ${room.replaceAll('|', ' and ')} import only ${others.join(', ') || 'themselves'}`,
  comment,
  severity: 'error',
  from: { path: `^packages/${packageName}/src/(${room})/`, pathNot: ['\\.test\\.ts$'] },
  to: {
    path: `^packages/${packageName}/src/`,
    pathNot: ['$1', ...others].map((other) => `^packages/${packageName}/src/${other}(/|\\.ts$)`),
  },
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
    roomImportsOnly(
      'coordinator',
      'api|grpc',
      ['access', 'engine/engine-client', 'generation', 'text', 'sampling', 'control/admin', 'metrics'],
      'What clients speak, over HTTP or gRPC, is put into requests for generation, and knows nothing of how that works.',
    ),
    roomImportsOnly(
      'coordinator',
      'generation',
      ['engine', 'text', 'sampling'],
      'Text in, text out: it has tokens made by the engine, as a client of it.',
    ),
    roomImportsOnly(
      'coordinator',
      'text',
      ['sampling'],
      'Text knows nothing of what computes tokens, or asks for them.',
    ),
    roomImportsOnly('coordinator', 'kv|sampling', [], 'Caches and choosing a token are used, and use nobody.'),
    roomImportsOnly(
      'coordinator',
      'engine',
      ['kv', 'sampling', 'dense', 'dispatch/expert-dispatcher', 'dispatch/dispatch-stats'],
      'Speculation and balance hang on its seams; experts are behind one.',
    ),
    roomImportsOnly(
      'coordinator',
      'dense',
      ['kv', 'dispatch/expert-dispatcher'],
      'It computes the model but for the experts, which it knows by the seam.',
    ),
    roomImportsOnly('coordinator', 'dispatch|membership', [], 'Workers are spoken with, whoever it is for.'),
    roomImportsOnly(
      'coordinator',
      'speculation|balance',
      ['engine', 'sampling', 'dense/dense-runner', 'dispatch/route-plan'],
      'They hang on the seams of what computes, and are known to what wires.',
    ),
    roomImportsOnly(
      'coordinator',
      'control',
      ['membership', 'balance', 'dispatch'],
      'The cluster is led through what knows workers and loads; the engine is behind EngineSide.',
    ),
    roomImportsOnly(
      'coordinator',
      'metrics',
      ['balance', 'dispatch', 'engine'],
      'Figures are read, of what keeps them.',
    ),
    {
      name: 'serving-and-main-wire',
      comment: 'What puts the rooms together is imported by none of them.',
      severity: 'error',
      from: { path: '^packages/coordinator/src/(?!serving/|main\\.ts)', pathNot: ['\\.test\\.ts$'] },
      to: { path: '^packages/coordinator/src/(serving/|main\\.ts)' },
    },
    roomImportsOnly('worker', 'shards', [], 'What a worker holds is used by its calls and its control.'),
    roomImportsOnly('worker', 'calls', ['shards'], 'A call is computed by what is held, whoever has it held.'),
    {
      name: 'kernels stay in what computes',
      comment: 'Whoever else needs something of them is given it by a seam.',
      severity: 'error',
      from: {
        path: '^packages/[^/]+/src/',
        pathNot: ['\\.test\\.ts$', '^packages/(compute|kernels|test-kit)/', '^packages/coordinator/src/(dense|kv)/'],
      },
      // How keys and values lie in memory is said there once, in plain numbers.
      to: { path: '^packages/kernels/', pathNot: ['/kv-layout\\.(d\\.)?ts$'] },
    },
    vendorOnlyIn('onnxruntime-node', 'ONNX Runtime stays behind OnnxSession.', ['^packages/shared/src/onnx/']),
    vendorOnlyIn('nats', 'The NATS client stays behind what connects and what logs in.', [
      '^packages/shared/src/control-plane/nats-(connection|login)\\.ts$',
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
