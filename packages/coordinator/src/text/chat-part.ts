/** A piece of an assistant's answer. Pieces of one kind that follow each other are one text. */
export type ChatPart =
  | { readonly kind: 'reasoning' | 'content'; readonly text: string }
  /** A call begins; its arguments follow. */
  | { readonly kind: 'call_start'; readonly callIndex: number; readonly name: string }
  /** The pieces of a call, joined, are one JSON object; a call has at least one. */
  | { readonly kind: 'call_arguments'; readonly callIndex: number; readonly text: string };
