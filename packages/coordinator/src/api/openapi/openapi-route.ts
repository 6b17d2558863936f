import { type FastifyInstance } from 'fastify';
import { openApiDocument } from './openapi-document.js';

/** GET /openapi.json */
export function registerOpenApiRoute(app: FastifyInstance, version: string): void {
  let document: object | undefined;
  app.get('/openapi.json', () => (document ??= openApiDocument(version)));
}
