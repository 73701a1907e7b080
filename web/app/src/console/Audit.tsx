// The audit log, with filters and an export.
import { useEffect, useState } from "preact/hooks";

import { request } from "../api";
import { full, when } from "../format";
import type { ResultOf } from "../graphql";
import { explain, Failed, Icon, IconButton, say, Skeleton } from "../ui/parts";
import { AuditQuery } from "./operations";
import { Choice, Pager, rowKeys, TextFilter } from "./parts";
import { filtered, go, place } from "./place";
import { PAGE, useList } from "./state";
import { c } from "./text";

export type Entry = NonNullable<NonNullable<ResultOf<typeof AuditQuery>["admin"]>["auditLog"]>["nodes"][number];
/** The entries of one request of an export. */
const EXPORT_PAGE = 100;

/** The start of a local day, or of the day after it. */
const dayStart = (day: string | null, later = 0) => {
  if (!day) return null;
  const date = new Date(`${day}T00:00:00`);
  date.setDate(date.getDate() + later);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
};

export function Audit() {
  const { filters } = place.value;
  const [open, setOpen] = useState<string | null>(null);
  const filter = {
    actionPrefix: filters.get("action"), outcome: filters.get("outcome") as Entry["outcome"] | null,
    actorId: filters.get("actor"), targetId: filters.get("target"),
    since: dayStart(filters.get("since")), until: dayStart(filters.get("until"), 1),
  };
  const list = useList(JSON.stringify(filter), async (after) => (await request(AuditQuery, { filter, first: PAGE, after })).admin?.auditLog);
  useEffect(() => { document.title = `${c.audit} · ${c.console}`; }, []);
  return (
    <main class="room" id="main" tabIndex={-1}>
      <header class="bar">
        <IconButton class="back" icon="back" flip label={c.backToConsole} onClick={() => go("/admin")} />
        <div class="bar-text"><h1>{c.audit}</h1></div>
        <div class="bar-actions"><Export filter={filter} /></div>
      </header>
      <div class="filters" role="search">
        <TextFilter name="action" label={c.actionFilter} wide />
        <Choice name="outcome" label={c.outcome} options={[["SUCCEEDED", c.succeeded], ["REFUSED", c.refused]]} />
        <Day name="since" label={c.since} />
        <Day name="until" label={c.until} />
        {(["actor", "target"] as const).map((name) => filters.get(name) && (
          <button key={name} type="button" class="filter on" onClick={() => go(filtered({ [name]: "" }))}>{name === "actor" ? c.actor : c.target}: <bdi class="clip">{filters.get(name)}</bdi><Icon name="x" small /><span class="hidden-text">{c.removeFilter}</span></button>
        ))}
      </div>
      <div class="scroll table-wrap">
        {list.error ? <Failed error={list.error} retry={list.reload} /> : !list.page ? <Skeleton rows={8} /> : !list.page.nodes.length ? <p class="empty lead">{c.noEntries}</p> : (
          <table class="table">
            <thead><tr><th scope="col">{c.action}</th><th scope="col">{c.actor}</th><th scope="col" class="phone-hide">{c.target}</th><th scope="col" class="phone-hide col-late">{c.address}</th><th scope="col">{c.time}</th></tr></thead>
            <tbody onKeyDown={rowKeys}>
              {list.page.nodes.flatMap((entry) => {
                const isOpen = open === entry.id;
                return [
                  <tr key={entry.id} tabIndex={0} aria-selected={isOpen} onClick={() => setOpen(isOpen ? null : entry.id)}>
                    <td><button type="button" class="row-link" tabIndex={-1} aria-expanded={isOpen} dir="ltr">{entry.action}</button>{entry.outcome === "REFUSED" && <> <span class="tag bad">{c.refused}</span></>}</td>
                    <td><span class="clip">{entry.actorLabel ?? entry.actor?.username ?? c.theServer}</span></td>
                    <td class="phone-hide"><span class="clip">{entry.targetLabel ?? ""}</span></td>
                    <td class="phone-hide col-late">{entry.ipAddress ?? ""}</td>
                    <td><time title={full(entry.occurredAt)}>{when(entry.occurredAt)}</time></td>
                  </tr>,
                  isOpen && <tr key={`${entry.id}-more`} class="is-details"><td colSpan={5}><Details entry={entry} /></td></tr>,
                ];
              })}
            </tbody>
          </table>
        )}
      </div>
      <Pager page={list.page} />
    </main>
  );
}

function Day({ name, label }: { name: string; label: string }) {
  const value = place.value.filters.get(name) ?? "";
  return (
    <label class={value ? "filter on" : "filter"}><span>{label}</span>
      <input type="date" value={value} onChange={(event) => go(filtered({ [name]: event.currentTarget.value }))} /></label>
  );
}

function Details({ entry }: { entry: Entry }) {
  return (
    <>
      {entry.changes.length > 0 && (
        <table class="changes"><thead><tr><th scope="col">{c.field}</th><th scope="col">{c.before}</th><th scope="col">{c.after}</th></tr></thead>
          <tbody>{entry.changes.map((change) => <tr key={change.field}><th scope="row" dir="ltr">{change.field}</th><td dir="auto">{change.before ?? "–"}</td><td dir="auto">{change.after ?? "–"}</td></tr>)}</tbody></table>
      )}
      <dl class="facts">
        <dt>{c.number}</dt><dd>{entry.sequence}</dd>
        <dt>{c.time}</dt><dd>{full(entry.occurredAt)}</dd>
        {entry.actor && <><dt>{c.actor}</dt><dd><a class="link" href={`/admin/accounts/${entry.actor.id}`}>{entry.actor.displayName}</a></dd></>}
        {entry.targetId && <><dt>{c.target}</dt><dd>{entry.targetId.startsWith("usr_") ? <a class="link" href={`/admin/accounts/${entry.targetId}`}>{entry.targetId}</a> : entry.targetId}</dd></>}
        {entry.ipAddress && <><dt>{c.address}</dt><dd>{entry.ipAddress}</dd></>}
        {entry.requestId && <><dt>{c.request}</dt><dd>{entry.requestId}</dd></>}
        <dt>{c.hash}</dt><dd class="hash">{entry.hash}</dd>
      </dl>
    </>
  );
}

/** Downloads the matching entries as JSON Lines, newest first. */
function Export({ filter }: { filter: object }) {
  const [busy, setBusy] = useState(false);
  const run = async () => {
    setBusy(true);
    try {
      const lines: string[] = [];
      let after: string | null = null;
      do {
        const { admin }: ResultOf<typeof AuditQuery> = await request(AuditQuery, { filter, first: EXPORT_PAGE, after });
        lines.push(...(admin?.auditLog?.nodes ?? []).map((entry) => JSON.stringify(entry)));
        after = admin?.auditLog?.pageInfo.hasNextPage ? admin.auditLog.pageInfo.endCursor : null;
      } while (after);
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([lines.map((line) => `${line}\n`).join("")], { type: "application/jsonl" }));
      link.download = "audit.jsonl";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    } catch (error) {
      say(explain(error));
    } finally {
      setBusy(false);
    }
  };
  return <button type="button" class="button" disabled={busy} onClick={() => void run()}><Icon name="download" /><span>{c.export}</span></button>;
}
