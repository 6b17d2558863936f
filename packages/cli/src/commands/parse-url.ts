import { InvalidArgumentError } from 'commander';

/** The value of a --url flag. */
export function parseUrl(text: string): string {
  if (URL.canParse(text) && /^https?:/.test(text)) return text;
  throw new InvalidArgumentError('It must be a URL such as http://127.0.0.1:8000.');
}
