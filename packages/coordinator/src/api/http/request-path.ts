/** What only those do who run the server. */
export function isForOperators(path: string): boolean {
  return path === '/metrics' || path.startsWith('/admin/');
}

/**
 * The URL as routes are written: clients join base addresses and paths with a slash too many (`/v1//models`), or end
 * them with one (`/v1/models/`). A proxy may send one with scheme and host.
 * The query stays as it is.
 */
export function canonicalUrl(url: string): string {
  const queryIndex = url.indexOf('?');
  const path = (queryIndex < 0 ? url : url.slice(0, queryIndex)).replace(/^https?:\/\/[^/]*/i, '');
  const query = queryIndex < 0 ? '' : url.slice(queryIndex);
  return (path.replaceAll(/\/{2,}/g, '/').replace(/(?<=.)\/$/, '') || '/') + query;
}
