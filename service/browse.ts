export interface FoundProvider {
  readonly url: string
  readonly name: string
  readonly channel: string
  readonly arch: string
  readonly version: string | null
}

export async function browse(): Promise<readonly FoundProvider[]> {
  throw new Error('moved here with the agent’s browser')
}
