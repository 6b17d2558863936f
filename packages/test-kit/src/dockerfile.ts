export interface Stage {
  readonly name: string;
  /** An image, or the name of a stage before. */
  readonly base: string;
  readonly steps: readonly Step[];
}

export type Step =
  | { readonly kind: 'workdir'; readonly path: string }
  | { readonly kind: 'run'; readonly command: string }
  /** `from` is a stage; absent: the context of the build. */
  | { readonly kind: 'copy'; readonly from?: string; readonly sources: readonly string[]; readonly target: string };

/** The stages of a Dockerfile; what neither copies nor runs is left out. */
export function parseDockerfile(text: string): Stage[] {
  const lines = text
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll('\\\n', ' ')
    .split('\n');
  const stages: { name: string; base: string; steps: Step[] }[] = [];
  for (const line of lines) {
    const [instruction, ...words] = line.trim().split(/\s+/);
    const stage = stages.at(-1);
    if (instruction === 'FROM') stages.push({ base: words[0] ?? '', name: words[2] ?? '', steps: [] });
    else if (instruction === 'WORKDIR') stage?.steps.push({ kind: 'workdir', path: words.join(' ') });
    else if (instruction === 'RUN') stage?.steps.push({ kind: 'run', command: words.join(' ') });
    else if (instruction === 'COPY') stage?.steps.push(copyStep(words));
  }
  return stages;
}

function copyStep(words: readonly string[]): Step {
  const from = words.find((word) => word.startsWith('--from='))?.slice('--from='.length);
  const paths = words.filter((word) => !word.startsWith('--'));
  return { kind: 'copy', ...(from !== undefined && { from }), sources: paths.slice(0, -1), target: paths.at(-1) ?? '' };
}

/**
 * Whether a .dockerignore keeps a file from the build: the last pattern that matches it, or a folder above it, decides.
 */
export function dockerIgnore(text: string): (path: string) => boolean {
  const patterns = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => ({ isNegated: line.startsWith('!'), pattern: globPattern(line.replace(/^!/, '')) }));
  return (path) => {
    const parts = path.split('/');
    const isBelow = (pattern: RegExp): boolean =>
      parts.some((_, last) => pattern.test(parts.slice(0, last + 1).join('/')));
    return patterns.findLast(({ pattern }) => isBelow(pattern))?.isNegated === false;
  };
}

const globPattern = (glob: string): RegExp =>
  new RegExp(
    `^${glob
      .replaceAll(/[.+^${}()|[\]]/g, '\\$&')
      .replaceAll(
        /\*\*\/|\*|\?/g,
        (wildcard) => ({ '**/': '(.*/)?', '*': '[^/]*', '?': '[^/]' })[wildcard] ?? wildcard,
      )}$`,
  );
