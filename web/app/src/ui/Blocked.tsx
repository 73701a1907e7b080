// Blocking a person, and the list of blocked people.
import { block, unblock } from "../store/blocks";
import { blockedIds, users } from "../store/data";
import { t } from "../text";
import { explain, Face, nameOf, say } from "./parts";

const complain = (error: unknown) => say(explain(error));

export function blockPerson(userId: string): void {
  block(userId).then(() => say(t.blocked(nameOf(userId)), () => unblockPerson(userId)), complain);
}

export function unblockPerson(userId: string): void {
  unblock(userId).then(() => say(t.unblocked(nameOf(userId))), complain);
}

/** Takes the place of the composer in a direct conversation with a blocked person. */
export function BlockedNote({ userId }: { userId: string }) {
  return (
    <p class="note is-composer">{t.youBlocked(nameOf(userId))} <button type="button" class="link" onClick={() => unblockPerson(userId)}>{t.unblock}</button></p>
  );
}

export function BlockedPeople() {
  const ids = blockedIds.value;
  if (!ids.length) return <p class="small muted is-lead">{t.noneBlocked}</p>;
  return (
    <ul>
      {ids.map((id) => (
        <li key={id} class="person"><Face id={id} size={32} />
          <div class="grow"><div class="name clip"><bdi>{nameOf(id)}</bdi></div><div class="small muted clip">@{users.get(id)?.username}</div></div>
          <button type="button" class="button" aria-label={t.unblockName(nameOf(id))} onClick={() => unblockPerson(id)}>{t.unblock}</button></li>
      ))}
    </ul>
  );
}
