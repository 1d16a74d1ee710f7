import type { Command } from 'commander'

/** Adds one command to the program; its action hands its exit code to `done`. */
export type AddCommand = (program: Command, done: (exit: number) => void) => void
