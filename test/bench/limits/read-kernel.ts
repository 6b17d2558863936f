/** WebAssembly's page, in bytes. */
const PAGE_BYTES = 65_536;
const STEP_BYTES = 128;

/** As much of WebAssembly as is used here: without the types of browsers, TypeScript does not know it. */
interface Wasm {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => {
    readonly exports: {
      readonly memory: { readonly buffer: ArrayBuffer };
      readonly read: (endBytes: number) => number;
    };
  };
}
const wasm = (globalThis as unknown as { WebAssembly: Wasm }).WebAssembly;

/** Memory, and a function that reads it. */
export interface ReadKernel {
  readonly memory: Uint8Array;
  /**
   * Reads the first `sizeBytes`, a multiple of 128. @returns the exclusive or of every fourth 32-bit word, from the
   * first on.
   */
  readonly read: (sizeBytes: number) => number;
}

/**
 * Memory of the given size, all of it touched, that is read from end to end with 16-byte loads. It is WebAssembly, as a
 * loop in JavaScript is slower than the memory; it needs no compiler and is the same on every machine.
 */
export function readKernel(sizeBytes: number): ReadKernel {
  const numPages = Math.ceil(sizeBytes / PAGE_BYTES);
  const { exports } = new wasm.Instance(new wasm.Module(moduleBytes(numPages)));
  const memory = new Uint8Array(exports.memory.buffer);
  memory.fill(1);
  return { memory, read: exports.read };
}

/**
 * (module
 *   (memory (export "memory") numPages)
 *   (func (export "read") (param $end i32) (result i32) (local $at i32) (local $sum v128)
 *     (loop
 *       sum = sum xor load(at) xor load(at + 16) ... xor load(at + 112)
 *       at = at + 128
 *       (br_if 0 (i32.lt_u at end)))
 *     (i32x4.extract_lane 0 sum)))
 */
function moduleBytes(numPages: number): Uint8Array<ArrayBuffer> {
  const [I32, V128] = [0x7f, 0x7b];
  const loads = Array.from({ length: STEP_BYTES / 16 }, (_, index) => [
    ...[0x20, 1], // local.get at
    ...[0xfd, 0x00, 4, index * 16], // v128.load, aligned to 16
    ...[0xfd, 0x51], // v128.xor
  ]).flat();
  const code = [
    ...[2, 1, I32, 1, V128], // two groups of locals: at, sum
    ...[0x03, 0x40], // loop
    ...[0x20, 2, ...loads, 0x21, 2], // sum = ...
    ...[0x20, 1, 0x41, ...signed(STEP_BYTES), 0x6a, 0x22, 1], // at = at + 128
    ...[0x20, 0, 0x49, 0x0d, 0, 0x0b], // br_if 0 (at < end), end
    ...[0x20, 2, 0xfd, 0x1b, 0, 0x0b], // i32x4.extract_lane 0 of sum, end
  ];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // magic, version
    ...section(1, [1, 0x60, 1, I32, 1, I32]), // type: i32 to i32
    ...section(3, [1, 0]), // function 0 has type 0
    ...section(5, [1, 0, ...unsigned(numPages)]),
    ...section(7, [2, ...name('memory'), 2, 0, ...name('read'), 0, 0]),
    ...section(10, [1, ...unsigned(code.length), ...code]),
  ]);
}

const section = (id: number, content: readonly number[]): number[] => [id, ...unsigned(content.length), ...content];

const name = (text: string): number[] => [text.length, ...Buffer.from(text)];

/** LEB128. */
function unsigned(value: number): number[] {
  const low = value & 0x7f;
  return value < 0x80 ? [low] : [low | 0x80, ...unsigned(value >>> 7)];
}

/** Signed LEB128 of a number that is not negative. */
function signed(value: number): number[] {
  const low = value & 0x7f;
  return value < 0x40 ? [low] : [low | 0x80, ...signed(value >>> 7)];
}
