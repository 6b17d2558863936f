import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';
import { type AnswerCall } from './conversation.js';
import { runTool } from './run-tool.js';
import { type ChatTool } from './tool-file.js';

/** Asks the user for a line, until `signal` aborts. */
export type AskUser = (prompt: string, signal: AbortSignal) => Promise<string>;

export interface CallOptions {
  readonly tools: readonly ChatTool[];
  /** Absent where nobody is there to ask. */
  readonly askUser?: AskUser | undefined;
  /** Commands run without a question. */
  readonly runsUnasked: boolean;
}

/** Answers calls with what the user types, or with what a tool's command writes, which runs only if that is allowed. */
export function answerCalls({ tools, askUser, runsUnasked }: CallOptions): AnswerCall {
  return async ({ function: { name, arguments: args } }, signal) => {
    const tool = tools.find((known) => known.name === name);
    if (tool === undefined) return `Error: there is no tool ${name}`;
    const { command } = tool;
    if (command !== undefined && runsUnasked) return runTool(command, args, signal);
    if (askUser === undefined) throw nobodyToAsk(tool);
    if (command === undefined) return askUser(`\nresult of ${name}: `, signal);
    const answer = await askUser(`\nRun ${shown(command)} for ${name} ${args}? [y/N] `, signal);
    if (!/^y(es)?$/i.test(answer.trim())) return 'Error: the user does not allow this call';
    return runTool(command, args, signal);
  };
}

const shown = (command: readonly string[]): string =>
  command.map((word) => (/^[\w./:=@-]+$/.test(word) ? word : JSON.stringify(word))).join(' ');

function nobodyToAsk({ name, command }: ChatTool): ExpertmeshError {
  const remedy = command === undefined ? 'give it a command in the file of --tools' : 'allow commands with --run-tools';
  const message = `The model calls ${name}, and in a pipe there is nobody to ask: ${remedy}, or chat at a terminal`;
  return new ExpertmeshError('failed_precondition', message);
}
