/**
 * Reads server-sent events from a response body: the data of each event, without `[DONE]`. Only what an OpenAI-style
 * server sends is understood: `data:` lines, with an empty line after each event.
 *
 * @returns whether the stream came to its end, `[DONE]`
 */
export async function* readEventStream(body: AsyncIterable<Uint8Array>): AsyncGenerator<string, boolean, void> {
  const decoder = new TextDecoder();
  let unread = '';
  for await (const bytes of body) {
    const events = (unread + decoder.decode(bytes, { stream: true })).split('\n\n');
    unread = events.pop() ?? '';
    for (const event of events) {
      const data = dataOf(event);
      if (data === '[DONE]') return true;
      if (data !== '') yield data;
    }
  }
  return false;
}

/** Lines that begin with a colon are comments, which proxies use to keep a connection open. */
const dataOf = (event: string): string =>
  event
    .split('\n')
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice('data:'.length).trim())
    .join('\n');
