// Everything that must hold before a change is done, besides the tests: `npm run check`. Each step says how to mend
// what it finds.
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const GENERATED_DIR = 'packages/shared/src/gen';

// Those of a group run at the same time, the longest first.
const groups = [
  [
    {
      name: 'nothing built from sources that are gone',
      run: () => node('scripts/remove-stale-outputs.mjs'),
      remedy: 'rm -r packages/*/dist',
    },
  ],
  [
    { name: 'types', run: () => command('tsc', '-b'), remedy: 'mend the errors above' },
    { name: 'generated code is what proto/ says', run: generatedCodeIsFresh, remedy: 'npm run generate' },
    { name: 'format', run: () => command('prettier', '--check', '--log-level', 'warn', '.'), remedy: 'npm run format' },
  ],
  [
    { name: 'lint', run: () => command('eslint', '.'), remedy: 'npx eslint --fix . mends some, the rest is yours' },
    {
      name: 'docs/configuration.md is what the option tables say',
      run: () => node('scripts/generate-configuration-doc.mjs', '--check'),
      remedy: 'npm run generate',
    },
    {
      name: 'dependency rules',
      run: () => command('depcruise', 'packages', 'test', '--config', '.dependency-cruiser.cjs'),
      remedy: 'the rules and their reasons are in .dependency-cruiser.cjs',
    },
    {
      name: 'no two rooms of a package import each other',
      run: () => node('scripts/check-rooms.mjs'),
      remedy: 'move what both need into the one that knows less, or into a third',
    },
    { name: 'dead code', run: () => command('knip'), remedy: 'delete what nothing uses' },
  ],
];

const failed = [];
for (const steps of groups) await Promise.all(steps.map(report));
for (const { name, remedy } of failed) console.error(`FAILED: ${name}. To mend: ${remedy}`);
process.exitCode = failed.length === 0 ? 0 : 1;

async function report(step) {
  const startedAt = performance.now();
  const { isOk, output } = await step.run();
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`${isOk ? 'ok    ' : 'FAILED'} ${step.name} (${seconds} s)`);
  if (isOk) return;
  console.log(output.trimEnd());
  failed.push(step);
}

function command(bin, ...args) {
  return spawned(join('node_modules', '.bin', bin), args);
}

function node(...args) {
  return spawned(process.execPath, args);
}

function spawned(file, args) {
  return new Promise((resolve) => {
    execFile(file, args, { encoding: 'utf8', maxBuffer: 2 ** 28 }, (error, stdout, stderr) => {
      const why = error && stdout === '' && stderr === '' ? String(error) : '';
      resolve({ isOk: error === null, output: `${stdout}${stderr}${why}` });
    });
  });
}

async function generatedCodeIsFresh() {
  const fresh = mkdtempSync(join(tmpdir(), 'expertmesh-check-'));
  try {
    const generated = await node('scripts/generate-protobuf.mjs', fresh);
    if (!generated.isOk) return generated;
    const files = new Set([...filesBelow(fresh), ...filesBelow(GENERATED_DIR)]);
    const stale = [...files].filter((file) => read(fresh, file) !== read(GENERATED_DIR, file));
    return {
      isOk: stale.length === 0,
      output: stale.map((file) => `differs: ${join(GENERATED_DIR, file)}`).join('\n'),
    };
  } finally {
    rmSync(fresh, { recursive: true });
  }
}

function filesBelow(dir) {
  return readdirSync(dir, { recursive: true }).filter((name) => name.endsWith('.ts'));
}

function read(dir, file) {
  try {
    return readFileSync(join(dir, file), 'utf8');
  } catch {
    return undefined;
  }
}
