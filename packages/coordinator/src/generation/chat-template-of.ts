import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type RenderableTemplate } from '../text/chat-template.js';
import { type ChatRequest } from './chat-request.js';
import { FieldError } from './request-error.js';
import { type ServedModel } from './served-model.js';

/**
 * The template that a request is rendered with. A template is a program, which may take seconds while others wait: one
 * that comes with a request runs only where the operator trusts the clients.
 *
 * @throws FieldError when there is none, it may not be replaced, or has no place for the request's documents.
 */
export async function chatTemplateOf(
  model: ServedModel,
  { chatTemplate, documents = [] }: ChatRequest,
): Promise<RenderableTemplate> {
  const own = model.chatTemplate;
  if (own === undefined) {
    throw new FieldError(
      'unsupported_parameter',
      'prompt',
      () => `${model.id} has no chat template: it completes text`,
    );
  }
  const template = chatTemplate === undefined ? own : await replaced(model, own, chatTemplate);
  if (documents.length === 0 || template.traits.takesDocuments) return template;
  throw new FieldError(
    'unsupported_parameter',
    'documents',
    (nameOf) => `This model's chat template has no place for ${nameOf('documents')}; leave them out`,
  );
}

async function replaced(
  { trustsRequestTemplates }: ServedModel,
  own: RenderableTemplate,
  source: string,
): Promise<RenderableTemplate> {
  if (!trustsRequestTemplates) {
    throw new FieldError(
      'unsupported_parameter',
      'chatTemplate',
      (nameOf) => `${nameOf('chatTemplate')} is refused: this server does not run templates of its clients`,
    );
  }
  try {
    return await own.replacedBy(source);
  } catch (thrown) {
    const { message } = ExpertmeshError.from(thrown);
    throw new FieldError('invalid_value', 'chatTemplate', () => message);
  }
}
