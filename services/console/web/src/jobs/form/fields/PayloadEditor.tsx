import { WandSparkles } from "lucide-react";
import { lazy, Suspense } from "react";
import { parseJson, stringifyJson } from "@/lib/exact-json";
import { loadPart } from "@/lib/load-part";
import { Button } from "@/ui/controls/button";
import { Skeleton } from "@/ui/display/states";

const JsonEditor = lazy(() => loadPart(() => import("./JsonEditor")));

type PayloadEditorProps = { value: string; onChange: (text: string) => void; error?: string };

/** Field of the payload as JSON; the editor's code is loaded when the form is opened. */
export function PayloadEditor({ value, onChange, error }: PayloadEditorProps) {
  const tidy = () => {
    try {
      onChange(stringifyJson(parseJson(value), 2));
    } catch {
      // The text stays: the error is shown below the editor.
    }
  };
  return (
    <div>
      <div className="mb-1 flex items-center justify-between">
        <span className="font-medium">Payload</span>
        <Button kind="quiet" size="small" unavailable={value.trim() === "" || error !== undefined} onClick={tidy}>
          <WandSparkles aria-hidden size={12} /> Tidy
        </Button>
      </div>
      <div className="h-48">
        <Suspense fallback={<Skeleton className="h-full" />}>
          <JsonEditor label="Payload" value={value} onChange={onChange} describedBy="payload-says" />
        </Suspense>
      </div>
      <p id="payload-says" role="status" className={`mt-1 min-h-4 text-xs ${error ? "text-failed" : "text-muted"}`}>
        {error ?? "JSON; empty for none. The agent gets it as it is written here."}
      </p>
    </div>
  );
}
