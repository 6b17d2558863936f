import { setTimeout as sleep } from 'node:timers/promises';
import {
  connect,
  ErrorCode,
  NatsError,
  StorageType,
  type ConnectionOptions,
  type JetStreamManager,
  type KV,
  type KvEntry,
  type NatsConnection as Client,
  type TlsOptions,
} from 'nats';
import { ExpertmeshError } from '../errors/expertmesh-error.js';
import { natsTlsOptions } from '../transport-security/tls-ends.js';
import { type TransportSecurity } from '../transport-security/transport-security.js';
import { MAX_VALUE_BYTES } from './key-value-limits.js';
import { natsLogin } from './nats-login.js';

export interface NatsServer {
  readonly version: string;
  /** Whether the server keeps state (JetStream), which a control plane over NATS needs. */
  readonly hasJetStream: boolean;
}

/**
 * Connects once, asks the server who it is, and disconnects.
 *
 * @throws ExpertmeshError `unavailable` when no server answers within timeoutMs.
 */
export async function probeNats(
  url: string,
  timeoutMs: number,
  security?: TransportSecurity,
  credsFile?: string,
): Promise<NatsServer> {
  try {
    const connection = await connect({
      servers: url,
      timeout: timeoutMs,
      reconnect: false,
      name: 'expertmesh',
      ...tlsOf(security),
      ...natsLogin(credsFile),
    }).catch(withRemedy);
    try {
      return { version: connection.info?.version ?? 'unknown', hasJetStream: connection.info?.jetstream === true };
    } finally {
      await connection.close();
    }
  } catch (cause) {
    const reason = ExpertmeshError.from(cause).message;
    throw new ExpertmeshError('unavailable', `no NATS server answers at ${url} (${reason})`, { cause });
  }
}

/** For connecting and for every call; a server that is frozen is noticed within two to three pings. */
const CALL_TIMEOUT_MS = 2_000;
const FLUSH_TIMEOUT_MS = 500;
const PING_INTERVAL_MS = 1_000;
const MAX_PINGS_OUT = 2;
/** A bucket keeps the newest value of each key alone; past this size writes are refused. */
const MAX_BUCKET_BYTES = 128 * 2 ** 20;
/** A message's headers count as well. */
const MAX_MESSAGE_BYTES = MAX_VALUE_BYTES + 4_096;
/** What JetStream answers to a write whose expected revision is not the key's newest. */
const WRONG_LAST_REVISION = 10_071;
/** And to the deletion of one that is not there. */
const NOT_DELETED = 10_057;

/**
 * One connection to a NATS server. It is never mended: when it breaks, everything that came from it is over, and a new
 * one is made. So nothing that was sent to a lost server can arrive late, and no watch can die unnoticed in a
 * reconnection.
 */
export class NatsConnection {
  /** Says why, when the connection is over. */
  readonly closed: Promise<string>;
  readonly #client: Client;

  private constructor(client: Client) {
    this.#client = client;
    this.closed = client.closed().then((error) => (error instanceof Error ? error.message : 'it was closed'));
  }

  /**
   * @param security absent for plain text; with it, a server that speaks no TLS is left at once
   * @param credsFile by which the server knows this process; see natsLogin
   */
  static async open(
    servers: readonly string[],
    clientName: string,
    security?: TransportSecurity,
    credsFile?: string,
  ): Promise<NatsConnection> {
    const client = await connect({
      servers: [...servers],
      name: clientName,
      timeout: CALL_TIMEOUT_MS,
      reconnect: false,
      // By the system, which knows /etc/hosts and search domains; the client's own resolver does not.
      resolve: false,
      pingInterval: PING_INTERVAL_MS,
      maxPingOut: MAX_PINGS_OUT,
      ...tlsOf(security),
      ...inboxOf(security),
      ...natsLogin(credsFile),
    }).catch(withRemedy);
    return new NatsConnection(client);
  }

  /** Makes the bucket if it is not there. */
  async bucket(name: string): Promise<NatsBucket> {
    const manager = await this.#client.jetstreamManager({ timeout: CALL_TIMEOUT_MS, checkAPI: false });
    const kv = await this.#client.jetstream({ timeout: CALL_TIMEOUT_MS }).views.kv(name, {
      history: 1,
      storage: StorageType.File,
      maxBucketSize: MAX_BUCKET_BYTES,
      maxValueSize: MAX_MESSAGE_BYTES,
      // Only the bucket's leader answers then, which has every write that was acknowledged.
      allow_direct: false,
      timeout: CALL_TIMEOUT_MS,
    });
    return new NatsBucket(kv, manager, name);
  }

  publish(subject: string, payload: Uint8Array): void {
    if (!this.#client.isClosed()) this.#client.publish(subject, payload);
  }

  subscribe(subject: string, listener: (payload: Uint8Array, subject: string) => void): () => void {
    if (this.#client.isClosed()) return () => undefined;
    const subscription = this.#client.subscribe(subject, {
      callback: (error, message) => {
        if (error === null) listener(message.data, message.subject);
      },
    });
    return () => {
      if (!this.#client.isClosed()) subscription.unsubscribe();
    };
  }

  /** Sends what is still to be sent, but does not wait for long: a server that is frozen takes no leave. */
  async close(): Promise<void> {
    if (this.#client.isClosed()) return;
    const flushed = this.#client.flush().catch(() => undefined);
    await Promise.race([flushed, sleep(FLUSH_TIMEOUT_MS, undefined, { ref: false })]);
    await this.#client.close();
  }
}

/** The client hands Node what it does not know itself. */
const tlsOf = (security: TransportSecurity | undefined): Pick<ConnectionOptions, 'tls'> =>
  security === undefined ? {} : { tls: natsTlsOptions(security) as TlsOptions };

/** Where answers come: the server may keep each role to its own, so that none reads those of others. */
const inboxOf = (security: TransportSecurity | undefined): Pick<ConnectionOptions, 'inboxPrefix'> =>
  security === undefined ? {} : { inboxPrefix: `_INBOX.${security.credentials.identity.role}` };

/** The client says in its own way what a server has against it, or it against the server. */
function withRemedy(cause: unknown): never {
  const remedy = cause instanceof NatsError ? REMEDIES[cause.code] : undefined;
  throw remedy === undefined ? cause : new ExpertmeshError('failed_precondition', remedy, { cause });
}

const REMEDIES: Readonly<Partial<Record<string, string>>> = {
  [ErrorCode.ServerOptionNotAvailable]:
    'the NATS server speaks no TLS, and this process has certificates: start it with --tlsverify (docs/security.md)',
  [ErrorCode.AuthorizationViolation]:
    'the NATS server knows no user by the certificate of --tls-cert or by --nats-creds: give it one, or show another ' +
    '(docs/security.md)',
};

/** A bucket's calls; see NatsBucket. */
export type NatsBucketCalls = Pick<NatsBucket, keyof NatsBucket>;

/** What a control plane needs of a connection; see NatsConnection. */
export interface NatsLink extends Omit<Pick<NatsConnection, keyof NatsConnection>, 'bucket'> {
  bucket(name: string): Promise<NatsBucketCalls>;
}

/** One entry of a bucket as a watch tells it. Keys are encoded. */
export interface NatsChange {
  readonly key: string;
  readonly revision: number;
  /** Undefined when the key was deleted, which leaves a marker behind. */
  readonly value: Uint8Array | undefined;
  readonly createdMs: number;
}

export interface NatsBucketInfo {
  /** When the server made it: another time after the server has lost its store. */
  readonly created: string;
  /** Of the last write, whatever became of it. */
  readonly lastRevision: number;
}

/** A JetStream key-value bucket over one connection. Errors of all calls are the client's. */
export class NatsBucket {
  readonly #kv: KV;
  readonly #manager: JetStreamManager;
  readonly #name: string;

  constructor(kv: KV, manager: JetStreamManager, name: string) {
    this.#kv = kv;
    this.#manager = manager;
    this.#name = name;
  }

  async get(key: string): Promise<{ readonly value: Uint8Array; readonly revision: number } | undefined> {
    const entry = await this.#kv.get(key);
    return entry === null || isDeletion(entry) ? undefined : { value: entry.value.slice(), revision: entry.revision };
  }

  put(key: string, value: Uint8Array): Promise<number> {
    return this.#kv.put(key, value);
  }

  create(key: string, value: Uint8Array): Promise<number | undefined> {
    return this.#kv.create(key, value).catch(undefinedIfRefused);
  }

  update(key: string, value: Uint8Array, revision: number): Promise<number | undefined> {
    return this.#kv.update(key, value, revision).catch(undefinedIfRefused);
  }

  delete(key: string): Promise<void> {
    return this.#kv.delete(key);
  }

  /** Tells all entries, then `onCurrent`, then every change, until the connection is over: `onEnd` says why. */
  async watch(
    onChange: (change: NatsChange) => void,
    onCurrent: () => void,
    onEnd: (reason: string) => void,
  ): Promise<void> {
    // The client says that all is there when it has received it: among the entries, or before any has been handed out.
    let isEarly = true;
    let isListed = false;
    const initializedFn = (): void => {
      isListed = true;
      if (!isEarly) onCurrent();
    };
    const entries = await this.#kv.watch({ initializedFn });
    isEarly = false;
    const follow = async (): Promise<string> => {
      let numBeforeCurrent = isListed ? entries.getPending() : Infinity;
      if (numBeforeCurrent === 0) onCurrent();
      for await (const entry of entries) {
        onChange(changeOf(entry));
        numBeforeCurrent -= 1;
        if (numBeforeCurrent === 0) onCurrent();
      }
      return 'the watch has ended';
    };
    void follow()
      .catch((error: unknown) => `the watch has failed: ${ExpertmeshError.from(error).message}`)
      .then(onEnd);
  }

  async info(): Promise<NatsBucketInfo> {
    const { created, state } = await this.#manager.streams.info(streamOf(this.#name));
    return { created, lastRevision: state.last_seq };
  }

  /** Removes the marker that a deletion has left; nothing happens when the key was written since. */
  async removeMarker({ revision }: NatsChange): Promise<void> {
    await this.#manager.streams.deleteMessage(streamOf(this.#name), revision, false).catch(ignoreMissing);
  }
}

const streamOf = (bucketName: string): string => `KV_${bucketName}`;

const isDeletion = ({ operation }: KvEntry): boolean => operation !== 'PUT';

const changeOf = (entry: KvEntry): NatsChange => ({
  key: entry.key,
  revision: entry.revision,
  value: isDeletion(entry) ? undefined : entry.value.slice(),
  createdMs: entry.created.getTime(),
});

function undefinedIfRefused(error: unknown): undefined {
  if (error instanceof NatsError && error.api_error?.err_code === WRONG_LAST_REVISION) return undefined;
  throw error;
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof NatsError) || error.api_error?.err_code !== NOT_DELETED) throw error;
}
