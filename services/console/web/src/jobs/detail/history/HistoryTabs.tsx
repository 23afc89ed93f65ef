import { useState } from "react";
import type { Job, JobLog } from "@/api/types";
import type { Submission } from "@/jobs/model/submissions";
import { useStoredChoice } from "@/lib/stored-choice";
import { Tabs } from "@/ui/controls/tabs";
import { JobHistory } from "./JobHistory";
import { Waterfall } from "./Waterfall";

type View = "time" | "entries";
const TIME: View = "time";

type HistoryTabsProps = {
  job: Job;
  /** The newest entries, and all that are known, oldest first. */
  newest: readonly JobLog[];
  known: readonly JobLog[];
  submissions: readonly Submission[];
};

/** History of a job: where its time went, and the entries of its log. A span of time leads to its entry. */
export function HistoryTabs({ job, newest, known, submissions }: HistoryTabsProps) {
  const [view, setView] = useStoredChoice<View>("history.view", TIME);
  const [wanted, setWanted] = useState<number | null>(null);
  const change = (next: View, version: number | null = null) => {
    setWanted(version);
    setView(next);
  };
  const tabs = [
    {
      value: "time" as const,
      label: "Time",
      content: <Waterfall job={job} logs={known} onOpen={(version) => change("entries", version)} />,
    },
    {
      value: "entries" as const,
      label: "Entries",
      content: <JobHistory jobId={job.id} newest={newest} known={submissions} wanted={wanted} />,
    },
  ];
  return <Tabs label="History" tabs={tabs} value={view} onChange={change} />;
}
