import { type FastifyInstance } from 'fastify';

interface RegisteredRoute {
  readonly method: string;
  /** As registered: `:name` is one segment, `*` any rest. */
  readonly path: string;
}

/** The routes of a server, as they were registered: what a path takes, and what the OpenAPI document must tell. */
export class RouteTable {
  readonly #routes: RegisteredRoute[] = [];

  /** Notes every route that is registered with `app` after this. */
  watch(app: FastifyInstance): void {
    app.addHook('onRoute', ({ method, url }) => {
      for (const each of [method].flat()) this.#routes.push({ method: each, path: url });
    });
  }

  get routes(): readonly RegisteredRoute[] {
    return this.#routes;
  }

  /** Methods that a path takes, each once; empty where there is no such path. */
  methodsOf(path: string): readonly string[] {
    const methods = this.#routes.filter((route) => matches(route.path, path)).map(({ method }) => method);
    return [...new Set(methods)].sort();
  }
}

function matches(pattern: string, path: string): boolean {
  const wanted = pattern.split('/');
  const given = path.split('/');
  for (const [index, segment] of wanted.entries()) {
    if (segment === '*') return given.slice(index).join('/') !== '';
    if (given[index] === undefined) return false;
    if (segment.startsWith(':') ? given[index] === '' : segment !== given[index]) return false;
  }
  return wanted.length === given.length;
}
