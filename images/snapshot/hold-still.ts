import os from 'node:os'
import { startupSnapshot } from 'node:v8'

/** In place of what packages read of the machine that builds the image while they load: two builds would differ in it. */
const STILL: ReadonlyArray<readonly [object, string, unknown]> = [
  [process.hrtime, 'bigint', () => 0n],
  [os, 'hostname', () => 'localhost'],
  [Date, 'now', () => 0],
  [performance, 'now', () => 0],
]

if (startupSnapshot.isBuildingSnapshot()) {
  // Not put back: Node sets them anew when it starts from a snapshot.
  put(process, 'pid', { value: 0, writable: true })
  put(process, 'execPath', { value: 'node', writable: true })
  process.argv.splice(0, process.argv.length, 'node')
  for (const [owner, name, value] of STILL) {
    const before = Object.getOwnPropertyDescriptor(owner, name)
    put(owner, name, { value, writable: true })
    startupSnapshot.addSerializeCallback(() => {
      if (before) put(owner, name, before)
      else Reflect.deleteProperty(owner, name)
    })
  }
}

function put(owner: object, name: string, property: PropertyDescriptor): void {
  Object.defineProperty(owner, name, { enumerable: true, ...property, configurable: true })
}
