import type { MadeToken } from "@/api/types";
import { Button } from "@/ui/controls/button";
import { CopyButton } from "@/ui/controls/copy-button";
import { Dialog } from "@/ui/overlays/dialog";

/** The secret of a token that was made. It is nowhere else: once this is closed, nobody reads it again. */
export function SecretDialog({ made: { token, secret }, onClose }: { made: MadeToken; onClose: () => void }) {
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={`Token of ${token.name}`}
      description="It is shown this once: hand it to its holder, or keep it where secrets are kept."
    >
      <div className="flex items-center gap-2 rounded border bg-sunken p-2">
        <code className="min-w-0 grow font-mono text-xs break-all select-all">{secret}</code>
        <CopyButton text={secret} label="Copy the token" />
      </div>
      <div className="flex justify-end pt-4">
        <Button kind="primary" onClick={onClose}>
          Done
        </Button>
      </div>
    </Dialog>
  );
}
