import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/*
 * The rooms of a package are the folders directly under its src/. Two rooms that import each other, types included, are
 * one room in two places: a reader cannot understand either without the other. Fails with the imports that do it.
 */
const root = join(dirname(fileURLToPath(import.meta.url)), '..');

const mutual = readdirSync(join(root, 'packages')).flatMap((name) => mutualRooms(name));
for (const { pair, imports } of mutual) {
  console.error(`${pair} import each other:`);
  for (const line of imports) console.error(`  ${line}`);
}
if (mutual.length > 0) process.exit(1);

/** Pairs of rooms of a package that import each other, with what they import of the one that has less of the other. */
function mutualRooms(packageName) {
  const src = join(root, 'packages', packageName, 'src');
  const edges = new Map();
  for (const file of sourceFiles(src))
    for (const imported of relativeImports(join(src, file))) {
      const target = posix.normalize(posix.join(posix.dirname(file), imported));
      const [from, to] = [roomOf(file), roomOf(target)];
      if (from === undefined || to === undefined || from === to) continue;
      const key = `${from} ${to}`;
      edges.set(key, [...(edges.get(key) ?? []), `${file} imports ${target}`]);
    }
  return [...edges].flatMap(([key, imports]) => {
    const [from, to] = key.split(' ');
    const back = edges.get(`${to} ${from}`);
    const isFewer =
      back !== undefined && (imports.length < back.length || (imports.length === back.length && from < to));
    return isFewer ? [{ pair: `${packageName}: ${from} and ${to}`, imports }] : [];
  });
}

/** Without tests, which may look at anything. */
function sourceFiles(src) {
  return listFiles(src)
    .map((file) => relative(src, file).split(sep).join('/'))
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.startsWith('gen/'));
}

function listFiles(dir) {
  const entries = readDirectory(dir);
  return entries.flatMap((entry) => (entry.isDirectory() ? listFiles(join(dir, entry.name)) : [join(dir, entry.name)]));
}

function readDirectory(dir) {
  try {
    return readdirSync(dir, { withFileTypes: true });
  } catch (error) {
    // A package of another language has no src/.
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}

function relativeImports(file) {
  const { importedFiles } = ts.preProcessFile(readFileSync(file, 'utf8'), true, true);
  return importedFiles.map(({ fileName }) => fileName).filter((fileName) => fileName.startsWith('.'));
}

/** undefined for a file directly under src/, which wires. */
function roomOf(file) {
  const [room, ...rest] = file.split('/');
  return rest.length === 0 ? undefined : room;
}
