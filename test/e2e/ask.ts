import { DEMO_MODEL, type Mesh } from '@expertmesh/test-kit/mesh';

export interface Answer {
  readonly content: string;
  readonly reasoning: string;
  /** The text as the model wrote it, thinking included. */
  readonly raw: string;
}

// Fields beyond OpenAI's API, which its types do not know.
interface WithReasoning {
  readonly reasoning?: string | null;
}

const EXTENSIONS = { max_tokens: 160, temperature: 0 } as const;

/** Asks one question, greedy, and not streaming. */
export async function ask(mesh: Mesh, question: string, enableThinking: boolean): Promise<Answer> {
  const completion = await mesh.client.chat.completions.create({
    model: DEMO_MODEL,
    messages: [{ role: 'user', content: question }],
    ...EXTENSIONS,
    ...{ chat_template_kwargs: { enable_thinking: enableThinking } },
  });
  const message = completion.choices[0]?.message;
  const content = message?.content ?? '';
  const reasoning = (message as WithReasoning | undefined)?.reasoning ?? '';
  return { content, reasoning, raw: enableThinking ? `<think>\n${reasoning}\n</think>\n\n${content}` : content };
}

/** Streams one answer, greedy, and returns its pieces: thinking first, then content. */
export async function streamTokens(mesh: Mesh, question: string): Promise<string[]> {
  const stream = await mesh.client.chat.completions.create({
    model: DEMO_MODEL,
    messages: [{ role: 'user', content: question }],
    stream: true,
    ...EXTENSIONS,
  });
  const pieces: string[] = [];
  for await (const chunk of stream) {
    const delta = chunk.choices[0]?.delta;
    const piece = (delta as WithReasoning | undefined)?.reasoning ?? delta?.content ?? '';
    if (piece !== '') pieces.push(piece);
  }
  return pieces;
}
