import { type FastifyInstance } from 'fastify';
import { checkModel, type ServedModel } from '../generation/served-model.js';

/** GET /v1/models and /v1/models/{id} */
export function registerModelsRoute(app: FastifyInstance, model: ServedModel): void {
  const card = {
    id: model.id,
    object: 'model',
    created: model.createdAtSec,
    owned_by: 'expertmesh',
    max_model_len: model.engine.limits.maxModelLen,
  };
  app.get('/v1/models', () => ({ object: 'list', data: [card] }));
  // An id may have a slash in it, like Qwen/Qwen3-30B-A3B.
  app.get<{ Params: { '*': string } }>('/v1/models/*', (request) => {
    checkModel(model, request.params['*']);
    return card;
  });
}
