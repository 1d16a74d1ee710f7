import { type ArtifactSink, artifactsFor } from './artifact-sink.ts'
import type { SetWriter } from './set-writer.ts'

/** Not exported: only {@link completeSet} can make a {@link CompleteSet}. */
const complete: unique symbol = Symbol('complete')

/** A boot set of which every byte that goes there is verified and in its place. */
export interface CompleteSet<Writer extends ArtifactSink = SetWriter> {
  readonly [complete]: true
  readonly writer: Writer
}

/** @throws Error when a caller has not written every artifact to its end: a mistake of ours, not of the input */
export function completeSet<Writer extends ArtifactSink>(writer: Writer): CompleteSet<Writer> {
  for (const { role, size_bytes } of artifactsFor(writer)) {
    if (writer.kept.get(role) !== size_bytes) throw new Error(`${role} is not complete`)
  }
  return { [complete]: true, writer }
}
