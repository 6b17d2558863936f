import { type Socket } from 'node:net';
import { connect } from 'node:tls';
import { CallCredentials, ChannelCredentials, ServerCredentials, type experimental } from '@grpc/grpc-js';
import { type Role } from '../transport-security/mesh-identity.js';
import { clientTlsOptions, explained, guardSocket, serverTlsOptions } from '../transport-security/tls-ends.js';
import { type TransportSecurity } from '../transport-security/transport-security.js';

// grpc-js's own kinds keep the certificates that they were made with; these look at what holds now.

/** Clients must show a certificate; those that connect after a change of the files see the new one. */
export class MeshServerCredentials extends ServerCredentials {
  constructor(security: TransportSecurity) {
    super(serverTlsOptions(security), security.credentials.context);
    security.onChange(({ context }) => {
      this.updateSecureContextOptions(context);
    });
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

/** Every connection of the channel is made with the certificates of its moment. */
export class MeshChannelCredentials extends ChannelCredentials {
  readonly #security: TransportSecurity;
  readonly #serverRoles: readonly Role[];

  constructor(security: TransportSecurity, serverRoles: readonly Role[]) {
    super();
    this.#security = security;
    this.#serverRoles = serverRoles;
  }

  override _isSecure(): boolean {
    return true;
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(
    _target: unknown,
    _options: unknown,
    callCredentials = CallCredentials.createEmpty(),
  ): experimental.SecureConnector {
    return {
      connect: (socket) => this.#connect(socket),
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => callCredentials,
      destroy: () => undefined,
    };
  }

  #connect(socket: Socket): Promise<experimental.SecureConnectResult> {
    return new Promise((resolve, reject) => {
      const tls = connect({ socket, ALPNProtocols: ['h2'], ...clientTlsOptions(this.#security, this.#serverRoles) });
      const onClose = (): void => {
        reject(new Error('the peer has closed the connection during the TLS handshake'));
      };
      // It stays: what becomes of the connection later is told by its HTTP/2 session.
      tls.on('error', (error: Error) => {
        reject(explained(error, this.#security));
      });
      tls.once('close', onClose);
      tls.once('secureConnect', () => {
        tls.off('close', onClose);
        guardSocket(tls, this.#security);
        resolve({ socket: tls, secure: true });
      });
    });
  }
}
