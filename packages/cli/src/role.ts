import { type Role } from '@expertmesh/shared/process/parent-link';

/**
 * Hands the arguments to a role's entry point, which reads them, runs until it is told to end, and resolves. This is
 * the only place where the CLI reaches into those packages, and it loads only the one that is asked for.
 */
export async function runRole(role: Role, argv: readonly string[]): Promise<void> {
  switch (role) {
    case 'coordinator': {
      const { main } = await import('@expertmesh/coordinator/main');
      return main(argv);
    }
    case 'worker': {
      const { main } = await import('@expertmesh/worker/main');
      return main(argv);
    }
  }
}
