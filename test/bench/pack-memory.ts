/**
 * Peak memory and rate of `expertmesh pack` on a large checkpoint, which is made up: the geometry of a real model in
 * sharded BF16 files.
 *
 *   npm run build && npx tsx test/bench/pack-memory.ts --layers 12
 *
 * --preset P    geometry (qwen3-30b-a3b)
 * --layers N    number of layers (12)
 * --weights W   `zeros` takes no disk for the checkpoint, whatever its size, but quantises faster than real weights;
 * `random` (zeros) --bits B      (4) --seconds S   interrupt the packing after this time; the memory has had its peak
 * after the embedding and the head (no limit) --dir D       where checkpoint and store are written, and removed
 * afterwards (a folder under the system's temporary one)
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { formatBytes } from '@expertmesh/shared/expert-store/format-bytes';
import { encodeBf16 } from '@expertmesh/shared/expert-store/half-precision';
import { planPack, type NeededTensor } from '@expertmesh/shared/expert-store/pack/plan';
import { PRESET_CONFIGS, SYNTH_PRESETS } from '@expertmesh/shared/expert-store/synth/presets';
import { parseModelSpec } from '@expertmesh/shared/model/model-spec';
import { writeSparseSafetensors } from '@expertmesh/test-kit/safetensors-files';

const CLI = fileURLToPath(new URL('../../packages/cli/dist/main.js', import.meta.url));
const SHARD_BYTES = 4e9;

const { values: flags } = parseArgs({
  options: {
    preset: { type: 'string', default: 'qwen3-30b-a3b' },
    layers: { type: 'string', default: '12' },
    weights: { type: 'string', default: 'zeros' },
    bits: { type: 'string', default: '4' },
    seconds: { type: 'string', default: '0' },
    dir: { type: 'string', default: tmpdir() },
  },
});

const dir = mkdtempSync(join(flags.dir, 'pack-memory-'));
try {
  const checkpointBytes = writeCheckpoint(dir);
  process.stdout.write(`checkpoint: ${flags.preset}, ${flags.layers} layers, ${formatBytes(checkpointBytes)}\n`);
  await measurePack(checkpointBytes);
} finally {
  rmSync(dir, { recursive: true, force: true });
}

function writeCheckpoint(hfDir: string): number {
  const preset = SYNTH_PRESETS.find((name) => name === flags.preset);
  if (preset === undefined) throw new Error(`--preset must be one of ${SYNTH_PRESETS.join(', ')}`);
  const config = { ...PRESET_CONFIGS[preset], num_hidden_layers: Number(flags.layers) };
  writeFileSync(join(hfDir, 'config.json'), JSON.stringify(config));
  const needed = planPack(parseModelSpec(config), { bits: 32 }).flatMap(({ parts }) =>
    parts.flatMap((part) => part.sources),
  );
  const shards = shardsOf(needed);
  const weightMap: Record<string, string> = {};
  let sizeBytes = 0;
  for (const [index, tensors] of shards.entries()) {
    const numbered = (count: number): string => String(count).padStart(5, '0');
    const fileName = `model-${numbered(index + 1)}-of-${numbered(shards.length)}.safetensors`;
    const file = join(hfDir, fileName);
    writeSparseSafetensors(
      file,
      tensors.map(({ name, shape }) => ({ name, dtype: 'BF16', shape })),
    );
    if (flags.weights === 'random') fillWithRandomWeights(file, tensors);
    for (const { name } of tensors) weightMap[name] = fileName;
    sizeBytes += statSync(file).size;
  }
  writeFileSync(join(hfDir, 'model.safetensors.index.json'), JSON.stringify({ weight_map: weightMap }));
  return sizeBytes;
}

function sizeOf({ shape }: NeededTensor): number {
  return shape.reduce((product, dim) => product * dim, 2);
}

function shardsOf(tensors: readonly NeededTensor[]): NeededTensor[][] {
  const shards: NeededTensor[][] = [];
  let roomBytes = 0;
  for (const tensor of tensors) {
    if (roomBytes < sizeOf(tensor)) {
      shards.push([]);
      roomBytes = SHARD_BYTES;
    }
    shards.at(-1)?.push(tensor);
    roomBytes -= sizeOf(tensor);
  }
  return shards;
}

function fillWithRandomWeights(file: string, tensors: readonly NeededTensor[]): void {
  const pattern = new Uint16Array(8 * 1024 * 1024);
  encodeBf16(
    Float32Array.from(
      pattern,
      () => 0.02 * Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random()),
    ),
    pattern,
  );
  const endBytes = statSync(file).size;
  const fd = openSync(file, 'r+');
  let offsetBytes = endBytes - tensors.reduce((sum, tensor) => sum + sizeOf(tensor), 0);
  while (offsetBytes < endBytes)
    offsetBytes += writeSync(fd, pattern, 0, Math.min(pattern.byteLength, endBytes - offsetBytes), offsetBytes);
  closeSync(fd);
}

async function measurePack(checkpointBytes: number): Promise<void> {
  const startMs = performance.now();
  const child = spawn(process.execPath, [CLI, 'pack', dir, join(dir, 'store'), '--bits', flags.bits], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  let peakBytes = 0;
  const sampling = setInterval(() => {
    peakBytes = Math.max(peakBytes, peakMemoryBytes(child));
    if (Number(flags.seconds) > 0 && performance.now() - startMs > Number(flags.seconds) * 1000) child.kill('SIGINT');
  }, 50);
  const exitCode = await exited;
  clearInterval(sampling);
  const seconds = (performance.now() - startMs) / 1000;
  process.stdout.write(
    `exit code ${String(exitCode)} after ${seconds.toFixed(1)} s, peak memory ${formatBytes(peakBytes)}`,
  );
  process.stdout.write(exitCode === 0 ? `, ${formatBytes(checkpointBytes / seconds)}/s of checkpoint\n` : '\n');
}

/** The high-water mark of the resident memory of the process with all its threads; 0 when it is gone. */
function peakMemoryBytes(child: ChildProcess): number {
  try {
    const status = readFileSync(`/proc/${String(child.pid)}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
