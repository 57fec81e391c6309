import type { OperatorAccess } from '@consilium/coordinator/dist/config/operator-access.js';
import { type CampaignEvent, campaignEventSchema, OPERATOR_NAMESPACE } from '@consilium/shared/wire';
import { io } from 'socket.io-client';

/** Hears every campaign event, over restarts of the coordinator too. Resolves when connected, with the function that ends it. */
export async function watchEvents(access: OperatorAccess, onEvent: (event: CampaignEvent) => void): Promise<() => void> {
  const socket = io(`${access.url}${OPERATOR_NAMESPACE}`, {
    auth: { token: access.token },
    transports: ['websocket'],
    reconnectionDelay: 50,
    reconnectionDelayMax: 200,
  });
  socket.on('campaign:event', (event: unknown) => {
    const parsed = campaignEventSchema.safeParse(event);
    if (parsed.success) onEvent(parsed.data);
  });
  await new Promise<void>((settle) => socket.once('connect', () => settle()));
  return () => void socket.disconnect();
}
