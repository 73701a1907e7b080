// Invitations to register.
import { useEffect, useState } from "preact/hooks";

import { request } from "../api";
import { when } from "../format";
import type { ResultOf } from "../graphql";
import { t } from "../text";
import { Field } from "../ui/forms";
import { Failed, Icon, IconButton, say, Skeleton } from "../ui/parts";
import { InvitationsQuery, Invite, RevokeInvitation } from "./operations";
import { Change, Choice, Link, Pager, RoleField, SelectField } from "./parts";
import { go, place } from "./place";
import { isAdmin, PAGE, useList, type Role } from "./state";
import { c } from "./text";

type Invitation = NonNullable<ResultOf<typeof InvitationsQuery>["admin"]>["invitations"]["nodes"][number];
type Status = Invitation["status"];

const STATUSES: Status[] = ["PENDING", "ACCEPTED", "EXPIRED", "REVOKED"];
const HOURS = ["24", "168", "720"];

export function Invitations() {
  const status = place.value.filters.get("status") as Status | null;
  const [isNew, setNew] = useState(false);
  const [revoking, setRevoking] = useState<Invitation | null>(null);
  const list = useList(status ?? "", async (after) => (await request(InvitationsQuery, { status, first: PAGE, after })).admin?.invitations);
  useEffect(() => { document.title = `${c.invitations} · ${c.console}`; }, []);
  const tag = (one: Status) => (one === "PENDING" ? "tag accent" : one === "ACCEPTED" ? "tag good" : "tag");
  return (
    <main class="room" id="main" tabIndex={-1}>
      <header class="bar">
        <IconButton class="back" icon="back" flip label={c.backToConsole} onClick={() => go("/admin")} />
        <div class="bar-text"><h1>{c.invitations}</h1></div>
        {isAdmin() && <div class="bar-actions"><button type="button" class="button primary" onClick={() => setNew(true)}><Icon name="plus" /><span>{c.invite}</span></button></div>}
      </header>
      <div class="filters" role="search"><Choice name="status" label={c.statusLabel} options={STATUSES.map((id) => [id, c.invitationStatus[id]])} /></div>
      <div class="scroll table-wrap">
        {list.error ? <Failed error={list.error} retry={list.reload} /> : !list.page ? <Skeleton rows={5} /> : !list.page.nodes.length ? <p class="empty lead">{c.noInvitations}</p> : (
          <table class="table">
            <thead><tr><th scope="col">{c.invited}</th><th scope="col">{c.statusLabel}</th><th scope="col" class="phone-hide">{c.roleLabel}</th><th scope="col" class="phone-hide col-mid">{c.invitedBy}</th><th scope="col" class="phone-hide col-mid">{c.expires}</th><th scope="col"><span class="hidden-text">{t.more}</span></th></tr></thead>
            <tbody>
              {list.page.nodes.map((one) => (
                <tr key={one.id}>
                  <td><span class="clip">{one.acceptedBy?.displayName ?? one.email ?? c.anyone}</span></td>
                  <td><span class={tag(one.status)}>{c.invitationStatus[one.status]}</span></td>
                  <td class="phone-hide">{c.role[one.role]}</td>
                  <td class="phone-hide col-mid">{one.createdBy?.displayName ?? c.commandLine}</td>
                  <td class="phone-hide col-mid">{when(one.expiresAt)}</td>
                  <td class="end">{isAdmin() && one.status === "PENDING" && <button type="button" class="button quiet" aria-label={c.revokeOf(one.email ?? c.anyone)} onClick={() => setRevoking(one)}>{c.revoke}</button>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </div>
      <Pager page={list.page} />
      {isNew && <NewInvitation close={() => setNew(false)} created={list.reload} />}
      {revoking && (
        <Change danger title={c.revoke} consequence={c.revokeConsequence} action={c.revoke} close={() => setRevoking(null)}
          run={async () => {
            const { adminRevokeInvitation: done } = await request(RevokeInvitation, { input: { invitationId: revoking.id } });
            if (done?.invitation) { const next = done.invitation; list.replace((row) => row.id === next.id, next); }
            setRevoking(null);
            say(c.revoked);
          }} />
      )}
    </main>
  );
}

function NewInvitation({ close, created }: { close: () => void; created: () => void }) {
  const [email, setEmail] = useState("");
  const [role, setRole] = useState<Role>("MEMBER");
  const [hours, setHours] = useState("168");
  const [url, setUrl] = useState<string | null>(null);
  if (url) return <Link title={c.invite} lead={email.trim() ? c.linkFor(email.trim()) : c.linkForAnyone} url={url} close={close} />;
  return (
    <Change title={c.invite} consequence={c.inviteLead} action={c.invite} close={close}
      run={async () => {
        const input = { email: email.trim() || null, role, expiresInHours: Number(hours) };
        const { adminCreateInvitation: made } = await request(Invite, { input });
        created();
        if (made?.invitationUrl) setUrl(made.invitationUrl);
        else { close(); say(c.invitationSent(email.trim())); }
      }}>
      {(problem) => <>
        <Field name="email" label={t.email} type="email" value={email} change={setEmail} autocomplete="off" optional help={c.inviteEmailHelp} problem={problem("email")} />
        <RoleField value={role} change={setRole} />
        <SelectField name="hours" label={c.validFor} value={hours} options={HOURS.map((id) => [id, c.days(Number(id) / 24)])} change={setHours} />
      </>}
    </Change>
  );
}
