import type { Point } from './dicom-facts.js';

/** Vectors in DICOM's patient coordinates, millimetres. */
export function dot(u: Point, v: Point): number {
  return u[0] * v[0] + u[1] * v[1] + u[2] * v[2];
}

export function cross(u: Point, v: Point): Point {
  return [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
}

export function minus(u: Point, v: Point): Point {
  return [u[0] - v[0], u[1] - v[1], u[2] - v[2]];
}

/** start + factor · step */
export function along(start: Point, step: Point, factor: number): Point {
  return [start[0] + factor * step[0], start[1] + factor * step[1], start[2] + factor * step[2]];
}

export function lengthOf(u: Point): number {
  return Math.hypot(u[0], u[1], u[2]);
}

/** The part of u that lies in the plane across the (unit) normal. */
export function acrossPart(u: Point, normal: Point): Point {
  return along(u, normal, -dot(u, normal));
}
