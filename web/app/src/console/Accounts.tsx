// The accounts, and one of them beside the list.
import { useEffect, useState } from "preact/hooks";

import { request } from "../api";
import { ago, full, when } from "../format";
import type { ResultOf } from "../graphql";
import { phone } from "../preferences";
import { t } from "../text";
import { Field } from "../ui/forms";
import { Failed, Icon, IconButton, PanelTitle, say, Skeleton } from "../ui/parts";
import type { Entry } from "./Audit";
import { AccountQuery, AccountsQuery, AuditQuery, ChangeRole, CreateUser, Reinstate, ResetSecondFactor, RevokeAccess, SendPasswordReset, Suspend } from "./operations";
import { Change, Choice, Initials, Link, Pager, RoleField, roleOptions, rowKeys, TextFilter } from "./parts";
import { go, place, toAccount } from "./place";
import { isAdmin, mayModerate, me, PAGE, readsAudit, useList, type Role } from "./state";
import { c } from "./text";

type Account = NonNullable<NonNullable<ResultOf<typeof AccountQuery>["admin"]>["account"]>;
type Status = Account["status"];

const STATUSES: Status[] = ["ACTIVE", "PENDING", "SUSPENDED"];

function StatusTag({ status }: { status: Status }) {
  if (status === "ACTIVE") return <span>{c.status.ACTIVE}</span>;
  return <span class={status === "SUSPENDED" ? "tag bad" : "tag warn"}>{c.status[status]}</span>;
}

export function Accounts() {
  const { filters, userId } = place.value;
  const [text, status, role] = [filters.get("text"), filters.get("status"), filters.get("role")];
  const filter = { text, status: status as Status | null, role: role as Role | null };
  const list = useList(JSON.stringify(filter), async (after) => (await request(AccountsQuery, { filter, first: PAGE, after })).admin?.accounts);
  const [isNew, setNew] = useState(false);
  useEffect(() => { document.title = `${c.accounts} · ${c.console}`; }, []);
  return (
    <>
      <main class="room" id="main" tabIndex={-1}>
        <header class="bar"><IconButton class="back" icon="back" flip label={c.backToConsole} onClick={() => go("/admin")} /><div class="bar-text"><h1>{c.accounts}</h1></div>
          {isAdmin() && <div class="bar-actions"><button type="button" class="button primary" onClick={() => setNew(true)}><Icon name="plus" /><span>{c.create}</span></button></div>}</header>
        <div class="filters" role="search">
          <TextFilter name="text" label={c.searchAccounts} wide />
          <Choice name="status" label={c.statusLabel} options={STATUSES.map((id) => [id, c.status[id]])} />
          <Choice name="role" label={c.roleLabel} options={roleOptions()} />
        </div>
        <div class="scroll table-wrap">
          {list.error ? <Failed error={list.error} retry={list.reload} /> : !list.page ? <Skeleton rows={8} /> : !list.page.nodes.length ? <p class="empty lead">{c.noAccounts}</p> : (
            <table class="table">
              <thead><tr><th scope="col">{c.account}</th><th scope="col">{c.statusLabel}</th><th scope="col" class="phone-hide">{c.roleLabel}</th><th scope="col" class="phone-hide col-late">{c.signsInWith}</th><th scope="col" class="phone-hide col-mid">{c.lastActive}</th></tr></thead>
              <tbody onKeyDown={rowKeys}>
                {list.page.nodes.map((account) => (
                  <tr key={account.id} tabIndex={0} aria-selected={account.user.id === userId} onClick={() => go(toAccount(account.user.id))}>
                    <td><div class="who"><Initials user={account.user} /><span class="clip"><a class="row-link" tabIndex={-1} href={toAccount(account.user.id)}><b><bdi>{account.user.displayName}</bdi></b></a><span>{account.email ?? `@${account.user.username}`}</span></span></div></td>
                    <td><StatusTag status={account.status} /></td>
                    <td class="phone-hide">{c.role[account.role]}</td>
                    <td class="phone-hide col-late">{c.methods(account.signInMethods, account.hasSecondFactor)}</td>
                    <td class="phone-hide col-mid">{account.lastActiveAt ? ago(account.lastActiveAt) : c.never}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </div>
        <Pager page={list.page} />
        {isNew && <NewAccount close={() => setNew(false)} created={list.reload} />}
      </main>
      {userId && <AccountPanel key={userId} userId={userId} changed={(account) => list.replace((row) => row.id === account.id, account)} />}
    </>
  );
}

function NewAccount({ close, created }: { close: () => void; created: () => void }) {
  const [username, setUsername] = useState("");
  const [displayName, setName] = useState("");
  const [email, setEmail] = useState("");
  const [role, setRole] = useState<Role>("MEMBER");
  const [url, setUrl] = useState<string | null>(null);
  if (url) return <Link title={c.create} lead={c.linkFor(email.trim())} url={url} close={close} />;
  return (
    <Change title={c.create} consequence={c.createLead} action={c.create} close={close}
      run={async () => {
        const input = { username: username.trim(), displayName: displayName.trim() || null, email: email.trim(), role };
        const { adminCreateUser: made } = await request(CreateUser, { input });
        created();
        if (made?.setupUrl) setUrl(made.setupUrl);
        else { close(); say(c.setupSent(email.trim())); }
      }}>
      {(problem) => <>
        <Field name="username" label={t.username} value={username} change={setUsername} autocomplete="off" help={t.usernameHelp} problem={problem("username")} />
        <Field name="displayName" label={t.name} value={displayName} change={setName} autocomplete="off" optional problem={problem("displayName")} />
        <Field name="email" label={t.email} type="email" value={email} change={setEmail} autocomplete="off" problem={problem("email")} />
        <RoleField value={role} change={setRole} />
      </>}
    </Change>
  );
}

type Opened = "role" | "suspend" | "reinstate" | "sessions" | "password" | "factor";

function AccountPanel({ userId, changed }: { userId: string; changed: (account: Account) => void }) {
  const [account, setAccount] = useState<Account | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [open, setOpen] = useState<Opened | null>(null);
  const [version, setVersion] = useState(0);
  const load = () => {
    setError(null);
    request(AccountQuery, { userId }).then(({ admin }) => {
      if (admin?.account) setAccount(admin.account);
      else setError({ code: "NOT_FOUND" });
    }, setError);
  };
  useEffect(load, [userId]);
  const close = () => go(toAccount(null));
  const done = (text: string, next?: Account | null) => {
    if (next) { setAccount(next); changed(next); }
    setOpen(null);
    setVersion((now) => now + 1);
    say(text);
  };
  const Frame = phone.value ? "main" : "aside";
  // The title of the panel is the first heading of the page on a phone, and the second one elsewhere.
  const NameTitle = phone.value ? "h2" : "h3";
  return (
    <Frame class="panel" aria-label={account ? c.accountOf(account.user.displayName) : c.account}>
      <header class="bar"><IconButton class="back" icon="back" flip label={c.backToList} onClick={close} /><div class="bar-text"><PanelTitle>{c.account}</PanelTitle></div><div class="bar-actions"><IconButton class="wide-only" icon="x" label={t.close} onClick={close} /></div></header>
      <div class="scroll">
        {error ? <Failed error={error} retry={load} /> : !account ? <Skeleton rows={5} /> : (
          <>
            <div class="drawer-head"><Initials user={account.user} size={56} /><div class="grow"><NameTitle><bdi>{account.user.displayName}</bdi></NameTitle><p class="small muted">@{account.user.username}{account.email && ` · ${account.email}`}</p></div></div>
            <Actions account={account} open={setOpen} />
            {account.suspendedAt && <div class="note is-suspended"><p class="strong">{c.suspendedSince(when(account.suspendedAt))}</p><p dir="auto">{account.suspensionReason}</p></div>}
            <div class="section"><dl class="facts">
              <dt>{c.roleLabel}</dt><dd>{c.role[account.role]}</dd>
              <dt>{t.email}</dt><dd>{!account.email ? c.noEmail : account.isEmailVerified ? c.verified : c.notVerified}</dd>
              <dt>{c.signsInWith}</dt><dd>{c.methods(account.signInMethods, account.hasSecondFactor)}</dd>
              <dt>{c.created}</dt><dd>{full(account.createdAt)}</dd>
              <dt>{c.lastActive}</dt><dd>{account.lastActiveAt ? full(account.lastActiveAt) : c.never}</dd>
            </dl></div>
            {readsAudit() && <Trail key={version} userId={userId} />}
            {open && <Dialogs open={open} account={account} close={() => setOpen(null)} done={done} />}
          </>
        )}
      </div>
    </Frame>
  );
}

function Actions({ account, open }: { account: Account; open: (which: Opened) => void }) {
  const isOwn = account.user.id === me.value?.user.id;
  const button = (which: Opened, label: string, danger = false) => <button type="button" class={danger ? "button danger" : "button"} onClick={() => open(which)}>{label}</button>;
  const moderates = mayModerate(account.role) && !isOwn;
  if (!moderates && !isAdmin()) return null;
  return (
    <div class="drawer-actions">
      {isAdmin() && button("role", c.changeRole)}
      {isAdmin() && account.email && button("password", c.sendReset)}
      {isAdmin() && button("sessions", c.endSessions)}
      {isAdmin() && account.hasSecondFactor && !isOwn && button("factor", c.resetFactor)}
      {moderates && (account.status === "SUSPENDED" ? button("reinstate", c.reinstate) : button("suspend", c.suspend, true))}
    </div>
  );
}

function Dialogs({ open, account, close, done }: { open: Opened; account: Account; close: () => void; done: (text: string, account?: Account | null) => void }) {
  const [role, setRole] = useState<Role>(account.role);
  const [url, setUrl] = useState<string | null>(null);
  const { id: userId, displayName: name, username } = account.user;
  const common = { close, confirm: username, needsReason: true };
  if (url) return <Link title={c.sendReset} lead={c.resetLink} url={url} close={() => done(c.resetReady)} />;
  switch (open) {
    case "role": return (
      <Change {...common} title={c.changeRole} consequence={c.roleConsequence(name)} action={c.changeRole}
        run={async (reason) => done(c.roleChanged(name), (await request(ChangeRole, { input: { userId, role, reason } })).adminUpdateUser?.account)}>
        <RoleField value={role} change={setRole} />
      </Change>
    );
    case "suspend": return (
      <Change {...common} danger title={c.suspend} consequence={c.suspendConsequence(name)} action={c.suspend}
        run={async (reason) => done(c.suspended(name), (await request(Suspend, { input: { userId, reason } })).adminSuspendUser?.account)} />
    );
    case "reinstate": return (
      <Change title={c.reinstate} consequence={c.reinstateConsequence(name)} action={c.reinstate} close={close}
        run={async () => done(c.reinstated(name), (await request(Reinstate, { input: { userId } })).adminReinstateUser?.account)} />
    );
    case "sessions": return (
      <Change {...common} danger title={c.endSessions} consequence={c.sessionsConsequence(name)} action={c.endSessions}
        run={async (reason) => done(c.sessionsEnded((await request(RevokeAccess, { input: { userId, reason } })).adminRevokeAccess?.revokedCount ?? 0))} />
    );
    case "factor": return (
      <Change {...common} danger title={c.resetFactor} consequence={c.factorConsequence(name)} action={c.resetFactor}
        run={async (reason) => done(c.factorReset(name), (await request(ResetSecondFactor, { input: { userId, reason } })).adminResetSecondFactor?.account)} />
    );
    case "password": return (
      <Change {...common} title={c.sendReset} consequence={c.resetConsequence(name)} action={c.sendReset}
        run={async (reason) => {
          const { adminSendPasswordReset: sent } = await request(SendPasswordReset, { input: { userId, reason } });
          if (sent?.resetUrl) setUrl(sent.resetUrl);
          else done(c.resetSent(name));
        }} />
    );
  }
}

/** The latest entries about the account. */
function Trail({ userId }: { userId: string }) {
  const [entries, setEntries] = useState<Entry[] | null>(null);
  useEffect(() => {
    request(AuditQuery, { filter: { targetId: userId }, first: 5, after: null }).then(({ admin }) => setEntries(admin?.auditLog?.nodes ?? []), () => setEntries([]));
  }, [userId]);
  return (
    <div class="section">
      <h3 class="section-title"><span class="grow">{c.auditTrail}</span><a class="link" href={`/admin/audit?target=${userId}`}>{c.all}</a></h3>
      {entries && !entries.length && <p class="small muted">{c.noEntries}</p>}
      <ol>{entries?.map((entry) => (
        <li key={entry.id} class="trail"><b dir="ltr">{entry.action}</b> <span>{entry.actorLabel ?? c.theServer}</span> <time class="muted">{when(entry.occurredAt)}</time></li>
      ))}</ol>
    </div>
  );
}
