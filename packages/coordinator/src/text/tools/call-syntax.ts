import { type PartList } from '../part-list.js';
import { type Parsing, type TextStream } from './text-stream.js';

/** How a model writes its calls. */
export interface ToolCallSyntax {
  /** A call can begin only where one of these stands. */
  readonly openings: readonly string[];
  /**
   * Takes a call from the stream, whose opening is `start` characters ahead, and adds its parts. Takes nothing and
   * returns false where none stands: that is known at the latest where its arguments begin, from where on they are
   * passed on as they come.
   */
  parse(stream: TextStream, start: number, context: CallContext): Parsing<boolean>;
}

/** A tool that was offered; models may name others, which are calls all the same. */
export interface OfferedTool {
  readonly name: string;
  /** JSON Schema of its arguments, if it has some. */
  readonly parameters: unknown;
}

export interface CallContext {
  readonly tools: readonly OfferedTool[];
  readonly parts: PartList;
  /** Whether the text, when it ends, was cut by a limit. */
  isCut(): boolean;
}
