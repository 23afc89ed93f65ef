import { useForm } from "react-hook-form";
import { FormDialog } from "@/api/FormDialog";
import { showFieldErrors } from "@/api/field-errors";
import { useMe } from "@/api/me";
import type { MadeToken, NewToken, Role } from "@/api/types";
import { useKeptForm } from "@/lib/kept";
import { FormField } from "@/ui/controls/form-field";
import { useCreateToken } from "./mutations";

const DAY_S = 86_400;
const FIELDS = ["name", "role", "tenants", "all_tenants", "lasts_s"] as const;

/** Roles of people and programs, then those of services, which serve all tenants. */
const ROLES: Record<Role, string> = {
  viewer: "viewer: reads",
  operator: "operator: submits, executes, edits, too",
  reviewer: "reviewer: reads",
  administrator: "administrator: limits, judges and tokens, too",
  upstream: "upstream: creates jobs, and reads these",
  executor: "executor",
  validator: "validator",
  console: "console: watches",
};

type Values = { name: string; role: Role | ""; tenants: string; all_tenants: boolean; lasts_s: string };

/** Form of a new token: whose it is, what it allows, and until when. */
export function TokenDialog({ onMade, onClose }: { onMade: (made: MadeToken) => void; onClose: () => void }) {
  const me = useMe();
  const form = useForm<Values>({
    defaultValues: {
      name: "",
      role: "viewer",
      tenants: me?.tenants.length === 1 ? me.tenants[0] : "",
      all_tenants: false,
      lasts_s: "90",
    },
  });
  useKeptForm("token", form);
  const { handleSubmit, setError, watch } = form;
  const create = useCreateToken();
  const ofAll = watch("all_tenants");
  const submit = handleSubmit(
    (values) => {
      const onError = (error: Error) => showFieldErrors(error, FIELDS, setError);
      create.mutate(toNewToken(values), { onSuccess: onMade, onError });
    },
    () => create.reset(), // what the server said is of an earlier form
  );
  return (
    <FormDialog
      form={form}
      title="Make a token"
      description="For one holder: a person, a program or a service. You give what you have yourself, and no more."
      onSubmit={submit}
      onClose={onClose}
      save={create}
      placed={FIELDS}
      verb="Make"
    >
      <FormField at="name" label="Name" kind="code" required="It needs a name." hint="Whose it is, as logs name it." />
      <FormField at="role" label="Role" kind="choice" choices={ROLES} required="It needs a role." />
      {me?.all_tenants && <FormField at="all_tenants" label="Of all tenants, and of those to come" kind="flag" />}
      {!ofAll && (
        <FormField at="tenants" label="Tenants" kind="line" required="It needs a tenant." hint="Names with commas." />
      )}
      <FormField at="lasts_s" label="Ends after days" kind="number" min={0} hint="Until it is revoked when empty." />
    </FormDialog>
  );
}

function toNewToken({ name, role, tenants, all_tenants, lasts_s }: Values): NewToken {
  return {
    name: name.trim(),
    role: role as Role,
    ...(all_tenants ? { all_tenants } : { tenants: tenants.match(/[^\s,]+/g) ?? [] }),
    ...(lasts_s.trim() !== "" && { lasts_s: Number(lasts_s) * DAY_S }),
  };
}
