import { z } from 'zod';
import { durationField, nameField } from './fields.js';

/** What an operator may do; each role holds the ones before it. */
export const OPERATOR_ROLES = ['read', 'operate', 'administer'] as const;
export const operatorRoleSchema = z.enum(OPERATOR_ROLES);
export type OperatorRole = z.infer<typeof operatorRoleSchema>;

/** What each role is for, in words for help texts. */
export const ROLE_WORDS: Readonly<Record<OperatorRole, string>> = {
  read: 'looks at everything, changes nothing',
  operate: 'starts and stops campaigns, decides about updates, invites and revokes sites',
  administer: 'keeps the accounts of operators and takes backups',
};

/** True when somebody of this role may do what needs the other. */
export function roleAllows(role: OperatorRole, needed: OperatorRole): boolean {
  return OPERATOR_ROLES.indexOf(role) >= OPERATOR_ROLES.indexOf(needed);
}

/** The lesser of two roles: what a token of one role may do for an account of the other. */
export function lesserRole(a: OperatorRole, b: OperatorRole): OperatorRole {
  return roleAllows(a, b) ? b : a;
}

const SHORTEST_PASSWORD = 12;

/** NIST SP 800-63B, 3.1.1: length decides, and no rule asks for kinds of characters. */
export const passwordField = z
  .string()
  .min(SHORTEST_PASSWORD, `expected ${SHORTEST_PASSWORD} characters or more: several words are easy to remember`)
  .max(200);

export const operatorAccountViewSchema = z.object({
  name: nameField,
  role: operatorRoleSchema,
  /** *invited* until the operator has chosen a password; *disabled* accounts and their tokens open nothing. */
  state: z.enum(['invited', 'active', 'disabled']),
  createdAtMs: z.number(),
  lastSignInAtMs: z.number().nullable(),
});
export type OperatorAccountView = z.infer<typeof operatorAccountViewSchema>;

/** POST /api/operators. */
export const newOperatorSchema = z.strictObject({ name: nameField, role: operatorRoleSchema });

/** The only time that the first password is shown; the operator chooses another one at the first sign-in. */
export const invitedOperatorSchema = z.object({ account: operatorAccountViewSchema, firstPassword: z.string() });
export type InvitedOperator = z.infer<typeof invitedOperatorSchema>;

export const roleChangeSchema = z.strictObject({ role: operatorRoleSchema });

/** POST /api/operator/sign-in. */
export const signInSchema = z.strictObject({
  name: nameField,
  password: z.string().min(1).max(200),
  newPassword: passwordField.optional().describe('replaces the password; asked for at the first sign-in'),
});
export type SignIn = z.infer<typeof signInSchema>;

export const signedInSchema = z.object({
  token: z.string(),
  name: nameField,
  role: operatorRoleSchema,
  expiresAtMs: z.number(),
});
export type SignedIn = z.infer<typeof signedInSchema>;

/** GET /api/operator: who asks, and what that one may do. */
export const callerViewSchema = z.object({
  /** Null for the token of the coordinator's folder, which belongs to nobody by name. */
  name: nameField.nullable(),
  role: operatorRoleSchema,
  /** Null for the token of the folder. */
  expiresAtMs: z.number().nullable(),
});
export type CallerView = z.infer<typeof callerViewSchema>;

/** POST /api/operator/tokens: for a program that asks in an operator's name. */
export const newTokenSchema = z.strictObject({
  label: nameField.describe('what it is for'),
  role: operatorRoleSchema.default('read').describe('never more than the account’s own'),
  lifetime: durationField.default('90d').describe('up to 400 days'),
});

export const operatorTokenViewSchema = z.object({
  id: z.string(),
  operator: nameField,
  label: nameField,
  role: operatorRoleSchema,
  createdAtMs: z.number(),
  expiresAtMs: z.number(),
});
export type OperatorTokenView = z.infer<typeof operatorTokenViewSchema>;

/** The only time that the token is shown. */
export const issuedTokenSchema = z.object({ view: operatorTokenViewSchema, token: z.string() });
export type IssuedToken = z.infer<typeof issuedTokenSchema>;
