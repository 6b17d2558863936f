import { spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * Posts a body of so many bytes from a process of its own, so that a test can measure meanwhile.
 *
 * @returns the status line, or the code of what became of the connection.
 */
export async function postFromElsewhere(port: number, path: string, piece: string, numBytes: number): Promise<string> {
  const attacker = spawn(process.execPath, ['-e', POST, String(port), path, piece, String(numBytes)]);
  let told = '';
  attacker.stdout.on('data', (data: Buffer) => (told += data.toString()));
  await once(attacker, 'close');
  return told.split('\r\n')[0] ?? '';
}

const POST = `
  const [port, path, piece, numBytes] = process.argv.slice(1);
  const socket = require('node:net').connect(Number(port), '127.0.0.1');
  socket.once('error', (error) => process.stdout.write(error.code, () => process.exit()));
  socket.once('data', (data) => process.stdout.write(data, () => process.exit()));
  socket.write(
    'POST ' + path + ' HTTP/1.1\\r\\nhost: x\\r\\n' +
    'content-type: application/json\\r\\ncontent-length: ' + numBytes + '\\r\\n\\r\\n',
  );
  socket.write(Buffer.alloc(Number(numBytes), piece));
`;
