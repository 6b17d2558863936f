import { z } from 'zod';
import {
  applySchema,
  drainSchema,
  limitQuery,
  placementQuery,
  planSchema,
  rebalanceSchema,
  rollbackSchema,
  statsQuery,
  workerCommandSchema,
} from '../admin/admin-requests.js';
import { chatRequestSchema } from '../chat/chat-request.js';
import { completionRequestSchema } from '../completions/completion-request.js';
import { countTokensSchema, messageRequestSchema } from '../messages/message-request.js';
import { responseRequestSchema } from '../responses/response-request.js';
import { detokenizeSchema, tokenizeChatSchema, tokenizeTextSchema } from '../tokenizer/tokenizer-requests.js';

/** What the OpenAPI document tells of a route. */
export interface RouteDoc {
  readonly method: 'get' | 'post' | 'delete';
  /** As registered: `:name` is one segment, `*` any rest. */
  readonly path: string;
  readonly summary: string;
  /** Who may ask: everybody, whoever has a key, or whoever has the admin key, where there are keys. */
  readonly access: 'open' | 'key' | 'admin';
  readonly body?: z.ZodType;
  readonly query?: z.ZodType;
  readonly answer: 'json' | 'events' | 'json or events' | 'text';
}

const json = (
  access: RouteDoc['access'],
  method: RouteDoc['method'],
  path: string,
  summary: string,
  more: Pick<RouteDoc, 'body' | 'query'> = {},
): RouteDoc => ({ access, method, path, summary, answer: 'json', ...more });

const MODEL_ROUTES: readonly RouteDoc[] = [
  {
    ...json('key', 'post', '/v1/chat/completions', 'Answers a chat', { body: chatRequestSchema }),
    answer: 'json or events',
  },
  {
    ...json('key', 'post', '/v1/completions', 'Completes texts', { body: completionRequestSchema }),
    answer: 'json or events',
  },
  {
    ...json('key', 'post', '/v1/responses', "Answers in the form of OpenAI's Responses", {
      body: responseRequestSchema,
    }),
    answer: 'json or events',
  },
  json('key', 'get', '/v1/responses/:id', 'A response that is stored'),
  json('key', 'delete', '/v1/responses/:id', 'Forgets a response'),
  {
    ...json('key', 'post', '/v1/messages', "Answers in the form of Anthropic's Messages", {
      body: messageRequestSchema,
    }),
    answer: 'json or events',
  },
  json('key', 'post', '/v1/messages/count_tokens', 'Counts the tokens of a message request', {
    body: countTokensSchema,
  }),
  json('key', 'get', '/v1/models', 'The served model, by each of its names'),
  json('key', 'get', '/v1/models/*', 'The served model by one of its names'),
  json('key', 'post', '/tokenize', 'Tokens of a prompt, or of messages through the chat template', {
    body: z.union([tokenizeTextSchema, tokenizeChatSchema]),
  }),
  json('key', 'post', '/detokenize', 'The text of tokens', { body: detokenizeSchema }),
  json('key', 'get', '/tokenizer_info', "The model's tokenizer_config.json"),
];

const OPERATIONS_ROUTES: readonly RouteDoc[] = [
  json('open', 'get', '/health', '200 when a request would be answered, else 503 with the reason'),
  json('open', 'get', '/ping', 'The same as /health'),
  json('open', 'get', '/health/ready', 'The same as /health'),
  json('open', 'get', '/health/live', '200 while the process runs'),
  json('open', 'get', '/version', 'The version of the coordinator'),
  json('open', 'get', '/load', 'How many requests for the model are being answered'),
  json('open', 'get', '/openapi.json', 'This document'),
  { ...json('admin', 'get', '/metrics', 'Metrics for Prometheus'), answer: 'text' },
  json('admin', 'get', '/admin/v1/stats', 'Counters and gauges of the engine and the cluster'),
];

const ADMIN_ROUTES: readonly RouteDoc[] = [
  json('admin', 'get', '/admin/v1/cluster', 'Workers, coordinators, balance, alarms and the change under way'),
  json('admin', 'get', '/admin/v1/workers', 'All workers'),
  json('admin', 'get', '/admin/v1/workers/:id', 'One worker'),
  json('admin', 'post', '/admin/v1/workers/:id/cordon', 'Gives it no new experts', { body: workerCommandSchema }),
  json('admin', 'post', '/admin/v1/workers/:id/uncordon', 'Takes a cordon back', { body: workerCommandSchema }),
  json('admin', 'post', '/admin/v1/workers/:id/remove', 'Forgets a worker', { body: workerCommandSchema }),
  {
    ...json('admin', 'post', '/admin/v1/workers/:id/drain', 'Moves its experts away', { body: drainSchema }),
    answer: 'events',
  },
  json('admin', 'get', '/admin/v1/placement', 'The placement in force, or a former one', { query: placementQuery }),
  json('admin', 'get', '/admin/v1/placement/history', 'Placements, newest first', { query: limitQuery }),
  json('admin', 'post', '/admin/v1/placement/plan', 'Plans a placement', { body: planSchema }),
  { ...json('admin', 'post', '/admin/v1/placement/apply', 'Applies a plan', { body: applySchema }), answer: 'events' },
  {
    ...json('admin', 'post', '/admin/v1/placement/rollback', 'Goes back to a former placement', {
      body: rollbackSchema,
    }),
    answer: 'events',
  },
  { ...json('admin', 'post', '/admin/v1/rebalance', 'Plans and applies', { body: rebalanceSchema }), answer: 'events' },
  json('admin', 'get', '/admin/v1/experts/stats', 'How experts are used', { query: statsQuery }),
  json('admin', 'get', '/admin/v1/experts/load', 'Routed tokens, layers by experts', { query: statsQuery }),
  json('admin', 'get', '/admin/v1/audit', 'Who changed what, newest first', { query: limitQuery }),
];

export const ROUTE_DOCS: readonly RouteDoc[] = [...MODEL_ROUTES, ...OPERATIONS_ROUTES, ...ADMIN_ROUTES];
