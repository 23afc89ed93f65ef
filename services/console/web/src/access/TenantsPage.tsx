import { useQuery } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { useForm } from "react-hook-form";
import { FormDialog } from "@/api/FormDialog";
import { showFieldErrors } from "@/api/field-errors";
import { useRefusal } from "@/api/me";
import { ReadState } from "@/api/ProblemState";
import { tenantsQuery } from "@/api/tenants";
import { useKeptForm, useKeptState } from "@/lib/kept";
import { Button } from "@/ui/controls/button";
import { FormField } from "@/ui/controls/form-field";
import { Skeleton } from "@/ui/display/states";
import { Time } from "@/ui/display/time";
import { AccessPage } from "./AccessPage";
import { useCreateTenant } from "./mutations";

/** Page of the registered tenants that one is of. */
export function TenantsPage() {
  const tenants = useQuery(tenantsQuery);
  const refuse = useRefusal();
  const [isMaking, make] = useKeptState("making", false);
  return (
    <AccessPage
      title="Tenants"
      action={
        <Button kind="primary" reason={refuse("create_tenant")} onClick={() => make(true)}>
          <Plus aria-hidden size={14} /> Register a tenant
        </Button>
      }
    >
      <ReadState query={tenants} what="tenants">
        <Skeleton className="h-24" />
      </ReadState>
      {tenants.data && (
        <ul aria-label="Tenants" className="divide-y border-y">
          {tenants.data.map(({ name, title, created_at, created_by, renamed_from }) => (
            <li key={name} className="flex min-h-12 flex-wrap items-center gap-x-4 gap-y-1 py-1.5">
              <div className="min-w-0 grow">
                <p className="font-mono font-medium wrap-anywhere">{name}</p>
                {title && <bdi className="text-muted wrap-anywhere">{title}</bdi>}
              </div>
              <span className="text-xs text-muted wrap-anywhere">
                {renamed_from && (
                  <>
                    was <bdi>{renamed_from}</bdi>{" "}
                  </>
                )}
                {created_at && (
                  <>
                    registered <Time at={created_at} />
                  </>
                )}
                {created_by && (
                  <>
                    {" "}
                    by <bdi className="font-mono">{created_by}</bdi>
                  </>
                )}
              </span>
            </li>
          ))}
        </ul>
      )}
      {isMaking && <TenantDialog onClose={() => make(false)} />}
    </AccessPage>
  );
}

const FIELDS = ["name", "title"] as const;

function TenantDialog({ onClose }: { onClose: () => void }) {
  const form = useForm({ defaultValues: { name: "", title: "" } });
  useKeptForm("tenant", form);
  const { handleSubmit, setError } = form;
  const create = useCreateTenant();
  const submit = handleSubmit(({ name, title }) => {
    const onError = (error: Error) => showFieldErrors(error, FIELDS, setError);
    create.mutate({ name: name.trim(), title: title.trim() || null }, { onSuccess: onClose, onError });
  });
  return (
    <FormDialog
      form={form}
      title="Register a tenant"
      description="Jobs and agents are of one. It stays for good."
      onSubmit={submit}
      onClose={onClose}
      save={create}
      placed={FIELDS}
      verb="Register"
    >
      <FormField
        at="name"
        label="Name"
        kind="code"
        required="It needs a name."
        hint="Small letters, digits and hyphens, 40 at most."
      />
      <FormField at="title" label="Title" kind="line" hint="Optional; what people call it." dir="auto" />
    </FormDialog>
  );
}
