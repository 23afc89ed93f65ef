import { cn } from "@/lib/cn";
import { useAgentNames } from "./agents";

/** Name of an agent; its id is the title. */
export function AgentName({ id, className }: { id: string; className?: string }) {
  const { nameOf } = useAgentNames();
  return (
    <bdi title={id} className={cn("wrap-anywhere", className)}>
      {nameOf(id)}
    </bdi>
  );
}
