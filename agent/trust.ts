import * as v from 'valibot'
import { PlasmError } from '../service/errors.ts'
import { readToml } from './toml-file.ts'

export const TRUST_POLICY_FILE = '/etc/plasm/trust/policy.toml'

/** What this image trusts. Baked in: never from the kernel command line, the environment or the network (DESIGN decision 2). */
export interface TrustPolicy {
  readonly allowUnsigned: boolean
}

const policySchema = v.strictObject({ allow_unsigned: v.boolean() })

/**
 * Reads the image's trust policy.
 * @throws PlasmError `trust-missing` | `config-invalid` (facts: `file`, `field`)
 */
export async function readTrustPolicy(file: string = TRUST_POLICY_FILE): Promise<TrustPolicy> {
  const policy = await readToml(file, policySchema)
  if (policy) return { allowUnsigned: policy.allow_unsigned }
  throw new PlasmError('trust-missing', `there is no ${file}, so nothing is trusted`, {
    facts: { file },
    hint: 'bake a trust policy into the image; a test image has `allow_unsigned = true` in it',
  })
}
