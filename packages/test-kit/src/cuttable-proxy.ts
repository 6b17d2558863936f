import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/**
 * A TCP proxy on a loopback port of its own that stands for a wire which can be cut: connections end, and new ones are
 * refused.
 */
export class CuttableProxy {
  readonly port: number;
  readonly #server: Server;
  readonly #targetPort: number;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, targetPort: number) {
    this.#server = server;
    this.#targetPort = targetPort;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (socket) => {
      this.#join(socket);
    });
  }

  static async start(targetPort: number, listen = { host: '127.0.0.1', port: 0 }): Promise<CuttableProxy> {
    const server = createServer().listen(listen.port, listen.host);
    await once(server, 'listening');
    return new CuttableProxy(server, targetPort);
  }

  async cut(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }

  async mend(): Promise<void> {
    this.#server.listen(this.port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  #join(socket: Socket): void {
    const target = connect(this.#targetPort, '127.0.0.1');
    this.#own(socket, target);
    this.#own(target, socket);
  }

  #own(socket: Socket, peer: Socket): void {
    this.#sockets.add(socket);
    socket.pipe(peer);
    // The end of one side is the end of the other, whatever ended it.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#sockets.delete(socket);
      peer.destroy();
    });
  }
}
