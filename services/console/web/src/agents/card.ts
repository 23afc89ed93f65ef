import type { Agent } from "@/api/types";
import { pluralize } from "@/lib/format";

/** As many capabilities may an agent have. */
const CAPABILITIES_MAX = 64;
/** How long the table tells of a change. */
const CHANGE_TOLD_MS = 24 * 3_600_000;

/** Whether an executor is to read the card of an agent as it is now. */
export function isCardAwaited({ protocol, enabled, card, updated_at }: Agent): boolean {
  return protocol === "a2a" && enabled && (!card || Date.parse(card.read_at) < Date.parse(updated_at));
}

/** Find the skills of an agent's card that are not among capabilities yet, as far as there is room for them. */
export function findOffered({ card }: Pick<Agent, "card">, capabilities: readonly string[]): string[] {
  const skills = (card?.skills ?? []).map(({ id }) => id.trim()).filter((id) => id !== "" && !id.includes("\n"));
  const missing = [...new Set(skills)].filter((id) => !capabilities.includes(id));
  return missing.slice(0, Math.max(0, CAPABILITIES_MAX - capabilities.length));
}

/** Say what of an agent's card wants attention; nothing if there is none, or nothing to say. */
export function describeCard(agent: Agent): string | undefined {
  if (agent.protocol !== "a2a") return undefined;
  if (agent.card?.code) return "card cannot be read";
  if (isCardAwaited(agent)) return agent.card ? "card is read again" : "card not read yet";
  if (!agent.card) return undefined;
  const offered = findOffered(agent, agent.capabilities ?? []).length;
  const notes = [
    Date.parse(agent.card.changed_at ?? "") > Date.now() - CHANGE_TOLD_MS && "card changed",
    !agent.card.lists_tasks && "lists no tasks",
    offered > 0 && `${pluralize(offered, "skill")} offered`,
  ];
  return notes.filter(Boolean).join(" · ") || undefined;
}
