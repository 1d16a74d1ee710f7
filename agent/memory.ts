import { readFileSync } from 'node:fs'

export interface Memory {
  readonly totalMiB: number
  /** The kernel's own estimate of what can be had without swapping. */
  readonly availableMiB: number
}

/** This machine's memory now (kernel: Documentation/filesystems/proc.rst, meminfo). */
export function readMemory(): Memory {
  return parseMeminfo(readFileSync('/proc/meminfo', 'latin1'))
}

/** @param text /proc/meminfo */
export function parseMeminfo(text: string): Memory {
  const mib = (field: string) => Math.floor(Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]) / 1024)
  return { totalMiB: mib('MemTotal'), availableMiB: mib('MemAvailable') }
}

export interface MemoryWatch {
  lowestAvailableMiB(): number
  stop(): void
}

/** Samples MemAvailable and keeps the lowest; never keeps the process alive. */
export function watchMemory(everyMs = 200): MemoryWatch {
  let lowest = readMemory().availableMiB
  const sample = () => {
    lowest = Math.min(lowest, readMemory().availableMiB)
  }
  const timer = setInterval(sample, everyMs)
  timer.unref()
  return {
    lowestAvailableMiB() {
      sample()
      return lowest
    },
    stop: () => clearInterval(timer),
  }
}
