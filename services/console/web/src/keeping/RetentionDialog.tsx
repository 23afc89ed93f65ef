import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useForm } from "react-hook-form";
import { api } from "@/api/client";
import { FormDialog } from "@/api/FormDialog";
import { showFieldErrors } from "@/api/field-errors";
import { useRefusal } from "@/api/me";
import { isOutdated, Outdated } from "@/api/Outdated";
import type { NewRetention, Retention } from "@/api/types";
import { useKeptForm, useKeptState } from "@/lib/kept";
import { FormField } from "@/ui/controls/form-field";
import { describeRetentionName, KEPT_FIELDS, type KeptField } from "./describe-kept";
import { toPatch, useSetRetention } from "./mutations";
import { previewQuery } from "./queries";
import { RetentionEffects } from "./RetentionEffects";
import { checkSpan, formatSpan, parseSpan } from "./spans";

type Values = { name: string } & Record<KeptField, string>;
const NAME = /^tenant:(\*|[a-z0-9-]{1,40})$/;
const FIELDS = ["name", ...KEPT_FIELDS.map(([field]) => field)] as const;

function toValues(retention?: Retention): Values {
  const spans = KEPT_FIELDS.map(([field]) => {
    const seconds = retention?.[field];
    return [field, seconds == null ? "" : formatSpan(seconds)] as const;
  });
  return { name: retention?.name ?? "", ...(Object.fromEntries(spans) as Record<KeptField, string>) };
}

const toBody = (values: Values): NewRetention =>
  Object.fromEntries(KEPT_FIELDS.map(([field]) => [field, parseSpan(values[field])]));

type RetentionDialogProps = { retention?: Retention; onClose: () => void };

/** Form that sets for how long a tenant's jobs are kept: it shows what that removes before it can be saved. */
export function RetentionDialog({ retention, onClose }: RetentionDialogProps) {
  const form = useForm<Values>({ defaultValues: toValues(retention) });
  useKeptForm("retention", form);
  const { handleSubmit, watch, setError } = form;
  const [base, setBase] = useKeptState("base", retention);
  const [shown, show] = useState<string | null>(null);
  const set = useSetRetention(base);
  const refuse = useRefusal();
  const refused = refuse(base ? "patch_retention" : "set_retention");
  const values = watch();
  const name = values.name.trim();
  const isAsked = shown === JSON.stringify(values);
  const preview = useQuery({ ...previewQuery(name, toPatch(base, toBody(values))), enabled: isAsked });
  const isShown = isAsked && preview.data !== undefined;
  const submit = handleSubmit((filled) => {
    set.reset();
    if (isAsked && preview.error) return void preview.refetch();
    if (!isShown) return show(JSON.stringify(filled));
    const onError = (error: Error) => showFieldErrors(error, FIELDS, setError);
    set.mutate({ name, ...toBody(filled) }, { onSuccess: onClose, onError });
  });
  return (
    <FormDialog
      form={form}
      title={retention ? `How long is kept: ${describeRetentionName(retention.name)}` : "Set a retention"}
      description="Such as 90d, 36h or 30m after they came to rest. What is left empty is as tenant:* says; there, it is kept for ever."
      onSubmit={submit}
      onClose={onClose}
      save={set}
      placed={FIELDS}
      verb={isShown ? "Save" : "Show what it removes"}
      refused={isShown ? refused : refuse("preview_retention")}
      isBusy={isShown ? set.isPending : isAsked && preview.isFetching}
      isReady={!isShown || !isOutdated(set.error)}
      outdated={
        base && (
          <Outdated
            name={base.name}
            base={base}
            read={() => api.get("/api/retentions/{name}", { path: { name: base.name } })}
            onLoad={(newest) => {
              form.reset(toValues(newest), { keepDirtyValues: true });
              setBase(newest);
              show(null);
              set.reset();
            }}
          />
        )
      }
    >
      {!retention && (
        <FormField
          at="name"
          label="Name"
          kind="line"
          required="It needs a name."
          check={(text) => (NAME.test(text.trim()) ? undefined : "It is such as tenant:press, or tenant:*.")}
          hint="tenant:<name>; tenant:* is each tenant, as far as its own does not say it."
        />
      )}
      <div className="grid grid-cols-2 gap-3">
        {KEPT_FIELDS.map(([field, word]) => (
          <FormField key={field} at={field} label={word} kind="line" check={checkSpan} />
        ))}
      </div>
      {isAsked && <RetentionEffects preview={preview} />}
    </FormDialog>
  );
}
