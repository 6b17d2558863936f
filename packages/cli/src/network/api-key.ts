import { type Environment, environmentName } from '@expertmesh/shared/config/option';
import { secret } from '@expertmesh/shared/config/option-value';
import { ExpertmeshError } from '@expertmesh/shared/errors/expertmesh-error';

/**
 * The key that commands send to a server's API: EXPERTMESH_API_KEY, as the coordinator itself reads it.
 *
 * @throws ExpertmeshError `invalid_argument` where that is no key.
 */
export function apiKeyOf(env: Environment): string | undefined {
  const name = environmentName('apiKey');
  const text = env[name];
  if (text === undefined) return undefined;
  const { accepts, schema } = secret();
  const { success, data } = schema.safeParse(text);
  if (success) return data;
  throw new ExpertmeshError('invalid_argument', `${name} is wrong: it must be ${accepts}`);
}
