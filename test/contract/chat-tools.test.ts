import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ChatTool } from 'expertmesh/chat/tool-file';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ScriptedApi, startScriptedApi } from '@expertmesh/test-kit/http-api';
import { tempDir } from '@expertmesh/test-kit/temp-dir';
import { openTerminal, pipe } from './chat-user.js';

const CTRL_C = '\u0003';
const CTRL_D = '\u0004';

let api: ScriptedApi;
beforeAll(async () => {
  api = await startScriptedApi();
});
afterAll(() => api.close());

const lastPrompt = (): string => api.model.tokenizer.decode(api.engine.requests.at(-1)?.promptTokenIds ?? []);

const TOOLS: readonly ChatTool[] = [
  { name: 'add', definition: { type: 'function', function: { name: 'add', parameters: {} } }, command: undefined },
  {
    name: 'echo',
    definition: { type: 'function', function: { name: 'echo', parameters: {} } },
    command: [process.execPath, '-e', 'process.stdin.pipe(process.stdout)'],
  },
];

const callOf = (name: string): string => `<tool_call>\n{"name": "${name}", "arguments": {"a": 1}}\n</tool_call>`;

describe('tools, texts and sessions at a terminal', () => {
  it('answers calls with what the user types', async () => {
    const user = openTerminal(api.url, { tools: TOOLS });
    await user.sees('> ');
    await api.answerWith(callOf('add'));
    user.type('Add.\r');
    await user.sees('add {"a": 1}');
    await user.sees('result of add: ');
    await api.answerWith('It is 2.');
    await user.enter('2', 'It is 2.');
    expect(lastPrompt()).toContain('{"type": "function", "function": {"name": "add"');
    expect(lastPrompt()).toContain('<tool_response>\n2\n</tool_response>');
    user.type(CTRL_D);
    await user.ended;
  });

  it.each([
    ['y', '{"a": 1}'],
    ['n', 'Error: the user does not allow this call'],
  ])('runs the command of a tool only when allowed to (%s)', async (answer, result) => {
    const user = openTerminal(api.url, { tools: TOOLS });
    await user.sees('> ');
    await api.answerWith(callOf('echo'));
    user.type('Say it.\r');
    await user.sees('for echo {"a": 1}? [y/N]');
    await api.answerWith('Said.');
    await user.enter(answer, 'Said.');
    expect(lastPrompt()).toContain(`<tool_response>\n${result}\n</tool_response>`);
    user.type(CTRL_D);
    await user.ended;
  });

  it('forgets a question whose call was stopped', async () => {
    const user = openTerminal(api.url, { tools: TOOLS });
    await user.sees('> ');
    await api.answerWith(callOf('add'));
    user.type('Add.\r');
    await user.sees('result of add: ');
    user.type(CTRL_C);
    await user.sees('[stopped]');
    await api.answerWith('Hello.');
    await user.enter('Hi', 'Hello.');
    expect(lastPrompt()).not.toContain('Add.');
    user.type(CTRL_D);
    await user.ended;
  });

  it('sends text files along with the next question, and no others', async () => {
    const directory = tempDir();
    const [text, image, huge] = [join(directory, 'notes.txt'), join(directory, 'i.png'), join(directory, 'huge.txt')];
    writeFileSync(text, 'one\ntwo\n');
    writeFileSync(image, Buffer.from([0x89, 0x50, 0, 0xff]));
    writeFileSync(huge, 'a'.repeat(1024 * 1024 + 1));
    const user = openTerminal(api.url);
    await user.sees('> ');
    await user.enter(`/attach ${image}`, 'is no text in UTF-8');
    await user.enter(`/attach ${huge}`, 'is larger than 1048576 bytes');
    await user.enter(`/attach ${directory}/absent`, 'Cannot attach');
    await user.enter(`/attach ${text}`, 'notes.txt goes along');
    await api.answerWith('Two lines.');
    await user.enter('How many?', 'Two lines.');
    expect(lastPrompt()).toContain('user\n<file name="notes.txt">\none\ntwo\n</file>\n\nHow many?<|im_end|>');
    user.type(CTRL_D);
    await user.ended;
  });

  it('saves a conversation for its owner alone, and goes on with it', async () => {
    const directory = join(tempDir(), 'chats');
    const user = openTerminal(api.url, { directory });
    await user.sees('> ');
    await user.enter('/sessions', 'No conversation is saved');
    await user.enter('/save ../x', 'is no name');
    await user.enter('/save sums', 'Saved as sums');
    await api.answerWith('132');
    await user.enter('What is 47 + 85?', '132');
    user.type(CTRL_D);
    await user.ended;
    expect(statSync(join(directory, 'sums.json')).mode & 0o777).toBe(0o600);
    const later = openTerminal(api.url, { directory });
    await later.sees('> ');
    await later.enter('/load other', 'no saved conversation other');
    await later.enter('/sessions', 'sums');
    await later.enter('/load sums', 'sums: 3 messages');
    await later.enter('And one more?', '132');
    expect(lastPrompt()).toContain('47 + 85?<|im_end|>\n<|im_start|>assistant\n132<|im_end|>\n<|im_start|>user\nAnd');
    later.type(CTRL_D);
    await later.ended;
  });
});

describe('tools and sessions in a pipe', () => {
  it('runs the commands of tools when it was allowed to beforehand, and goes on with a session', async () => {
    const directory = tempDir();
    const file = join(directory, 'tools.json');
    const go = join(directory, 'go');
    const wait = `const wait = () => (require('fs').existsSync(${JSON.stringify(go)}) ? echo() : setTimeout(wait, 10))`;
    const program = `const echo = () => process.stdin.pipe(process.stdout); ${wait}; wait();`;
    const command = [process.execPath, '-e', program];
    writeFileSync(file, JSON.stringify([{ type: 'function', function: { name: 'echo' }, command }]));
    await api.answerWith(callOf('echo'));
    const flags = ['--url', api.url, '--tools', file, '--session', 's'];
    const env = { XDG_STATE_HOME: directory };
    const refused = await pipe('Say it.', flags, env);
    expect(refused.stderr).toContain('allow commands with --run-tools');
    const running = pipe('Say it.', [...flags, '--run-tools'], env);
    const callsBefore = api.engine.requests.length;
    await expect.poll(() => api.engine.requests.length, { timeout: 20_000 }).toBeGreaterThan(callsBefore);
    await api.answerWith('Said.');
    writeFileSync(go, '');
    expect(await running).toEqual({ stdout: 'Said.\n', stderr: '', exitCode: 0 });
    expect(lastPrompt()).toContain('<tool_response>\n{"a": 1}\n</tool_response>');
    await pipe('Again.', flags, env);
    expect(lastPrompt()).toMatch(/Say it\..*Said\..*Again\./s);
    expect((await pipe('', ['--sessions'], env)).stdout).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d {2}s\n$/);
  });

  it.each([
    ['[]', 'Too small'],
    ['{', 'JSON'],
    ['[{"function": {"name": "a"}, "comand": ["x"]}]', 'comand'],
    ['[{"function": {"name": "a"}}, {"function": {"name": "a"}}]', 'a twice'],
  ])('says what is wrong with a file of tools: %s', async (content, words) => {
    const file = join(tempDir(), 'tools.json');
    writeFileSync(file, content);
    const { stderr, exitCode } = await pipe('hi', ['--url', api.url, '--tools', file]);
    expect(stderr).toContain(`${file} has no tools`);
    expect(stderr).toContain(words);
    expect(exitCode).toBe(1);
  });
});
