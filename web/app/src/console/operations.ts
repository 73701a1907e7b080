// Every operation and fragment of the console. The build validates this file against schema.graphql.
import { graphql } from "../graphql";

export const AccountFields = graphql(`
  fragment AccountFields on Account {
    id email isEmailVerified role status suspendedAt suspensionReason signInMethods hasSecondFactor lastActiveAt createdAt
    user { id displayName username }
  }
`);

export const InvitationFields = graphql(`
  fragment InvitationFields on Invitation {
    id email role status createdAt expiresAt acceptedAt
    createdBy { id displayName }
    acceptedBy { id displayName }
  }
`);

export const EntryFields = graphql(`
  fragment EntryFields on AuditEntry {
    id sequence occurredAt action outcome actorLabel ipAddress requestId targetId targetLabel hash
    actor { id displayName username }
    changes { field before after }
  }
`);

export const ConsoleQuery = graphql(`
  query Console {
    server { id name version signUpPolicy features }
    viewer { id role hasTotp user { id displayName username } }
  }
`);

export const AccountsQuery = graphql(`
  query Accounts($filter: AccountFilter, $first: Int!, $after: String) {
    admin { id accounts(filter: $filter, first: $first, after: $after) {
      nodes { ...AccountFields }
      pageInfo { hasNextPage endCursor }
    } }
  }
`, [AccountFields]);

export const AccountQuery = graphql(`
  query Account($userId: ID!) { admin { id account(userId: $userId) { ...AccountFields } } }
`, [AccountFields]);

export const InvitationsQuery = graphql(`
  query Invitations($status: InvitationStatus, $first: Int!, $after: String) {
    admin { id invitations(status: $status, first: $first, after: $after) {
      nodes { ...InvitationFields }
      pageInfo { hasNextPage endCursor }
    } }
  }
`, [InvitationFields]);

export const AuditQuery = graphql(`
  query Audit($filter: AuditFilter, $first: Int!, $after: String) {
    admin { id auditLog(filter: $filter, first: $first, after: $after) {
      nodes { ...EntryFields }
      pageInfo { hasNextPage endCursor }
    } }
  }
`, [EntryFields]);

export const CreateUser = graphql(`
  mutation CreateUser($input: AdminCreateUserInput!) {
    adminCreateUser(input: $input) { setupUrl account { ...AccountFields } }
  }
`, [AccountFields]);

export const ChangeRole = graphql(`
  mutation ChangeRole($input: AdminUpdateUserInput!) { adminUpdateUser(input: $input) { account { ...AccountFields } } }
`, [AccountFields]);

export const Suspend = graphql(`
  mutation Suspend($input: AdminSuspendUserInput!) { adminSuspendUser(input: $input) { account { ...AccountFields } } }
`, [AccountFields]);

export const Reinstate = graphql(`
  mutation Reinstate($input: AdminReinstateUserInput!) { adminReinstateUser(input: $input) { account { ...AccountFields } } }
`, [AccountFields]);

export const ResetSecondFactor = graphql(`
  mutation ResetSecondFactor($input: AdminResetSecondFactorInput!) {
    adminResetSecondFactor(input: $input) { account { ...AccountFields } }
  }
`, [AccountFields]);

export const SendPasswordReset = graphql(`
  mutation SendPasswordReset($input: AdminSendPasswordResetInput!) {
    adminSendPasswordReset(input: $input) { resetUrl account { ...AccountFields } }
  }
`, [AccountFields]);

export const RevokeAccess = graphql(`
  mutation RevokeAccess($input: AdminRevokeAccessInput!) { adminRevokeAccess(input: $input) { revokedCount } }
`);

export const Invite = graphql(`
  mutation Invite($input: AdminCreateInvitationInput!) {
    adminCreateInvitation(input: $input) { invitationUrl invitation { ...InvitationFields } }
  }
`, [InvitationFields]);

export const RevokeInvitation = graphql(`
  mutation RevokeInvitation($input: AdminRevokeInvitationInput!) {
    adminRevokeInvitation(input: $input) { invitation { ...InvitationFields } }
  }
`, [InvitationFields]);
