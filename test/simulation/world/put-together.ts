import 'reflect-metadata';
import type { Type } from '@nestjs/common';
import { SELF_DECLARED_DEPS_METADATA } from '@nestjs/common/constants.js';

/** A class, or the name of a port. */
export type Token = symbol | (abstract new (...parts: never[]) => unknown);

/**
 * Makes objects of injectable classes with all that they ask for, one of each: what Nest does when a coordinator starts, without
 * its start-up. A world starts coordinators by the thousand.
 */
export class PutTogether {
  private readonly made: Map<Token, unknown>;

  /**
   * @param given ports, and finished objects in the place of classes.
   * @param replacements classes in the place of classes.
   */
  constructor(
    given: readonly (readonly [Token, unknown])[],
    private readonly replacements: ReadonlyMap<Token, Type>,
  ) {
    this.made = new Map(given);
  }

  get<T>(type: abstract new (...parts: never[]) => T): T {
    return this.make(type) as T;
  }

  private make(token: Token): unknown {
    if (this.made.has(token)) return this.made.get(token);
    if (typeof token === 'symbol') throw new Error(`nothing is given for ${String(token)}`);
    const type = this.replacements.get(token) ?? (token as Type);
    const types = (Reflect.getMetadata('design:paramtypes', type) ?? []) as Token[];
    const named = (Reflect.getMetadata(SELF_DECLARED_DEPS_METADATA, type) ?? []) as { index: number; param: Token }[];
    const parts = types.map((part, index) => this.make(named.find((one) => one.index === index)?.param ?? part));
    const object: unknown = new type(...parts);
    this.made.set(token, object);
    return object;
  }
}
