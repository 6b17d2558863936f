import { ExpertmeshError } from '../../errors/expertmesh-error.js';
import { type Checkpoint } from '../checkpoint/checkpoint.js';
import { type SourceTensor } from '../checkpoint/safetensors-header.js';
import { LM_HEAD, type BlobPlan, type NeededTensor } from './plan.js';

/**
 * Finds every tensor of the plan in the checkpoint. Nothing is written before this has passed.
 *
 * @throws ExpertmeshError `invalid_argument` for tensors that are missing, have another shape or are of no known use,
 * `unimplemented` for experts that are fused into one tensor.
 */
export function resolveSources(
  plan: readonly BlobPlan<NeededTensor>[],
  checkpoint: Checkpoint,
): BlobPlan<SourceTensor>[] {
  refuseFusedExperts(checkpoint);
  const missing: string[] = [];
  const used = new Set<string>();
  const resolve = (needed: NeededTensor): SourceTensor[] => {
    const found = checkpoint.tensors.get(needed.name);
    if (found === undefined) missing.push(needed.name);
    else requireShape(found, needed);
    used.add(needed.name);
    return found === undefined ? [] : [found];
  };
  const resolved = plan.map(({ blob, parts }) => ({
    blob,
    parts: parts.map(({ name, sources }) => ({ name, sources: sources.flatMap(resolve) })),
  }));
  refuse('lacks', missing, checkpoint, 'download the complete checkpoint, or check config.json');
  const unknown = [...checkpoint.tensors.keys()].filter((name) => !used.has(name) && !isIgnored(name));
  refuse('has', unknown, checkpoint, 'config.json has no place for them: check that it belongs to this checkpoint');
  return resolved;
}

const FUSED_EXPERTS = /\.mlp\.experts\.(gate_up_proj|down_proj)$/;

function refuseFusedExperts(checkpoint: Checkpoint): void {
  const fused = [...checkpoint.tensors.keys()].find((name) => FUSED_EXPERTS.test(name));
  if (fused === undefined) return;
  throw new ExpertmeshError(
    'unimplemented',
    `${checkpoint.dir} has the experts of a layer fused in ${fused}: save it with one gate_proj, ` +
      'up_proj and down_proj an expert, as the published Qwen3 checkpoints have them',
  );
}

function requireShape(found: SourceTensor, needed: NeededTensor): void {
  if (found.shape.join() === needed.shape.join()) return;
  throw new ExpertmeshError(
    'invalid_argument',
    `${found.name} in ${found.file} has shape [${found.shape.join(', ')}], ` +
      `config.json asks for [${needed.shape.join(', ')}]: ` +
      'check that config.json belongs to this checkpoint',
  );
}

// Rotary tables are computed from rope_theta; a second copy of a tied embedding adds nothing.
const isIgnored = (name: string): boolean => name.endsWith('.rotary_emb.inv_freq') || name === LM_HEAD;

function refuse(verb: string, names: readonly string[], checkpoint: Checkpoint, remedy: string): void {
  if (names.length === 0) return;
  const some = names.slice(0, 3).join(', ') + (names.length > 3 ? ' and more' : '');
  throw new ExpertmeshError(
    'invalid_argument',
    `${checkpoint.dir} ${verb} ${String(names.length)} tensors ` +
      `${verb === 'lacks' ? 'that the model needs' : 'of unknown use'} (${some}): ` +
      remedy,
  );
}
