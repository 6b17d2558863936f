import type { Constraint } from '@expertmesh/coordinator/sampling/grammar/constraint';

/** A constraint with answers as models write them. */
export interface GrammarWorkload {
  readonly name: string;
  readonly constraint: Constraint;
  readonly answers: readonly string[];
}

const string = { type: 'string' };

const EVENT = {
  type: 'object',
  properties: {
    name: { type: 'string', maxLength: 80 },
    date: { type: 'string', format: 'date' },
    participants: { type: 'array', items: string, minItems: 1, maxItems: 10 },
    location: { anyOf: [string, { type: 'null' }] },
    priority: { enum: ['low', 'medium', 'high'] },
    minutes: { type: 'integer', minimum: 0, maximum: 1440 },
  },
  required: ['name', 'date', 'participants', 'location', 'priority', 'minutes'],
  additionalProperties: false,
};

const EVENTS = [
  {
    name: 'Quarterly planning review with the infrastructure team',
    date: '2025-03-14',
    participants: ['Alice Johnson', 'Bob Müller', '田中太郎'],
    location: 'Building 4, room "Curie"',
    priority: 'high',
    minutes: 90,
  },
  { name: 'Déjeuner', date: '2024-02-29', participants: ['Zoë'], location: null, priority: 'low', minutes: 45 },
];

const REASONING = {
  type: 'object',
  properties: {
    steps: {
      type: 'array',
      items: {
        type: 'object',
        properties: { explanation: string, output: string },
        required: ['explanation', 'output'],
        additionalProperties: false,
      },
    },
    final_answer: string,
  },
  required: ['steps', 'final_answer'],
  additionalProperties: false,
};

const SOLUTION = {
  steps: [
    { explanation: 'Subtract 7 from both sides to isolate the term with x.', output: '8x = -23 - 7 = -30' },
    { explanation: 'Divide both sides by 8; the fraction can be reduced by 2.', output: 'x = -30/8 = -15/4' },
  ],
  final_answer: 'x = -3.75, which is "-15/4" as a fraction.\nCheck: 8 * (-3.75) + 7 = -23 ✓',
};

/** As pydantic writes it: references, defaults, a union told apart by a constant, open objects. */
const ORDER = {
  $defs: {
    Card: {
      type: 'object',
      title: 'Card',
      properties: { kind: { const: 'card', default: 'card' }, number: { type: 'string', pattern: '^\\d{4} \\d{4}$' } },
      required: ['kind', 'number'],
    },
    Transfer: {
      type: 'object',
      title: 'Transfer',
      properties: { kind: { const: 'transfer' }, iban: { type: 'string', minLength: 10, maxLength: 34 } },
      required: ['kind', 'iban'],
    },
    Line: {
      type: 'object',
      properties: {
        sku: { type: 'string', pattern: '^[A-Z]{3}-[0-9]+$' },
        quantity: { type: 'integer', exclusiveMinimum: 0 },
        price: { type: 'number', minimum: 0 },
        note: { anyOf: [{ type: 'string', maxLength: 200 }, { type: 'null' }], default: null },
      },
      required: ['sku', 'quantity', 'price'],
    },
  },
  title: 'Order',
  type: 'object',
  properties: {
    id: { type: 'string', format: 'uuid' },
    placed_at: { type: 'string', format: 'date-time' },
    email: { type: 'string', format: 'email' },
    lines: { type: 'array', items: { $ref: '#/$defs/Line' }, minItems: 1 },
    payment: {
      oneOf: [{ $ref: '#/$defs/Card' }, { $ref: '#/$defs/Transfer' }],
      discriminator: { propertyName: 'kind' },
    },
    attributes: { type: 'object', additionalProperties: string },
  },
  required: ['id', 'placed_at', 'email', 'lines', 'payment'],
};

const ORDERS = [
  {
    id: '123e4567-e89b-12d3-a456-426614174000',
    placed_at: '2025-06-01T12:30:05Z',
    email: 'jane.doe@example.com',
    lines: [
      { sku: 'ABC-1042', quantity: 2, price: 19.99, note: 'Please wrap it as a gift, it is for a birthday.' },
      { sku: 'XYZ-7', quantity: 1, price: 250 },
    ],
    payment: { kind: 'card', number: '4242 4242' },
    attributes: { channel: 'web', campaign: 'summer-2025', language: 'français' },
  },
];

const SEARCH = {
  type: 'object',
  properties: {
    query: { type: 'string', description: 'What to search for' },
    limit: { type: 'integer', minimum: 1, maximum: 100 },
    filters: {
      type: 'array',
      items: { type: 'object', properties: { field: string, value: {} }, required: ['field'] },
    },
  },
  required: ['query'],
};

const SEARCH_CALL = `<tool_call>\n${JSON.stringify({
  name: 'search_documents',
  arguments: { query: 'mixture of experts load balancing', limit: 10, filters: [{ field: 'year', value: 2024 }] },
})}\n</tool_call>`;

const tools = [
  {
    name: 'get_weather',
    parameters: { type: 'object', properties: { city: string }, required: ['city'] },
    strict: true,
  },
  { name: 'search_documents', parameters: SEARCH, strict: true },
];

const compact = (value: unknown): string => JSON.stringify(value);
const indented = (value: unknown): string => JSON.stringify(value, null, 2);
/** As Python's json.dumps, which models know best. */
const spaced = (value: unknown): string =>
  indented(value)
    .replace(/\n\s*/g, ' ')
    .replace(/([[{]) /g, '$1')
    .replace(/ ([\]}])/g, '$1');

export const GRAMMAR_WORKLOADS: readonly GrammarWorkload[] = [
  {
    name: 'calendar event (strict)',
    constraint: { kind: 'json_schema', schema: EVENT },
    answers: EVENTS.flatMap((event) => [compact(event), spaced(event), indented(event)]),
  },
  {
    name: 'reasoning steps (strict)',
    constraint: { kind: 'json_schema', schema: REASONING },
    answers: [compact(SOLUTION), indented(SOLUTION)],
  },
  {
    name: 'order (pydantic)',
    constraint: { kind: 'json_schema', schema: ORDER },
    answers: ORDERS.flatMap((order) => [spaced(order), indented(order)]),
  },
  {
    name: 'json_object',
    constraint: { kind: 'json_object' },
    answers: [spaced(ORDERS[0]), indented(SOLUTION), compact({ a: [1, [2, [3, { b: null }]], 1.5e-3, true, 'x'] })],
  },
  {
    name: 'tool call, required',
    constraint: { kind: 'tool_calls', format: 'hermes', tools, mode: 'required', parallel: true },
    answers: [SEARCH_CALL, `${SEARCH_CALL}\n${SEARCH_CALL}`],
  },
  {
    name: 'tool call, auto',
    constraint: { kind: 'tool_calls', format: 'hermes', tools, mode: 'auto', parallel: true },
    answers: [`I will look that up for you: <b>papers</b> first.\n\n${SEARCH_CALL}`, 'No tool is needed: 2 + 2 = 4.'],
  },
  {
    name: 'choice',
    constraint: { kind: 'choice', choices: ['positive', 'negative', 'neutral', 'not applicable'] },
    answers: ['positive', 'not applicable'],
  },
  {
    name: 'regex',
    constraint: { kind: 'regex', pattern: '\\w+@\\w+\\.com\\n?' },
    answers: ['someone@example.com'],
  },
];
