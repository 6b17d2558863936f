import { type FastifyInstance } from 'fastify';
import { checkModel, type ServedModel } from '../generation/served-model.js';

/** GET /v1/models and /v1/models/{id}: the one model, once by each of its names. */
export function registerModelsRoute(app: FastifyInstance, model: ServedModel): void {
  const cardOf = (id: string): object => ({
    id,
    object: 'model',
    created: model.createdAtSec,
    owned_by: 'expertmesh',
    root: model.id,
    parent: null,
    max_model_len: model.engine.limits.maxModelLen,
  });
  app.get('/v1/models', () => ({ object: 'list', data: [model.id, ...model.aliases].map(cardOf) }));
  // An id may have a slash in it, like Qwen/Qwen3-30B-A3B.
  app.get<{ Params: { '*': string } }>('/v1/models/*', (request) => {
    const { '*': id } = request.params;
    checkModel(model, id);
    return cardOf(id);
  });
}
