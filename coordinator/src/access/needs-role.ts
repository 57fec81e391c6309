import type { OperatorRole } from '@consilium/shared/wire';
import { Reflector } from '@nestjs/core';

/** What a route, or all routes of a controller, want of an operator. A route's own word outranks its controller's. */
export const NeedsRole = Reflector.createDecorator<OperatorRole>();
