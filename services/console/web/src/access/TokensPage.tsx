import { useQuery } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { useState } from "react";
import { describeTenants, useRefusal } from "@/api/me";
import { ProblemState, ReadState } from "@/api/ProblemState";
import type { AccessToken, MadeToken } from "@/api/types";
import { useNow } from "@/lib/clock";
import { useKeptState } from "@/lib/kept";
import { Button } from "@/ui/controls/button";
import { Checkbox, Field, Input } from "@/ui/controls/field";
import { EmptyState, Skeleton } from "@/ui/display/states";
import { Time } from "@/ui/display/time";
import { AlertDialog } from "@/ui/overlays/alert-dialog";
import { AccessPage } from "./AccessPage";
import { useRevokeToken, useRotateToken } from "./mutations";
import { tokensQuery } from "./queries";
import { SecretDialog } from "./SecretDialog";
import { TokenDialog } from "./TokenDialog";

type OpenDialog = { what: "make" } | { what: "rotate" | "revoke"; name: string };

/** Page of the tokens of one's tenants: who has them, what they allow, and until when. */
export function TokensPage() {
  const [showsEnded, setShowsEnded] = useState(false);
  const tokens = useQuery(tokensQuery(showsEnded));
  const refuse = useRefusal();
  const [dialog, open] = useKeptState<OpenDialog | null>("dialog", null);
  const [made, setMade] = useState<MadeToken | null>(null); // a secret is kept nowhere
  const close = () => open(null);
  const show = (next: MadeToken) => {
    close();
    setMade(next);
  };
  return (
    <AccessPage
      title="Tokens"
      action={
        <Button kind="primary" reason={refuse("create_token")} onClick={() => open({ what: "make" })}>
          <Plus aria-hidden size={14} /> Make a token
        </Button>
      }
    >
      <label className="flex min-h-6 items-center gap-2">
        <Checkbox checked={showsEnded} onChange={(event) => setShowsEnded(event.target.checked)} /> Also those that
        ended or were revoked
      </label>
      <ReadState query={tokens} what="tokens">
        <Skeleton className="h-24" />
      </ReadState>
      {tokens.data?.length === 0 && (
        <EmptyState title="No tokens">
          <p>A token lets a person, a program or a service in, with a role and for some tenants.</p>
        </EmptyState>
      )}
      {tokens.data && tokens.data.length > 0 && (
        <ul aria-label="Tokens" className="divide-y border-y">
          {tokens.data.map((token) => (
            <TokenRow key={token.id} token={token} onOpen={(what) => open({ what, name: token.name })} />
          ))}
        </ul>
      )}
      {dialog?.what === "make" && <TokenDialog onMade={show} onClose={close} />}
      {dialog?.what === "rotate" && <RotateDialog name={dialog.name} onMade={show} onClose={close} />}
      {dialog?.what === "revoke" && <RevokeDialog name={dialog.name} onClose={close} />}
      {made && <SecretDialog made={made} onClose={() => setMade(null)} />}
    </AccessPage>
  );
}

function TokenRow({ token, onOpen }: { token: AccessToken; onOpen: (what: "rotate" | "revoke") => void }) {
  const refuse = useRefusal();
  const now = useNow();
  const { name, role, hint, created_at, created_by, last_used_at, ends_at, revoked_at } = token;
  const hasEnded = revoked_at != null || (ends_at != null && Date.parse(ends_at) <= now);
  return (
    <li className="flex min-h-12 flex-wrap items-center gap-x-4 gap-y-1 py-1.5">
      <div className="min-w-0 grow basis-60">
        <p className="font-medium wrap-anywhere">
          <bdi>{name}</bdi> <span className="font-mono text-xs font-normal text-muted">{hint}…</span>
        </p>
        <p className="text-xs text-muted wrap-anywhere">
          {role} of {describeTenants(token)}
        </p>
      </div>
      <span className="text-xs text-muted wrap-anywhere">
        made <Time at={created_at} /> by <bdi className="font-mono">{created_by}</bdi>,{" "}
        {last_used_at ? (
          <>
            used <Time at={last_used_at} />
          </>
        ) : (
          "never used"
        )}
        {revoked_at ? (
          <>
            , revoked <Time at={revoked_at} />
          </>
        ) : (
          ends_at && (
            <>
              , {hasEnded ? "ended" : "ends"} <Time at={ends_at} />
            </>
          )
        )}
      </span>
      {!hasEnded && (
        <div className="flex gap-1 max-sm:ml-auto">
          <Button
            size="small"
            aria-label={`Rotate ${name}`}
            reason={refuse("rotate_token")}
            onClick={() => onOpen("rotate")}
          >
            Rotate
          </Button>
          <Button
            size="small"
            aria-label={`Revoke ${name}`}
            reason={refuse("revoke_token")}
            onClick={() => onOpen("revoke")}
          >
            Revoke
          </Button>
        </div>
      )}
    </li>
  );
}

const HOUR_S = 3_600;

type RotateDialogProps = { name: string; onMade: (made: MadeToken) => void; onClose: () => void };

function RotateDialog({ name, onMade, onClose }: RotateDialogProps) {
  const [hours, setHours] = useState("24");
  const rotate = useRotateToken();
  const isValid = hours.trim() !== "" && Number(hours) >= 0;
  return (
    <AlertDialog
      open
      onOpenChange={(isOpen) => !isOpen && onClose()}
      title={`Rotate the token of ${name}?`}
      verb="Rotate"
      isPending={rotate.isPending}
      isReady={isValid}
      onConfirm={() => rotate.mutate({ name, overlap_s: Number(hours) * HOUR_S }, { onSuccess: onMade })}
      fields={
        <>
          <Field
            label="Hours for which the one before goes on"
            hint="0: it ends now."
            error={isValid ? undefined : "Enter a number of hours."}
          >
            {(control) => (
              <Input
                {...control}
                type="number"
                min={0}
                step="any"
                value={hours}
                onChange={(event) => setHours(event.target.value)}
              />
            )}
          </Field>
          <ProblemState error={rotate.error} />
        </>
      }
    >
      <p>Another token of the same name and role is made, and shown once.</p>
    </AlertDialog>
  );
}

function RevokeDialog({ name, onClose }: { name: string; onClose: () => void }) {
  const revoke = useRevokeToken();
  return (
    <AlertDialog
      open
      onOpenChange={(isOpen) => !isOpen && onClose()}
      title={`Revoke the tokens of ${name}?`}
      verb="Revoke"
      kind="danger"
      isPending={revoke.isPending}
      onConfirm={() => revoke.mutate(name, { onSuccess: onClose })}
      fields={<ProblemState error={revoke.error} />}
    >
      <p>All tokens of this name end within a second, and the sessions that came of them. It cannot be undone.</p>
    </AlertDialog>
  );
}
