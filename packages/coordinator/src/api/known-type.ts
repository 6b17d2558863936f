import { z } from 'zod';
import { fieldErrors } from './field-errors.js';
import { refuseUnsupported } from './parse-request.js';

const typed = z.looseObject({ type: z.string() });

/** A value whose `type` is one of those given; other types are refused by name, with the reason. */
export function ofKnownType<T>(types: readonly string[], reason: string, schema: z.ZodType<T>) {
  return ofKnownTypeAs(types, reason, schema, (data) => data);
}

/** The same, with what `make` makes of the value and of its source, whose keys are in the order of the client. */
export function ofKnownTypeAs<T, R>(
  types: readonly string[],
  reason: string,
  schema: z.ZodType<T>,
  make: (data: T, source: unknown) => R,
) {
  return z.unknown().transform((value, context): R => {
    const { data: found } = typed.safeParse(value);
    if (found !== undefined && !types.includes(found.type)) {
      refuseUnsupported(context, `has the type ${found.type}: ${reason}`);
      return z.NEVER;
    }
    const result = schema.safeParse(value, { error: fieldErrors });
    if (result.success) return make(result.data, value);
    for (const issue of result.error.issues) context.addIssue({ ...issue });
    return z.NEVER;
  });
}
