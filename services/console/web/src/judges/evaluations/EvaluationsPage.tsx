import { useState } from "react";
import { QualityPages } from "@/judging/QualityPages";
import { useTitle } from "@/lib/use-title";
import { EmptyState } from "@/ui/display/states";
import { ReportField } from "./ReportField";
import { ReportView } from "./ReportView";
import type { Report } from "./report";

const COMMAND = "signoff judge evaluate CASES.jsonl --judge strict@3 --judge default --json > REPORT.json";

/** Page that shows a report of judge policies on labelled cases, from the file that the command line wrote. */
export function EvaluationsPage() {
  useTitle("Evaluations");
  const [report, setReport] = useState<Report | null>();
  return (
    <div className="mx-auto max-w-7xl space-y-6 p-4">
      <QualityPages />
      <div className="space-y-3">
        <h1 className="text-xl font-semibold">Evaluations</h1>
        <p className="text-muted">How often policies are right on cases that people have labelled.</p>
        <div className="max-w-3xl">
          <ReportField
            label="Report"
            hint="Choose the file, or drop it here. It is read by this page alone: it is sent nowhere, and not kept."
            onReport={setReport}
          />
        </div>
      </div>
      {report ? (
        <ReportView key={report.cases_hash} report={report} />
      ) : (
        <EmptyState title="No report is open">
          <p>The command line makes one, and pays the judges:</p>
          <code className="mt-2 block font-mono text-xs wrap-anywhere">{COMMAND}</code>
        </EmptyState>
      )}
    </div>
  );
}
