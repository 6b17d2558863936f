import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ScriptedApi, startScriptedApi } from '@expertmesh/test-kit/http-api';
import { openTerminal, pipe } from './chat-user.js';

const CTRL_C = '\u0003';
const CTRL_D = '\u0004';

let api: ScriptedApi;
beforeAll(async () => {
  api = await startScriptedApi();
});
afterAll(() => api.close());

const lastPrompt = (): string => api.model.tokenizer.decode(api.engine.requests.at(-1)?.promptTokenIds ?? []);

describe('expertmesh chat at a terminal', () => {
  it('streams thinking and answer, and remembers what was said', async () => {
    const user = openTerminal(api.url);
    await user.sees('> ');
    await api.answerWith('<think>\n47 + 85\n</think>\n\n132');
    await user.enter('What is 47 + 85?', '47 + 85\n\n132\n[');
    await api.answerWith('133');
    await user.enter('And one more?', '133');
    expect(lastPrompt()).toBe(
      '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhat is 47 + 85?<|im_end|>\n' +
        '<|im_start|>assistant\n132<|im_end|>\n<|im_start|>user\nAnd one more?<|im_end|>\n<|im_start|>assistant\n',
    );
    await user.enter('/reset', 'anew');
    await user.enter('/no_think', 'Thinking is off');
    await user.enter('Hello', 'tokens');
    expect(lastPrompt()).toBe(
      '<|im_start|>system\nBe ' +
        'brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n',
    );
    await user.enter('/think', 'Thinking is on');
    await user.enter('/help', '/no_think');
    await user.enter('/what', 'no command /what');
    user.type('/exit\r');
    await user.ended;
  });

  it('stops an answer at Ctrl-C, and leaves when it comes twice at the prompt', async () => {
    const user = openTerminal(api.url);
    await user.sees('> ');
    api.engine.script = { tokenIds: await api.model.tokenizer.encode('one two'), end: 'hang until aborted' };
    const { hanging } = api.engine;
    user.type('Count.\r');
    await hanging;
    await user.sees('one two');
    user.type(CTRL_C);
    await user.sees('[stopped]');
    await expect.poll(() => api.engine.numOpenSequences).toBe(0);
    await user.enter('/help', '/reset');
    user.type(CTRL_C);
    await user.sees('Ctrl-C again');
    await user.enter('/help', '/reset');
    user.type(`half a question${CTRL_C}`);
    await user.sees('Ctrl-C again');
    user.type(CTRL_C);
    await user.ended;
  });

  it('leaves at Ctrl-D', async () => {
    const user = openTerminal(api.url);
    await user.sees('> ');
    user.type(CTRL_D);
    await user.ended;
  });

  it('says what went wrong and goes on', async () => {
    const user = openTerminal(api.url);
    await user.sees('> ');
    await user.enter('1 '.repeat(1500), 'maximum context length is 2048 tokens');
    await api.answerWith('ok');
    await user.enter('Short now.', 'ok');
    user.type(CTRL_D);
    await user.ended;
  });
});

describe('expertmesh chat in a pipe', () => {
  it('prints the answer only', async () => {
    await api.answerWith('<think>\nhm\n</think>\n\n132 🦜');
    const flags = ['--url', api.url, '--max-tokens', '50', '--temperature', '0', '--no-think'];
    const { stdout, stderr, exitCode } = await pipe('What is 47 + 85?\n', flags);
    expect({ stdout, stderr, exitCode }).toEqual({ stdout: '132 🦜\n', stderr: '', exitCode: 0 });
    expect(lastPrompt()).toContain('user\nWhat is 47 + 85?<|im_end|>');
    expect(api.engine.requests.at(-1)).toMatchObject({ maxTokens: 50, sampling: { temperature: 0 } });
  });

  it('sends its key', async () => {
    const headers: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      headers.push(request.headers.authorization);
      response.writeHead(401, { 'content-type': 'application/json' }).end('{"error": {"message": "wrong key"}}');
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
    const { stderr } = await pipe('hi', ['--url', url], { EXPERTMESH_API_KEY: 'k1' });
    await pipe('hi', ['--url', url, '--api-key', 'k2'], { EXPERTMESH_API_KEY: 'k1' });
    server.close();
    expect(headers).toEqual(['Bearer k1', 'Bearer k2']);
    expect(stderr).toContain('wrong key');
  });

  it('says that thinking used up the limit, when it did', async () => {
    api.engine.script = { tokenIds: await api.model.tokenizer.encode('<think>\nhm, 47 + 85'), end: 'length' };
    const { stdout, stderr, exitCode } = await pipe('What is 47 + 85?', ['--url', api.url, '--max-tokens', '5']);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^expertmesh: --max-tokens 5 was used up by thinking.*--no-think/);
    expect(exitCode).toBe(1);
  });

  it.each([
    ['that knows no such path', [], 404, 'text/html', '<html>'],
    ['that answers everything', [], 200, 'application/json', '{"hello": "world"}'],
    ['that streams nothing', ['--model', 'm'], 200, 'text/html', '<html>'],
  ])('says that it has come to a foreign server %s', async (_, flags, status, contentType, body) => {
    const foreign = createServer((_request, response) => {
      response.writeHead(status, { 'content-type': contentType }).end(body);
    });
    await once(foreign.listen(0, '127.0.0.1'), 'listening');
    const url = `http://127.0.0.1:${String((foreign.address() as AddressInfo).port)}`;
    const { stderr, exitCode } = await pipe('hi', ['--url', url, ...flags]);
    foreign.close();
    expect(stderr).toContain(`What answers at ${url} is not an Expertmesh server`);
    expect(exitCode).toBe(1);
  });

  it('names the address and the remedy when no server is there', async () => {
    const { stderr, exitCode } = await pipe('hi', ['--url', 'http://127.0.0.1:9']);
    expect(stderr).toContain('No server answers at http://127.0.0.1:9');
    expect(stderr).toContain('expertmesh up');
    expect(exitCode).toBe(1);
  });

  it('says that the connection broke off when the server dies', async () => {
    const dying = createServer((request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: {"choices": [{"delta": {"content": "half"}}]}\n\n', () => request.socket.destroy());
    });
    await once(dying.listen(0, '127.0.0.1'), 'listening');
    const { port } = dying.address() as AddressInfo;
    const { stdout, stderr, exitCode } = await pipe('hi', [
      '--url',
      `http://127.0.0.1:${String(port)}`,
      '--model',
      'm',
    ]);
    dying.close();
    expect(stdout).toBe('half');
    expect(stderr).toContain('the connection broke off');
    expect(exitCode).toBe(1);
  });

  it.each([
    ['--temperature', 'warm'],
    ['--url', 'localhost:8000'],
    ['--temprature', '1'],
  ])('refuses %s %s as wrong usage', async (...flags) => {
    expect((await pipe('hi', flags)).exitCode).toBe(2);
  });
});
