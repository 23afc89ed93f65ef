import { useForm } from "react-hook-form";
import { api } from "@/api/client";
import { FormDialog } from "@/api/FormDialog";
import { showFieldErrors } from "@/api/field-errors";
import { useMe, useRefusal } from "@/api/me";
import { Outdated } from "@/api/Outdated";
import type { Limit, NewLimit } from "@/api/types";
import { useKeptForm, useKeptState } from "@/lib/kept";
import { FormField } from "@/ui/controls/form-field";
import { useSetLimit } from "./mutations";

type LimitDialogProps = {
  /** Name of the limit; null asks for the name of a new one. */
  name: string | null;
  limit?: Limit;
  onClose: () => void;
};

type Values = {
  name: string;
  concurrency: string;
  rate: string;
  rate_period_s: string;
  queue_max: string;
  weight: string;
  usd_per_day: string;
  judge_policies: string;
  paused: boolean;
};

const FIELDS = [
  ...(["name", "concurrency", "rate", "rate_period_s", "queue_max", "weight"] as const),
  ...(["usd_per_day", "judge_policies", "paused"] as const),
];
const text = (value: number | string | null | undefined) => (value == null ? "" : String(value));
const number = (value: string) => (value.trim() === "" ? null : Number(value));
const names = (value: string) => value.match(/[^\s,]+/g);

const toValues = (name: string | null, limit?: Limit): Values => ({
  name: name ?? "",
  concurrency: text(limit?.concurrency),
  rate: text(limit?.rate),
  rate_period_s: text(limit?.rate_period_s ?? 1),
  queue_max: text(limit?.queue_max),
  weight: text(limit?.weight),
  usd_per_day: text(limit?.usd_per_day),
  judge_policies: limit?.judge_policies?.join(", ") ?? "",
  paused: limit?.paused ?? false,
});

/** Form that sets the limits on executions of an agent, a tenant or a label. */
export function LimitDialog({ name, limit, onClose }: LimitDialogProps) {
  const form = useForm<Values>({
    defaultValues: toValues(name, limit),
  });
  useKeptForm("limit", form);
  const { handleSubmit, watch, setError } = form;
  const [base, setBase] = useKeptState("base", limit);
  const set = useSetLimit(base);
  const refused = useRefusal()(base ? "patch_limit" : "set_limit");
  const setsMoney = useMe()?.all_tenants === true; // who administers some tenants does not
  const isTenant = watch("name").startsWith("tenant:");
  const submit = handleSubmit((values) => {
    const body: NewLimit = {
      concurrency: number(values.concurrency),
      rate: number(values.rate),
      rate_period_s: number(values.rate_period_s) ?? 1,
      queue_max: isTenant ? number(values.queue_max) : null,
      weight: isTenant ? number(values.weight) : null,
      ...(setsMoney
        ? {
            usd_per_day: isTenant ? values.usd_per_day.trim() || null : null,
            judge_policies: isTenant ? names(values.judge_policies) : null,
          }
        : base && { usd_per_day: base.usd_per_day, judge_policies: base.judge_policies }),
      paused: values.paused === (base?.paused ?? false) ? (base?.paused ?? null) : values.paused,
    };
    const onError = (error: Error) => showFieldErrors(error, FIELDS, setError);
    set.mutate({ name: values.name.trim(), ...body }, { onSuccess: onClose, onError });
  });
  return (
    <FormDialog
      form={form}
      title={name === null ? "Set a limit" : `Limits of ${name}`}
      description="A field that is left empty is as the limit of * says."
      onSubmit={submit}
      onClose={onClose}
      save={set}
      placed={FIELDS}
      verb="Set"
      refused={refused}
      outdated={
        base && (
          <Outdated
            name={base.name}
            base={base}
            read={() => api.get("/api/limits/{name}", { path: { name: base.name } })}
            onLoad={(newest) => {
              form.reset(toValues(name, newest), { keepDirtyValues: true });
              setBase(newest);
              set.reset();
            }}
          />
        )
      }
    >
      {name === null && (
        <FormField
          at="name"
          label="Name"
          kind="line"
          required="It needs a name."
          hint="agent:<id>, tenant:<name> or label:<key>=<value>; * in place of the value: each, as far as its own limit does not say it."
        />
      )}
      <FormField at="concurrency" label="Executions at once" kind="number" min={0} />
      <div className="grid grid-cols-2 gap-3">
        <FormField at="rate" label="Begun in each period" kind="number" min={0} />
        <FormField at="rate_period_s" label="Period in seconds" kind="number" min={0} />
      </div>
      {isTenant && (
        <div className="grid grid-cols-2 gap-3">
          <FormField at="queue_max" label="Executions that may wait" kind="number" min={0} />
          <FormField at="weight" label="Weight" kind="number" min={0} hint="Its share against others; 1 by default." />
        </div>
      )}
      {isTenant && setsMoney && (
        <>
          <FormField
            at="usd_per_day"
            label="Dollars in a day"
            kind="number"
            min={0}
            hint="What its agents claim and its judges cost, together, from midnight to midnight of UTC."
          />
          <FormField
            at="judge_policies"
            label="Judge policies that may be named"
            kind="line"
            hint="Names with commas; any when empty."
          />
        </>
      )}
      <FormField at="paused" label="Paused: nothing begins" kind="flag" />
    </FormDialog>
  );
}
