import { homedir } from 'node:os';
import { join } from 'node:path';
import { VERIFY_MODES } from '../expert-store/verification/verify-mode.js';
import { computed, constant, option, type Environment } from './option.js';
import { choice, byteSize, path } from './option-value.js';

const defaultCacheDir = (env: Environment): string =>
  join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'expertmesh');

/** How whoever loads weights checks that they are what was packed. */
export const VERIFICATION_OPTIONS = {
  verify: option({
    description:
      'Which files of weights are hashed before they are loaded: ' +
      'those that have changed since this machine last did so, or always all.',
    value: choice(VERIFY_MODES),
    default: constant('changed'),
  }),
  scrubBytesPerSecond: option({
    description:
      'How much of the weights in memory is compared with the manifest in a second, over and over, where the native ' +
      'kernels compute; 0 for none. What differs is not computed with any more.',
    value: byteSize(0),
    default: constant(4 * 2 ** 20),
  }),
  cacheDir: option({
    description: 'Where it is remembered which files were verified.',
    value: path('<dir>'),
    default: computed('$XDG_CACHE_HOME/expertmesh or ~/.cache/expertmesh', ({ env }) => defaultCacheDir(env)),
  }),
} as const;
