import { quoteForShell } from "@/lib/shell";
import type { Copy } from "@/ui/overlays/copy-menu";
import { buildAddress, type Options } from "./client";
import type { paths } from "./schema";

/** Read of each kind of thing over REST, and the command that shows one. */
const READS = {
  job: ["/api/jobs/{job_id}", "jobs show"],
  agent: ["/api/agents/{agent_id}", "agents show"],
  batch: ["/api/operations/{operation_id}", "batches get"],
  "judge policy": ["/api/judges/{name}", "judges show"],
  "criteria set": ["/api/criteria-sets/{name}", "criteria show"],
} as const satisfies Record<string, readonly [keyof paths, string]>;

/** What a thing can be copied as: the address that is shown, its id, and what reads it in a shell. */
export function copiesOf(kind: keyof typeof READS, id: string): Copy[] {
  const [template, command] = READS[kind];
  const param = template.replace(/^.*\{|\}$/g, "");
  return [
    copyOfLink,
    { words: kind.includes(" ") ? "name" : "id", make: () => id },
    { words: "curl", make: () => buildCurl(template, { path: { [param]: id } }) },
    { words: "CLI", make: () => buildCommand([...command.split(" "), id]) },
  ];
}

export const copyOfLink: Copy = { words: "link", make: () => location.href };

/** Build the command of curl that reads what is shown, by a token that only the shell knows. */
export function buildCurl(template: keyof paths, options: Options): string {
  const address = new URL(buildAddress(template, options), location.origin).href;
  return `curl -H "Authorization: Bearer $SIGNOFF_TOKEN" ${quoteForShell(address)}`;
}

export const buildCommand = (words: readonly string[]) => ["signoff", ...words].map(quoteForShell).join(" ");
