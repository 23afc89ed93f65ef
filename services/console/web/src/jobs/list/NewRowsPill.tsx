import { ArrowUp } from "lucide-react";
import { useEffect } from "react";
import { formatCount, pluralize } from "@/lib/format";
import { UNSEEN_MAX } from "@/live/unseen-jobs";
import { Button } from "@/ui/controls/button";
import { Kbd } from "@/ui/display/kbd";
import { announce } from "@/ui/feedback/announcer";

/** Button that shows how many new jobs wait and reads them, so that no row moves by itself. */
export function NewRowsPill({ number, onShow }: { number: number; onShow: () => void }) {
  const text = number < UNSEEN_MAX ? pluralize(number, "new job") : `${formatCount(UNSEEN_MAX)} new jobs or more`;
  useEffect(() => {
    if (number > 0) announce(text);
  }, [number, text]);
  return (
    <div className="pointer-events-none absolute inset-x-0 top-10 z-20 flex justify-center">
      {number > 0 && (
        <Button kind="primary" size="small" className="pointer-events-auto rounded-full shadow-lg" onClick={onShow}>
          <ArrowUp aria-hidden size={12} /> {text} <Kbd>n</Kbd>
        </Button>
      )}
    </div>
  );
}
