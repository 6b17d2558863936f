/**
 * Several small frames share one allocation, for each allocation of its own costs the garbage collector as much as
 * sending the frame.
 */
const SLAB_BYTES = 256 * 1024;
/** Longer frames have memory of their own, so that one that is kept for long keeps little beside it. */
const MAX_SHARED_BYTES = SLAB_BYTES / 8;
const ALIGNMENT_BYTES = 8;

let slab = new ArrayBuffer(0);
let usedBytes = 0;

/** Memory for one frame, 8-byte aligned, with anything in it. */
export function allocateFrame(sizeBytes: number): Buffer {
  if (sizeBytes > MAX_SHARED_BYTES) return Buffer.allocUnsafeSlow(sizeBytes);
  if (usedBytes + sizeBytes > slab.byteLength) {
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES).buffer;
    usedBytes = 0;
  }
  const frame = Buffer.from(slab, usedBytes, sizeBytes);
  usedBytes += Math.ceil(sizeBytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
  return frame;
}
