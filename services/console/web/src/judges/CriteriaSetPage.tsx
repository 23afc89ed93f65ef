import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { FlaskConical, Plus } from "lucide-react";
import { useState } from "react";
import { setQuery } from "@/api/judges";
import type { CriteriaSetVersion } from "@/api/types";
import { useTitle } from "@/lib/use-title";
import { Button } from "@/ui/controls/button";
import { NamePage } from "./NamePage";
import { SetDialog } from "./SetDialog";
import { Versions } from "./Versions";

/** Page of a criteria set: its versions, and what each accepted, failed and cost. */
export function CriteriaSetPage({ name, version }: { name: string; version?: number }) {
  useTitle(`Criteria set ${name}`);
  const navigate = useNavigate();
  const query = useQuery(setQuery(name));
  const [isMaking, make] = useState(false);
  const named = query.data;
  const show = (shown: number) =>
    void navigate({ to: "/criteria-sets/$name", params: { name }, search: { version: shown }, replace: true });
  return (
    <NamePage
      what="criteria set"
      name={name}
      current={named?.current}
      isPending={query.isPending}
      error={named ? null : query.error}
      actions={
        <>
          <Button kind="primary" onClick={() => make(true)}>
            <Plus aria-hidden size={14} /> New version
          </Button>
          <Button onClick={() => void navigate({ to: "/playground", search: { set: name } })}>
            <FlaskConical aria-hidden size={14} /> Try it
          </Button>
        </>
      }
    >
      {named && (
        <>
          <Versions
            versions={named.versions ?? []}
            current={named.current}
            wanted={version}
            onShow={show}
            textOf={textOf}
          />
          {isMaking && <SetDialog named={named} onClose={() => make(false)} onSaved={show} />}
        </>
      )}
    </NamePage>
  );
}

const textOf = ({ acceptance_criteria: text }: CriteriaSetVersion) => text ?? "";
