import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { dockerIgnore, parseDockerfile, type Stage, type Step } from './dockerfile.js';
import { tempDir } from './temp-dir.js';

export interface ImageTreeOptions {
  /** The .dockerignore has its name with that ending. */
  readonly dockerfile: string;
  readonly contextDir: string;
  /** Does what of a RUN can be done without docker. */
  readonly run: (command: string, place: Place) => void;
}

export interface Place {
  /** Stands for the root of the file system. */
  readonly rootDir: string;
  /** Where the WORKDIR is below it. */
  readonly workDir: string;
}

/**
 * Makes the files of a Dockerfile's stages without docker: only what the .dockerignore lets in and a COPY names is
 * there.
 */
export class ImageTree {
  readonly #options: ImageTreeOptions;
  readonly #stages: readonly Stage[];
  readonly #isIgnored: (path: string) => boolean;
  readonly #built = new Map<string, Place>();

  constructor(options: ImageTreeOptions) {
    const { dockerfile } = options;
    this.#options = options;
    this.#stages = parseDockerfile(readFileSync(dockerfile, 'utf8'));
    this.#isIgnored = dockerIgnore(readFileSync(`${dockerfile}.dockerignore`, 'utf8'));
  }

  /** @throws Error for a stage that there is not, and for a COPY of what is not let in. */
  build(stageName: string): Place {
    const ready = this.#built.get(stageName);
    if (ready !== undefined) return ready;
    const { base, steps } = this.#stage(stageName);
    const rootDir = tempDir();
    let workDir = rootDir;
    if (this.#stages.some(({ name }) => name === base)) {
      const below = this.build(base);
      cpSync(below.rootDir, rootDir, AS_IT_IS);
      workDir = join(rootDir, below.workDir.slice(below.rootDir.length));
    }
    for (const step of steps) {
      if (step.kind === 'workdir') workDir = join(rootDir, step.path);
      mkdirSync(workDir, { recursive: true });
      if (step.kind === 'run') this.#options.run(step.command, { rootDir, workDir });
      if (step.kind === 'copy') this.#copy(step, workDir);
    }
    const place = { rootDir, workDir };
    this.#built.set(stageName, place);
    return place;
  }

  #stage(stageName: string): Stage {
    const stage = this.#stages.find(({ name }) => name === stageName);
    if (stage === undefined) throw new Error(`${this.#options.dockerfile} has no stage ${stageName}`);
    return stage;
  }

  #copy({ from, sources, target }: Extract<Step, { kind: 'copy' }>, workDir: string): void {
    const originDir = from === undefined ? this.#options.contextDir : this.build(from).rootDir;
    for (const source of sources) {
      const isIntoTarget = target.endsWith('/') && !statSync(join(originDir, source)).isDirectory();
      const place = isIntoTarget ? join(workDir, target, basename(source)) : join(workDir, target);
      if (from === undefined) this.#copyFromContext(source, place);
      else cpSync(join(originDir, source), place, AS_IT_IS);
    }
  }

  #copyFromContext(source: string, place: string): void {
    const { contextDir } = this.#options;
    const paths = filesBelow(contextDir, source).filter((path) => !this.#isIgnored(path));
    if (paths.length === 0) throw new Error(`COPY ${source}: the .dockerignore lets nothing of it in`);
    for (const path of paths) {
      const file = join(place, path.slice(source.length));
      mkdirSync(dirname(file), { recursive: true });
      cpSync(join(contextDir, path), file);
    }
  }
}

const AS_IT_IS = { recursive: true, verbatimSymlinks: true } as const;

function filesBelow(dir: string, path: string): string[] {
  const here = join(dir, path);
  if (!existsSync(here) || !statSync(here).isDirectory()) return [path];
  return readdirSync(here).flatMap((name) => filesBelow(dir, `${path}/${name}`));
}
