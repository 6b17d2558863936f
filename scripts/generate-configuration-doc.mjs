// Writes the tables of docs/configuration.md from the option tables that the commands are configured by. With --check
// it only compares, and fails where they differ. The packages must be built.
import { readFileSync, writeFileSync } from 'node:fs';
import { OPTION_TABLES } from '@expertmesh/shared/config/option-tables';
import { describeDefault, environmentName, flagName } from '@expertmesh/shared/config/option';
import prettier from 'prettier';

const DOC = 'docs/configuration.md';

const before = readFileSync(DOC, 'utf8');
const filled = before.replaceAll(/(<!-- options of (\w+) -->\n)[^]*?(<!-- end -->)/g, (_, start, role, end) => {
  const table = OPTION_TABLES[role];
  if (table === undefined) throw new Error(`${DOC} asks for the options of ${role}, which has none`);
  return `${start}\n${markdownTable(table)}\n${end}`;
});
for (const role of Object.keys(OPTION_TABLES))
  if (!before.includes(`<!-- options of ${role} -->`)) throw new Error(`${DOC} lacks the options of ${role}`);
const after = await prettier.format(filled, { ...(await prettier.resolveConfig(DOC)), parser: 'markdown' });

if (!process.argv.includes('--check')) writeFileSync(DOC, after);
else if (after !== before) {
  console.error(`${DOC} differs from the option tables`);
  process.exitCode = 1;
}

function markdownTable(table) {
  const rows = Object.entries(table).map(([key, spec]) => {
    const flag = `${flagName(key)} ${spec.value.placeholder}`.replaceAll('|', '\\|');
    const preset = describeDefault(spec);
    return `| \`${flag}\` | \`${environmentName(key)}\` | ${preset ?? 'required'} | ${spec.description} |`;
  });
  return ['| Flag | Environment | Default | Meaning |', '| --- | --- | --- | --- |', ...rows, ''].join('\n');
}
