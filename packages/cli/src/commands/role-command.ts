import { Command } from 'commander';
import { type Role } from '@expertmesh/shared/process/parent-link';
import { runRole } from '../role.js';

/** A command that leaves all its flags, --help too, to the role's own parser. */
export function roleCommand(role: Role, description: string): Command {
  return new Command(role)
    .description(description)
    .usage('[options]')
    .helpOption(false)
    .allowUnknownOption()
    .argument('[options...]')
    .action((argv: readonly string[]) => runRole(role, argv));
}
