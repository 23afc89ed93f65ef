import { useQuery } from "@tanstack/react-query";
import { setQuery } from "@/api/judges";
import { useRefusal } from "@/api/me";
import type { CriteriaSetVersion } from "@/api/types";
import { NamePage } from "./NamePage";
import { SetDialog } from "./SetDialog";

/** Page of a criteria set: its versions, and what each accepted, failed and cost. */
export function CriteriaSetPage({ name, version }: { name: string; version?: number }) {
  const refuse = useRefusal();
  return (
    <NamePage
      what="criteria set"
      name={name}
      version={version}
      query={useQuery(setQuery(name))}
      reasonNotToAdd={refuse("put_criteria_set")}
      trial={{ set: name }}
      textOf={textOf}
      NewVersion={SetDialog}
    />
  );
}

const textOf = ({ acceptance_criteria: text }: CriteriaSetVersion) => text ?? "";
