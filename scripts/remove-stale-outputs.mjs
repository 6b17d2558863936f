// tsc leaves what it built from a source file that is gone, so that an import of it goes on working where it once was.
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

for (const name of readdirSync('packages')) {
  const dist = join('packages', name, 'dist');
  if (!existsSync(dist)) continue;
  for (const output of readdirSync(dist, { recursive: true })) {
    const source = /^(.*?)(?:\.d\.ts|\.js)(?:\.map)?$/.exec(output);
    if (source && !existsSync(join('packages', name, 'src', `${source[1]}.ts`))) rmSync(join(dist, output));
  }
}
