interface KeyHeaders {
  readonly authorization?: string | undefined;
  readonly 'x-api-key'?: string | readonly string[] | undefined;
}

/** The key that a call brings: `Authorization: Bearer KEY`, or `x-api-key: KEY` as Anthropic's clients have it. */
export function presentedKey({ authorization, 'x-api-key': apiKey }: KeyHeaders): string | undefined {
  const bearer = /^Bearer\s+(\S+)\s*$/i.exec(authorization ?? '')?.[1];
  return bearer ?? (typeof apiKey === 'string' && apiKey !== '' ? apiKey : undefined);
}
