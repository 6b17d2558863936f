// What a release consists of, into a directory: the sources of HEAD as an archive, a bill of materials (CycloneDX) of
// what runs with them, and the sha256 of both. `npm run release -- DIR`; images are built from the archive
// (infra/README.md).
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const name = `expertmesh-${version}`;
const outDir = resolve(process.argv[2] ?? 'release');

if (run('git', 'status', '--porcelain', '--untracked-files=no') !== '')
  fail('there are changes that are not committed: a release is of a commit');
audit();
mkdirSync(outDir, { recursive: true });
const archive = `${name}.tar.gz`;
run('git', 'archive', '--format', 'tar.gz', '--prefix', `${name}/`, '--output', join(outDir, archive), 'HEAD');
const bill = `${name}.cdx.json`;
writeFileSync(join(outDir, bill), billOfMaterials());
writeFileSync(join(outDir, 'SHA256SUMS'), [archive, bill].map(sumLine).join(''));
console.log(`${outDir}: ${archive}, ${bill}, SHA256SUMS`);

/**
 * Of what is installed to run, by the lock file. npm's own --omit dev leaves out what the tests need as well as the
 * product.
 */
function billOfMaterials() {
  const bill = JSON.parse(run('npm', 'sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'));
  const components = bill.components.filter(({ properties = [] }) => !properties.some(isOfDevelopment));
  const refs = new Set([bill.metadata.component['bom-ref'], ...components.map((component) => component['bom-ref'])]);
  const dependencies = bill.dependencies
    .filter(({ ref }) => refs.has(ref))
    .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((other) => refs.has(other)) }));
  // npm takes the name from the folder.
  const component = { ...bill.metadata.component, name: 'expertmesh', version };
  const metadata = { ...bill.metadata, component };
  return `${JSON.stringify({ ...bill, metadata, components, dependencies }, undefined, 2)}\n`;
}

function isOfDevelopment(property) {
  return property.name === 'cdx:npm:package:development' && property.value === 'true';
}

/** A known hole in what runs stops the release; a registry that knows of none does not. */
function audit() {
  const { status, stdout } = spawnSync('npm', ['audit', '--omit', 'dev', '--json'], { encoding: 'utf8' });
  if (status === 0) return;
  const report = JSON.parse(stdout || '{}');
  if (report.vulnerabilities === undefined) console.warn('not audited: the registry does not answer npm audit');
  else fail(`npm audit finds ${JSON.stringify(report.metadata.vulnerabilities)}: npm audit fix`);
}

function sumLine(file) {
  const sha256 = createHash('sha256')
    .update(readFileSync(join(outDir, file)))
    .digest('hex');
  return `${sha256}  ${file}\n`;
}

function run(file, ...args) {
  const { status, stdout, stderr, error } = spawnSync(file, args, { encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (status !== 0) fail(`${file} ${args.join(' ')}: ${stderr ?? String(error)}`);
  return stdout;
}

function fail(reason) {
  console.error(reason);
  process.exit(1);
}
