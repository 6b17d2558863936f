import { type Role } from '../transport-security/mesh-identity.js';
import { type RpcClient } from './client.js';
import { type GrpcStreamClient, type GrpcStreamEvents } from './grpc-stream/grpc-stream-client.js';

// How connections are opened is handed to whoever speaks with other processes: those know neither certificates nor
// sockets.

/** Errors and deadlines as RpcClient. */
export type RpcConnection = Pick<RpcClient, 'unary' | 'serverStream' | 'close'>;

export interface RpcTarget {
  /** `host:port` */
  readonly address: string;
  /** How errors name the other side, for example `worker 10.0.0.7:9101`. */
  readonly peer: string;
  /** What the other side has to be. */
  readonly role: Role;
  /** Of every call. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Never fails: what is wrong with an address is told by the calls. */
export type OpenClient = (target: RpcTarget) => RpcConnection;

/** Frames and events as GrpcStreamClient. */
export type DispatchStream = Pick<GrpcStreamClient, 'send' | 'close'>;

/** Opens a Dispatch stream to a worker's data port. Never fails: what is wrong with an address is told by `onEnd`. */
export type OpenStream = (address: string, events: GrpcStreamEvents) => DispatchStream;

export interface Openers {
  readonly openClient: OpenClient;
  readonly openStream: OpenStream;
}
