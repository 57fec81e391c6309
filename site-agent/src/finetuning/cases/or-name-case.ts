import { FederationError } from '@consilium/shared/kernel';

/** Names the case and the file in what goes wrong with it, as TASK_INVALID. */
export async function orNameCase<T>(name: string, role: 'image' | 'label', path: string, act: () => T | Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    const { message, remedy } = FederationError.from(cause, 'VOLUME_UNREADABLE');
    throw new FederationError('TASK_INVALID', `case ${name}: the ${role} ${path} cannot be used: ${message}`, {
      cause,
      remedy: remedy ?? 'Repair the file or take the case out of the task.',
    });
  }
}
