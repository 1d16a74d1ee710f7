/** What follows the options in the help of plasmd's commands: an example, and the exit codes (errors.ts). */
export const HELP = {
  serve: `
  plasmd serve --artifacts site
  plasmd serve --artifacts site --port 8081 --dht-port 4002 --bootstrap 192.0.2.1:4001

Each set lies in a directory of its own, site/stable/x86_64 for example, and is served as soon as
it is there. SIGTERM or Ctrl-C withdraws it from mDNS and the DHT, and lets running transfers end
for 10 s.

Exit codes: 0 ended by a signal, 2 wrong usage, 69 the port is taken, 78 the directory is not there
or its node key cannot be used, 1 anything else.`,
  providerStatus: `
  plasmd provider status --addr http://192.0.2.1:8080

Exit codes: 0 healthy, 1 unhealthy, 2 wrong usage, 65 it answers with an error, 69 no answer.`,
  providerList: `
  plasmd provider list
  plasmd provider list --bootstrap 192.0.2.1:4001 --json
  plasmd provider list --addr http://192.0.2.1:8080

What a provider says of itself is shown as it says it: what of it is trusted is for the machine
that boots (plasm-agent discover).

Exit codes: 0 somebody answers, 2 wrong usage, 65 the one of --addr answers with an error, 69
nobody answers.`,
  keygen: `
  plasmd keygen release --out ~/keys

Nothing is overwritten. The private key has mode 0600, and no password.

Exit codes: 0 done, 2 wrong usage, 1 the key is there already, or cannot be written.`,
  sign: `
  plasmd manifest sign site/stable/x86_64 --key ~/keys/release.key

Exit codes: 0 signed, 2 wrong usage, 65 the manifest is missing or wrong, or that key has signed it
already, 78 the key is none, 1 anything else.`,
  verify: `
  plasmd manifest verify site/stable/x86_64 --policy trust/policy.toml
  plasmd manifest verify http://192.0.2.1:8080/stable/x86_64 --policy trust/policy.toml

Exit codes: 0 accepted, 2 wrong usage, 65 refused, 69 the provider does not answer, 78 the policy
is missing or wrong.`,
  show: `
  plasmd manifest show http://192.0.2.1:8080/stable/x86_64

Exit codes: 0 done, 2 wrong usage, 65 it is no manifest, 69 the provider does not answer.`,
  generate: `
  plasmd manifest generate site/stable/x86_64

Exit codes: 0 written, 2 wrong usage, 65 an artifact is ambiguous or the old manifest is wrong, 78
there is no kernel or initramfs, 1 anything else.`,
} as const
