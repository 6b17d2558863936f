import { z } from 'zod';

/** How much a model shall think, in OpenAI's words; what others call `max` is its largest. */
export const reasoningEffort = z
  .enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'])
  .transform((effort) => (effort === 'max' ? 'xhigh' : effort));
