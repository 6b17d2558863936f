import { spawnSync } from 'node:child_process';
import { type CommandPrefix } from './fork-typescript.js';

/** A network namespace: a box of its own as far as the network is concerned. */
export interface NetworkNamespace {
  readonly address: string;
  /** Runs a command inside. */
  readonly prefix: CommandPrefix;
}

/** Packets of up to 64 KiB leave an interface at once; less burst than a few of those would throttle below the rate. */
const BURST_KBIT = 2048;
const QUEUE_MS = 50;

/**
 * Network namespaces that are joined by a switch, each behind a link of limited rate in both directions. This machine
 * itself is on the switch too, so it reaches all of them. Linux only, and only where the user may make namespaces.
 */
export class NetworkNamespaces {
  readonly boxes: readonly NetworkNamespace[];
  /** Where the boxes reach this machine. */
  readonly ownAddress: string;
  readonly #subnet: string;
  readonly #bridge: string;
  readonly #names: readonly string[];

  private constructor(
    { bridge, subnet }: { readonly bridge: string; readonly subnet: string },
    names: readonly string[],
    boxes: readonly NetworkNamespace[],
  ) {
    this.ownAddress = `${subnet}.254`;
    this.#subnet = subnet;
    this.#bridge = bridge;
    this.#names = names;
    this.boxes = boxes;
  }

  /**
   * @throws Error with the reason where namespaces are not allowed or `ip` and `tc` are not there; nothing is left
   * then.
   */
  static create(numBoxes: number, rateMbit: number): NetworkNamespaces {
    // Unique on this machine; names of interfaces have at most 15 characters.
    const id = `em${String(process.pid)}`;
    const subnet = `10.213.${String(process.pid % 256)}`;
    const names = Array.from({ length: numBoxes }, (_, index) => `${id}b${String(index)}`);
    const boxes = names.map((name, index) => ({
      address: `${subnet}.${String(index + 1)}`,
      prefix: ['ip', 'netns', 'exec', name],
    }));
    const created = new NetworkNamespaces({ bridge: `${id}br`, subnet }, names, boxes);
    process.once('exit', created.#remove);
    try {
      run('ip', 'link', 'add', created.#bridge, 'type', 'bridge');
      run('ip', 'address', 'add', `${created.ownAddress}/24`, 'dev', created.#bridge);
      run('ip', 'link', 'set', created.#bridge, 'up');
      for (const [index, name] of names.entries()) addBox(name, boxes[index]?.address ?? '', created.#bridge, rateMbit);
    } catch (thrown) {
      created.close();
      throw thrown;
    }
    return created;
  }

  /** One more address of this machine, so that boxes can be parted from what listens there alone. */
  addOwnAddress(lastByte: number): string {
    const address = `${this.#subnet}.${String(lastByte)}`;
    run('ip', 'address', 'add', `${address}/24`, 'dev', this.#bridge);
    return address;
  }

  /** Removes everything again. Processes inside must have ended. */
  close(): void {
    this.#remove();
    process.off('exit', this.#remove);
  }

  // What does not exist, after a failure half-way, cannot be removed: so errors are of no interest.
  readonly #remove = (): void => {
    for (const name of this.#names) spawnSync('ip', ['netns', 'delete', name]);
    spawnSync('ip', ['link', 'delete', this.#bridge]);
  };
}

function addBox(name: string, address: string, bridge: string, rateMbit: number): void {
  const port = `${name}p`;
  const shape = ['root', 'tbf', 'rate', `${String(rateMbit)}mbit`, 'burst', `${String(BURST_KBIT)}kbit`];
  const queue = ['latency', `${String(QUEUE_MS)}ms`];
  run('ip', 'netns', 'add', name);
  run('ip', 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
  run('ip', 'link', 'set', port, 'master', bridge, 'up');
  run('ip', '-n', name, 'address', 'add', `${address}/24`, 'dev', 'eth0');
  run('ip', '-n', name, 'link', 'set', 'eth0', 'up');
  run('ip', '-n', name, 'link', 'set', 'lo', 'up');
  run('tc', 'qdisc', 'add', 'dev', port, ...shape, ...queue);
  run('tc', '-n', name, 'qdisc', 'add', 'dev', 'eth0', ...shape, ...queue);
}

function run(command: string, ...args: string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${[command, ...args].join(' ')}: ${error?.message ?? stderr.trim()}`);
}
