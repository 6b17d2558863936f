// Writes packages/shared/src/gen from proto/. `node scripts/generate-protobuf.mjs DIR` writes somewhere else, which is
// how the check compares what is committed with what the schemas say.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const outDir = resolve(process.argv[2] ?? 'packages/shared/src/gen');
const bin = (name) => resolve('node_modules/.bin', name);

// bytes as Uint8Array (no env=node): decoding then gives views on the received buffer instead of copies.
// generic-definitions: rpc/service-definition.ts turns them into grpc-js services, with our own tensor serializers.
const tsProtoOptions = [
  'esModuleInterop=true',
  'importSuffix=.js',
  'forceLong=number',
  'useOptionals=none',
  'oneof=unions-value',
  'enumsAsLiterals=true',
  'outputServices=generic-definitions',
  'outputJsonMethods=false',
  'useExactTypes=false',
];

const work = mkdtempSync(join(tmpdir(), 'expertmesh-generate-'));
const template = join(work, 'buf.gen.yaml');
writeFileSync(
  template,
  [
    'version: v2',
    'plugins:',
    `  - local: ${bin('protoc-gen-ts_proto')}`,
    `    out: ${outDir}`,
    `    opt: [${tsProtoOptions.map((option) => `"${option}"`).join(', ')}]`,
    '',
  ].join('\n'),
);
rmSync(outDir, { recursive: true, force: true });
mkdirSync(outDir, { recursive: true });
execFileSync(bin('buf'), ['generate', '--template', template, 'proto'], { stdio: 'inherit' });

// The schemas themselves, for calls of services that are known only when the program runs: an installed package has no
// proto/. proto-loader takes names from descriptors as they are, so they get their JSON names here.
const descriptors = join(work, 'descriptors.json');
const own = ['--path', 'proto/expertmesh', '--path', 'proto/grpc'];
execFileSync(
  bin('buf'),
  ['build', 'proto', ...own, '--as-file-descriptor-set', '--exclude-source-info', '-o', descriptors],
  { stdio: 'inherit' },
);
const withJsonNames = (message) => ({
  ...message,
  field: message.field?.map(({ jsonName, ...field }) => ({ ...field, name: jsonName ?? field.name })),
  nestedType: message.nestedType?.map(withJsonNames),
});
const { file } = JSON.parse(readFileSync(descriptors, 'utf8'));
const files = file.map((entry) => ({ ...entry, messageType: entry.messageType?.map(withJsonNames) }));
writeFileSync(
  join(outDir, 'descriptor-set.ts'),
  [
    '/** FileDescriptorSet of proto/ as JSON, with the JSON names of fields. Written by scripts/generate-protobuf.mjs. */',
    `export const DESCRIPTOR_SET: { readonly file: readonly object[] } = ${JSON.stringify({ file: files }, undefined, 1)};`,
    '',
  ].join('\n'),
);
rmSync(work, { recursive: true });
