import { unshareArguments } from '../../host-harness/namespace.ts'

/** Arguments of `unshare` for the harness's namespaces, or why they cannot be made here. */
export async function namespacesHere(): Promise<{ args: readonly string[] } | { skip: string }> {
  process.env.PATH = `${process.env.PATH}:/usr/sbin:/sbin`
  try {
    return { args: await unshareArguments() }
  } catch (thrown) {
    return { skip: (thrown as Error).message }
  }
}
