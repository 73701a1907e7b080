// The people whom the viewer blocked.
import { request } from "../api";
import type { ResultOf } from "../graphql";
import { BlockedQuery, BlockUser, UnblockUser } from "../operations";
import { blockedIds, putUser, viewerId } from "./data";

/** Loads the list. It is short, so that it is loaded completely. */
export async function loadBlocked(): Promise<void> {
  const of = viewerId.peek();
  const ids: string[] = [];
  let after: string | null = null;
  do {
    const page: ResultOf<typeof BlockedQuery> = await request(BlockedQuery, { after });
    const { viewer } = page;
    if (!viewer || viewerId.peek() !== of) return;
    const { nodes, pageInfo } = viewer.blockedUsers;
    ids.push(...nodes.map(putUser));
    after = pageInfo.hasNextPage ? pageInfo.endCursor : null;
  } while (after);
  blockedIds.value = ids;
}

export const isBlocked = (id: string | null): boolean => !!id && blockedIds.value.includes(id);

export async function block(userId: string): Promise<void> {
  const { blockUser: done } = await request(BlockUser, { input: { userId } });
  if (done?.user) putUser(done.user);
  blockedIds.value = [userId, ...blockedIds.peek().filter((id) => id !== userId)];
}

export async function unblock(userId: string): Promise<void> {
  const { unblockUser: done } = await request(UnblockUser, { input: { userId } });
  if (done?.user) putUser(done.user);
  blockedIds.value = blockedIds.peek().filter((id) => id !== userId);
}
